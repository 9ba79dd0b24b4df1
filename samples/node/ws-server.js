// An ordinary WebSocket server: what one says, everybody connected to this process hears. It knows nothing of gateways, probes or signals.
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { WebSocketServer, WebSocket } = require("ws");

const port = Number(process.env.WEBSOCKET_PORT || process.env.PORT || 3000);
const server = http.createServer((request, response) => {
  if (request.url !== "/") {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
  fs.createReadStream(path.join(__dirname, "ws.html")).pipe(response);
});

const sockets = new WebSocketServer({ server, maxPayload: 64 * 1024 });
sockets.on("connection", socket => {
  socket.send(`hello from process ${process.pid}`);
  socket.on("error", () => {});
  socket.on("message", (data, isBinary) => {
    for (const other of sockets.clients) {
      if (other.readyState === WebSocket.OPEN) other.send(data, { binary: isBinary });
    }
  });
});

server.listen(port, () => console.log(`listening on ${port}`));
