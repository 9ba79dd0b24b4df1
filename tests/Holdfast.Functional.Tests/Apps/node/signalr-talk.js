// What a client of SignalR does, in Node and in a page. Every connection is counted to by the server, and its questions are numbered by the server: both must be 1, 2, 3, ...
"use strict";

function converse(signalR, url, options, number) {
  const transport = signalR.HttpTransportType[options.transport];
  const client = { number, faults: [], answered: [], unanswered: [], connections: [], server: null, isStopping: false, starts: 0 };
  const connection = new signalR.HubConnectionBuilder()
    .withUrl(url, { transport })
    // In milliseconds, for as long as the test takes.
    .withAutomaticReconnect({ nextRetryDelayInMilliseconds: () => 100 + Math.random() * 200 })
    .configureLogging(signalR.LogLevel.None)
    .build();
  const pause = time => new Promise(done => setTimeout(done, time));

  let now;                                  // What the connection of now has seen.
  const begin = () => {
    const mine = now = { counted: 0, said: 0, asked: 0 };
    client.connections.push(mine);
    connection.on("said", n => mine === now && (n === ++mine.said || client.faults.push(`said ${n}, not ${mine.said}`)));
    connection.stream("Count").subscribe({
      next: n => n === ++mine.counted || client.faults.push(`counted ${n}, not ${mine.counted}`),
      complete: () => {},
      error: () => {},
    });
  };
  connection.onreconnecting(() => { client.server = null; connection.off("said"); now = null; });
  connection.onreconnected(begin);
  connection.onclose(() => { client.server = null; });

  const talking = (async () => {
    // The first connect is the application's to try again.
    while (connection.state !== signalR.HubConnectionState.Connected) {
      client.starts++;
      await connection.start().catch(error => { client.faults.push(`start: ${error.message}`); return pause(100); });
    }
    begin();
    for (let n = 0; !client.isStopping; n++) {
      const mine = now;
      if (!mine || connection.state !== signalR.HubConnectionState.Connected) {
        n--;
        await pause(20);
        continue;
      }
      const id = `${number}-${n}`;
      try {
        const { server, asked } = await connection.invoke("Ask", id);
        client.answered.push(id);
        client.server = server;
        if (asked !== ++mine.asked && !mine.isUnsure)
          client.faults.push(`asked ${asked}, not ${mine.asked}`);
      } catch {
        // The connection ended first: whether it was heard nobody knows.
        client.unanswered.push(id);
        mine.isUnsure = true;
      }
      await pause(50);
    }
  })();
  client.isConnected = () => connection.state === signalR.HubConnectionState.Connected;
  client.stop = async () => {
    client.isStopping = true;
    await talking;
    await connection.stop();
  };
  client.end = () => ({ faults: client.faults, answered: client.answered, unanswered: client.unanswered, connections: client.connections.length, counted: client.connections.map(c => c.counted) });
  return client;
}

function summary(clients) {
  return {
    connected: clients.filter(client => client.isConnected() && client.server).length,
    servers: clients.reduce((sum, { server }) => ({ ...sum, [server]: (sum[server] || 0) + 1 }), {}),
    answered: clients.reduce((sum, client) => sum + client.answered.length, 0),
    unanswered: clients.reduce((sum, client) => sum + client.unanswered.length, 0),
    faults: clients.flatMap(client => client.faults),
  };
}

if (typeof module === "object")
  module.exports = { converse, summary };
