// A client of ws that says and pings what it is told to.
"use strict";

const WebSocket = require("ws");
const { obey, say } = require("./control");

const socket = new WebSocket(process.env.URL, { perMessageDeflate: process.env.DEFLATE === "true" && { threshold: 0 } });
let isLeaving = false;
let pings = 0;
socket.on("open", () => say(`open '${socket.extensions}'`));
socket.on("ping", () => say(`pinged ${++pings}`));
socket.on("pong", data => say(`pong ${data}`));
socket.on("message", (data, isBinary) => say(isBinary ? `binary ${data.length} ${data.every(byte => byte === 7)}` : `text ${data}`));
socket.on("error", error => say(`failed: ${error}`));
socket.on("close", code => say(`${isLeaving ? "left" : "closed"} ${code}`));

obey({
  say: ({ text }) => socket.send(text),
  binary: ({ size }) => socket.send(Buffer.alloc(Number(size), 7)),
  ping: ({ data }) => socket.ping(data),
  leave: () => {
    isLeaving = true;
    socket.close(1000);
  },
});
