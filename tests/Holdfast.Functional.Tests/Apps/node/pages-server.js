// A server of pages with all that HTTP/1.1 has: what it was asked and what became of it, it prints.
"use strict";

const crypto = require("node:crypto");
const http = require("node:http");
const { obey, say } = require("../../Holding/node/control");

const pages = {
  "/hello": (request, response) => response.end("hello"),
  "/echo-head": (request, response) => response.end(JSON.stringify({ method: request.method, version: request.httpVersion, headers: request.headers })),
  "/empty": (request, response) => response.writeHead(204).end(),

  // What came, as its length and hash, when all of it has.
  "/sum": (request, response) => {
    const hash = crypto.createHash("sha256");
    let length = 0;
    request.on("data", piece => { hash.update(piece); length += piece.length; });
    request.on("end", () => response.end(`${length} ${hash.digest("hex")} ${request.headers["transfer-encoding"] || "length"}`));
    request.on("close", () => { if (!request.complete) say(`cut after ${length > 0 ? "some" : "none"}`); });
  },

  // So many zeros, as fast as they are taken.
  "/bytes": (request, response, url) => {
    let left = Number(url.searchParams.get("n"));
    if (url.searchParams.get("length") !== "no")
      response.setHeader("content-length", left);
    const piece = Buffer.alloc(64 * 1024);
    const more = () => {
      while (left > 0) {
        const next = left < piece.length ? piece.subarray(0, left) : piece;
        left -= next.length;
        if (!response.write(next))
          return;
      }
      response.end();
    };
    response.on("drain", more);
    response.on("close", () => { if (!response.writableFinished) say("download cut"); });
    more();
  },

  "/trailers": (request, response) => {
    response.writeHead(200, { trailer: "x-sum" });
    response.write("body");
    response.addTrailers({ "x-sum": "42" });
    response.end();
  },

  // An event when the one before has been seen, which the client says by another request.
  "/events": (request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
    response.write("data: 0\n\n");
    streams.add(response);
    say("stream opened");
    response.on("close", () => { streams.delete(response); say("stream closed"); });
  },
  "/next": (request, response, url) => {
    for (const stream of streams)
      stream.write(`data: ${url.searchParams.get("n")}\n\n`);
    response.writeHead(204).end();
  },

  "/refuse": (request, response) => response.writeHead(413, { connection: "close" }).end("too much"),
};
const streams = new Set();

const server = http.createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  say(`${request.method} ${url.pathname}`);
  const page = pages[url.pathname];
  if (page)
    page(request, response, url);
  else
    response.writeHead(404).end("no such page");
});

// A request that may not send its body is told so at once.
server.on("checkContinue", (request, response) => {
  if (request.url !== "/refuse")
    response.writeContinue();
  server.emit("request", request, response);
});
obey({});
server.listen(0, "127.0.0.1", () => say(`port=${server.address().port}`));
