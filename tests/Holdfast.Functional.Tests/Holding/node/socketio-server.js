// A server of socket.io that stops when it is told to.
"use strict";

const http = require("node:http");
const { Server } = require("socket.io");
const { obey, say } = require("./control");

const server = http.createServer();
const io = new Server(server, { serveClient: false });
io.on("connection", socket => socket.on("say", text => socket.emit("said", `${process.env.NAME} ${text}`)));
obey({ leave: () => { io.close(); } });
server.listen(0, "127.0.0.1", () => say(`port=${server.address().port}`));
