// A client on Node's ws: goes through what a gateway must pass unchanged. URL in argv; prints "ok" and exits 0, or says what went wrong.
"use strict";
const assert = require("node:assert");
const crypto = require("node:crypto");
const { once } = require("node:events");
const WebSocket = require("ws");

const url = process.argv[2];
const patience = setTimeout(() => { console.log("too slow"); process.exit(2); }, 60_000);

async function open(options, protocols = ["chat.v2", "chat.v1"]) {
  const socket = new WebSocket(url, protocols, options);
  await once(socket, "open");
  return socket;
}

async function echo(socket, data, options) {
  const answer = once(socket, "message");
  socket.send(data, options);
  const [received, binary] = await answer;
  assert.strictEqual(binary, typeof data !== "string");
  assert.ok(Buffer.from(data).equals(received), "the message was changed");
}

async function closed(socket, act) {
  const end = once(socket, "close");
  act();
  const [code, reason] = await end;
  return [code, reason.toString()];
}

(async () => {
  for (const perMessageDeflate of [false, true]) {
    const socket = await open({ perMessageDeflate: perMessageDeflate && { threshold: 0 } });
    assert.strictEqual(socket.protocol, "chat.v2");
    assert.strictEqual(socket.extensions, process.argv[3] === "deflate" && perMessageDeflate ? "permessage-deflate" : "");
    await echo(socket, "text \u00e9 \u{1f44d}");
    await echo(socket, "");
    await echo(socket, Buffer.alloc(0));
    for (const size of [1, 125, 126, 65535, 65536, 1 << 20]) await echo(socket, crypto.randomBytes(size));
    await echo(socket, "a".repeat(200_000));

    const answer = once(socket, "message");
    for (const part of ["one ", "", "two ", "three"]) socket.send(part, { fin: part === "three" });
    assert.strictEqual((await answer)[0].toString(), "one two three");

    const pong = once(socket, "pong");
    socket.ping("are you there");
    assert.strictEqual((await pong)[0].toString(), "are you there");
    assert.deepStrictEqual(await closed(socket, () => socket.close(4321, "au revoir \u00e9")), [4321, "au revoir \u00e9"]);
  }

  const told = await open({ perMessageDeflate: false });
  assert.deepStrictEqual(await closed(told, () => told.send("close 3456 told so")), [3456, "told so"]);
  const silent = await open({ perMessageDeflate: false });
  // ws answers an empty close with an empty one, .NET with 1000: either is the server's own.
  assert.ok([1000, 1005].includes((await closed(silent, () => silent.close()))[0]));
  clearTimeout(patience);
  console.log("ok");
})().catch(error => { console.log(error.stack); process.exit(1); });
