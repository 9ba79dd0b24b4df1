// Clients of socket.io that say something all the time, and keep what was answered. Each has cookies of its own, as a browser has.
"use strict";

const { io } = require("socket.io-client");
const { obey, say } = require("../../Holding/node/control");
const { talk, summary } = require("./socketio-talk");

const options = {
  forceNew: true,
  withCredentials: true,
  reconnectionDelay: 50,
  reconnectionDelayMax: 500,
  ...JSON.parse(process.env.OPTIONS || "{}"),
};
const clients = [];
for (let i = 0; i < Number(process.env.CLIENTS); i++)
  clients.push(talk(io(process.env.TARGET, options), `${i}`));

obey({
  state: () => summary(clients),
  stop: async () => {
    await Promise.all(clients.map(client => client.stop()));
    return clients.map(({ acked, failed, connects, errors, ends }) => ({ acked, failed, connects, errors, ends }));
  },
});
