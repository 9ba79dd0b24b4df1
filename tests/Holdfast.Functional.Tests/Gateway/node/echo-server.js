// An echo server on Node's ws: messages back as they came, the first offered sub-protocol chosen, "close CODE REASON" obeyed.
"use strict";
const { WebSocketServer } = require("ws");

const server = new WebSocketServer({
  port: 0,
  host: "127.0.0.1",
  maxPayload: 256 * 1024 * 1024,
  perMessageDeflate: { threshold: 0 },
  handleProtocols: protocols => [...protocols][0],
});
server.on("listening", () => console.log(`port=${server.address().port}`));
server.on("connection", socket => {
  socket.on("error", error => console.log(`error=${error.message}`));
  socket.on("message", (data, binary) => {
    const close = !binary && /^close (\d+) (.*)$/s.exec(data.toString());
    if (close) socket.close(Number(close[1]), close[2]);
    else socket.send(data, { binary, compress: socket.extensions.includes("permessage-deflate") });
  });
});
