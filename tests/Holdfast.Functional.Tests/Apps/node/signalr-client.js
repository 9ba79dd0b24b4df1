// Clients of @microsoft/signalr that ask, and listen to a count, all the time. The package keeps cookies in Node as browsers do.
"use strict";

const signalR = require("@microsoft/signalr");
const { obey } = require("../../Holding/node/control");
const { converse, summary } = require("./signalr-talk");

const clients = [];
for (let i = 0; i < Number(process.env.CLIENTS); i++)
  clients.push(converse(signalR, process.env.TARGET, JSON.parse(process.env.OPTIONS), i));

obey({
  state: () => summary(clients),
  stop: async () => {
    await Promise.all(clients.map(client => client.stop()));
    return clients.map(client => client.end());
  },
});
