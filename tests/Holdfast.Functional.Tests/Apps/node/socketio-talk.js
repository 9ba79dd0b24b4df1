// What a client of socket.io does, in Node and in a page.
"use strict";

function talk(socket, name) {
  const client = { acked: [], failed: [], connects: 0, errors: [], ends: [], server: null, isStopping: false };
  socket.on("connect", () => client.connects++);
  socket.on("hello", server => { client.server = server; });
  socket.on("connect_error", error => client.errors.push(error.message));
  socket.on("disconnect", reason => { client.ends.push(reason); client.server = null; });
  client.transport = () => socket.connected ? socket.io.engine.transport.name : "none";
  const talking = (async () => {
    for (let n = 0; !client.isStopping; n++) {
      const id = `${name}-${n}`;
      try {
        await socket.timeout(30000).emitWithAck("say", id);
        client.acked.push(id);
      } catch {
        // The connection ended first: whether it was handled nobody knows.
        client.failed.push(id);
      }
      await new Promise(done => setTimeout(done, 50));
    }
  })();
  client.stop = async () => {
    client.isStopping = true;
    await talking;
    socket.disconnect();
  };
  return client;
}

// How many clients have each transport, and are at each server.
function summary(clients) {
  const counts = values => values.reduce((sum, value) => ({ ...sum, [value]: (sum[value] || 0) + 1 }), {});
  return {
    transports: counts(clients.map(client => client.transport())),
    servers: counts(clients.map(client => client.server)),
    acked: clients.reduce((sum, client) => sum + client.acked.length, 0),
    failed: clients.reduce((sum, client) => sum + client.failed.length, 0),
    errors: clients.reduce((sum, client) => sum + client.errors.length, 0),
  };
}

if (typeof module === "object")
  module.exports = { talk, summary };
