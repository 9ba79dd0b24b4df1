// The server of graphql-ws as its documentation sets it up (the-guild.dev/graphql/ws/get-started): a feed on a clock that all servers share, and a
// query and a mutation that answer when they are let.
"use strict";

const http = require("node:http");
const { setTimeout: sleep } = require("node:timers/promises");
const { buildSchema } = require("graphql");
const { useServer } = require("graphql-ws/use/ws");
const { WebSocketServer } = require("ws");
const { obey, say } = require("./control");

const INTERVAL = 50;
const name = process.env.NAME;
const schema = buildSchema(`
  type Tick { seq: Float! server: String! }
  type Query { look(n: Int!): String! }
  type Mutation { buy(n: Int!): String! }
  type Subscription { tick: Tick! }
`);

async function* tick() {
  for (let seq = Math.floor(Date.now() / INTERVAL) + 1; ; seq++) {
    for (let wait; (wait = seq * INTERVAL - Date.now()) > 0;) await sleep(wait);
    yield { tick: { seq, server: name } };
  }
}

const waiting = [];
function run(kind, n) {
  say(`runs ${kind} ${n}`);
  return new Promise(resolve => waiting.push(() => resolve(name)));
}

const server = http.createServer((_, response) => response.writeHead(426).end());
const sockets = new WebSocketServer({ server });
const roots = { query: { look: ({ n }) => run("query", n) }, mutation: { buy: ({ n }) => run("mutation", n) }, subscription: { tick } };
const graphql = useServer({ schema, roots }, sockets);

// As the documentation has it, or as many an application does it: a close without a code.
process.once("SIGTERM", async () => {
  server.close();
  if (process.env.LEAVES === "empty") {
    sockets.close(() => process.exit(0));
    for (const socket of sockets.clients) socket.close();
    return;
  }

  await graphql.dispose();
  process.exit(0);
});

obey({ release: () => waiting.splice(0).forEach(resolve => resolve()) });
server.listen(0, "127.0.0.1", () => say(`port=${server.address().port}`));
