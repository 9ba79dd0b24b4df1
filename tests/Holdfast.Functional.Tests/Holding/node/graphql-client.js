// The client of graphql-ws, which does not try again: some clients with two subscriptions each, queries and mutations on demand. It pings, and closes
// when no pong comes, as the documentation's recipe for keepAlive has it (the-guild.dev/graphql/ws/recipes).
"use strict";

const { createClient } = require("graphql-ws");
const WebSocket = require("ws");
const { obey, say } = require("./control");

const CLIENTS = 3;
const SUBSCRIPTIONS = 2;
const PONG_WAIT = 15_000;

function start(number) {
  const state = { acks: 0, pongs: 0, subscriptions: [] };
  let socket, timer, isLeaving = false;
  state.client = createClient({
    url: process.env.URL,
    webSocketImpl: WebSocket,
    connectionParams: { token: "t" },
    lazy: false,
    retryAttempts: 0,
    keepAlive: 200,
    onNonLazyError: error => say(`failed client ${number}: ${error.code ?? error}`),
    on: {
      connected: connected => { socket = connected; },
      message: message => { state.acks += message.type === "connection_ack" ? 1 : 0; },
      ping: isReceived => {
        if (!isReceived) timer = setTimeout(() => socket.close(4408, "Request Timeout"), PONG_WAIT);
      },
      pong: isReceived => {
        if (!isReceived) return;
        clearTimeout(timer);
        state.pongs++;
      },
      error: error => say(`failed client ${number}: ${error}`),
      closed: event => {
        clearTimeout(timer);
        say(`${isLeaving ? "left" : "closed"} client ${number}: ${event.code}`);
      },
    },
  });
  for (let i = 0; i < SUBSCRIPTIONS; i++) {
    const seen = { server: "", seq: 0, count: 0, missing: 0, again: 0 };
    state.subscriptions.push(seen);
    state.client.subscribe({ query: "subscription { tick { seq server } }" }, {
      next: ({ data: { tick: { seq, server } } }) => {
        seen.server = server;
        seen.count++;
        if (seq <= seen.seq) {
          seen.again++;
          return;
        }

        seen.missing += seen.seq === 0 ? 0 : seq - seen.seq - 1;
        seen.seq = seq;
      },
      error: error => say(`failed subscription of ${number}: ${JSON.stringify(error)}`),
      complete: () => { if (!isLeaving) say(`failed subscription of ${number}: complete`); },
    });
  }

  state.run = (kind, n) => {
    const id = `${kind} ${number}${n}`;
    const query = kind === "query" ? "query ($n: Int!) { answer: look(n: $n) }" : "mutation ($n: Int!) { answer: buy(n: $n) }";
    let answer = "";
    state.client.subscribe({ query, variables: { n: Number(`${number}${n}`) } }, {
      next: ({ data, errors }) => { answer += data?.answer ?? JSON.stringify(errors); },
      error: errors => say(`error of ${id}: ${Array.isArray(errors) ? errors[0].message : errors.code}`),
      complete: () => say(`answer to ${id}: ${answer}`),
    });
  };
  state.leave = () => {
    isLeaving = true;
    return state.client.dispose();
  };
  return state;
}

const all = Array.from({ length: CLIENTS }, (_, i) => start(i + 1));
obey({
  run: ({ n }) => all.forEach(state => ["query", "mutation"].forEach(kind => state.run(kind, n))),
  report: () => all.map(({ acks, pongs, subscriptions }) => ({ acks, pongs, subscriptions })),
  leave: () => Promise.all(all.map(state => state.leave())),
});
