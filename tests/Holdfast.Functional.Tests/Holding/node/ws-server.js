// A server of ws with the documentation's own way of finding dead clients (github.com/websockets/ws, "How to detect and close broken connections"),
// whose rounds are made on demand instead of by a timer.
"use strict";

const http = require("node:http");
const { WebSocketServer } = require("ws");
const { obey, say } = require("./control");

const name = process.env.NAME;
const page = "<!doctype html><title>page</title>";
const server = http.createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end(page));
const sockets = new WebSocketServer({ server, perMessageDeflate: process.env.DEFLATE === "true" && { threshold: 0 } });
let pongs = 0;
sockets.on("connection", (socket, request) => {
  say(`connected ${request.headers["holdfast-rehomed"] ?? 0}`);
  socket.isAlive = true;
  socket.on("error", error => say(`failed: ${error}`));
  socket.on("pong", () => {
    socket.isAlive = true;
    say(`pong ${++pongs}`);
  });
  socket.on("message", (data, isBinary) => socket.send(isBinary ? data : `${name} ${data}`, { binary: isBinary }));
  socket.on("close", code => say(`closed ${code}`));
});

obey({
  heartbeat: () => {
    for (const socket of sockets.clients) {
      if (!socket.isAlive) {
        say("terminated");
        socket.terminate();
        continue;
      }

      socket.isAlive = false;
      socket.ping();
    }
  },
  leave: () => {
    sockets.close();
    for (const socket of sockets.clients) socket.close();
  },
});
server.listen(0, "127.0.0.1", () => say(`port=${server.address().port}`));
