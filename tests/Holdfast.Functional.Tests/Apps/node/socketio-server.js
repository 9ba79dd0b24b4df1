// An ordinary server of socket.io with its default options, in memory. What it has handled it prints; SIGTERM closes it as its documentation says.
"use strict";

const http = require("node:http");
const { Server } = require("socket.io");
const { obey, say } = require("../../Holding/node/control");

const server = http.createServer((request, response) =>
  response.writeHead(request.url === "/" ? 200 : 404, { "content-type": "text/html; charset=utf-8" }).end('<script src="/socket.io/socket.io.js"></script>'));
const io = new Server(server);
io.engine.on("connection_error", error => say(`refused ${error.code} ${error.message}`));
io.on("connection", socket => {
  say(`connected ${socket.conn.transport.name}`);
  socket.conn.on("upgrade", transport => say(`upgraded ${transport.name}`));
  socket.emit("hello", process.env.NAME);
  socket.on("say", (id, answer) => {
    say(`handled ${id}`);
    answer(process.env.NAME);
  });
});
process.on("SIGTERM", () => io.close(() => process.exit(0)));
obey({});
server.listen(0, "127.0.0.1", () => say(`port=${server.address().port}`));
