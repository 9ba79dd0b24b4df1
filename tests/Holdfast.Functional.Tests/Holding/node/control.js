// What a test and a script beside it say to each other: lines, and requests to do something.
"use strict";

const fs = require("node:fs");
const http = require("node:http");

// One write(2): SIGKILL does not take it back.
const say = line => fs.writeSync(1, line + "\n");

// Does as it is told by requests: the path names the action, whose result is the answer.
function obey(actions) {
  const server = http.createServer(async (request, response) => {
    const url = new URL(request.url, "http://localhost");
    const action = actions[url.pathname.slice(1)];
    const answer = action ? await action(Object.fromEntries(url.searchParams)) : undefined;
    response.writeHead(action ? 200 : 404).end(JSON.stringify(answer ?? null));
  });
  server.listen(0, "127.0.0.1", () => say(`control=${server.address().port}`));
}

module.exports = { obey, say };
