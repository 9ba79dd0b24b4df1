// The server of the npm package graphql-ws as its documentation sets it up (the-guild.dev/graphql/ws/get-started), with one subscription and one
// mutation: what `holdfast rehearse --protocol graphql-transport-ws` starts as a replica.
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { setTimeout: sleep } = require("node:timers/promises");
const { GraphQLFloat, GraphQLInt, GraphQLNonNull, GraphQLObjectType, GraphQLSchema, GraphQLString, parse, validate } = require("graphql");
const { useServer } = require("graphql-ws/use/ws");
const { WebSocketServer } = require("ws");

const port = Number(process.env.PORT || 3000);
const name = process.env.HOLDFAST_REPLICA || "replica";
const folder = process.env.HOLDFAST_JOURNALS || ".";
const longestDelay = 200;

// One write(2) before the handler goes on: SIGKILL does not take it back.
const journal = fs.openSync(path.join(folder, `${name}.${process.pid}.journal`), "ax");
const origin = Date.now() * 1000 - Number(process.hrtime.bigint() / 1000n);
const micros = () => origin + Number(process.hrtime.bigint() / 1000n);

// The feed is nothing but the time, the same for all replicas: FeedClock.cs has the same.
function feedOf(channel) {
  const match = /^([cp])([0-9]+)$/.exec(channel);
  if (!match) throw new Error(`there is no channel ${channel}`);
  const interval = match[1] === "c" ? 1000 : 100;
  return { interval, offset: (Number(match[2]) * 37) % interval };
}

async function* clock(channel) {
  const { interval, offset } = feedOf(channel);
  for (let sequence = Math.floor((Date.now() + offset) / interval) + 1; ; sequence++) {
    for (let wait; (wait = sequence * interval - offset - Date.now()) > 0;) await sleep(wait);
    yield { clock: { seq: sequence } };
  }
}

let answers = 0;
async function order(conn, n) {
  const at = micros();
  fs.writeSync(journal, `M ${conn} ${n} ${at}\n`);
  await sleep(Math.random() * longestDelay);
  return { stream: process.pid, counter: answers++, took: micros() - at };
}

const required = type => ({ type: new GraphQLNonNull(type) });
const schema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: "Query", fields: { replica: { type: GraphQLString, resolve: () => name } } }),
  mutation: new GraphQLObjectType({
    name: "Mutation",
    fields: {
      order: {
        type: new GraphQLObjectType({ name: "Order", fields: { stream: required(GraphQLInt), counter: required(GraphQLInt), took: required(GraphQLFloat) } }),
        args: { conn: required(GraphQLInt), n: required(GraphQLInt) },
        resolve: (_, { conn, n }) => order(conn, n),
      },
    },
  }),
  subscription: new GraphQLObjectType({
    name: "Subscription",
    fields: {
      clock: {
        type: new GraphQLObjectType({ name: "Clock", fields: { seq: required(GraphQLFloat) } }),
        args: { channel: required(GraphQLString) },
        subscribe: (_, { channel }) => clock(channel),
      },
    },
  }),
});

const server = http.createServer((_, response) => response.writeHead(426).end());
const sockets = new WebSocketServer({ server });

// Clients have few documents and say them often: each is parsed and validated once, as servers under load do (the-guild.dev/graphql/ws/recipes).
const documents = new Map();
function onSubscribe(_context, _id, { query, operationName, variables: variableValues }) {
  let document = documents.get(query);
  if (!document) {
    try {
      document = parse(query);
    } catch (fault) {
      return [fault];
    }
    const faults = validate(schema, document);
    if (faults.length) return faults;
    if (documents.size < 100) documents.set(query, document);
  }
  return { schema, document, operationName, variableValues };
}

const graphql = useServer({ schema, onSubscribe }, sockets);

// What its documentation says about leaving: every client is told 1001, then the server is closed.
process.once("SIGTERM", async () => {
  server.close();
  await graphql.dispose();
  process.exit(0);
});

server.listen(port, "127.0.0.1", () => console.log(`listening on ${port}`));
