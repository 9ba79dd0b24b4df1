// An ordinary Socket.IO server: what one says, everybody connected to this process hears. It knows nothing of gateways, probes or signals.
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { Server } = require("socket.io");

const port = Number(process.env.WEBSOCKET_PORT || process.env.PORT || 3000);
const server = http.createServer((request, response) => {
  if (request.url !== "/") {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
  fs.createReadStream(path.join(__dirname, "socketio.html")).pipe(response);
});

const io = new Server(server);
io.on("connection", socket => {
  socket.emit("said", `hello from process ${process.pid}`);
  socket.on("say", text => io.emit("said", text));
});

server.listen(port, () => console.log(`listening on ${port}`));
