// Rolls every replica of `holdfast dev` under chatting clients and draws how many of them came back in each second: once with the given drain, once
// with a drain that closes everything at once. Writes OUT.svg and OUT.csv.
//
//   node samples/node/roll/roll.js [--clients 1000] [--replicas 3] [--drain 20s] [--out docs/images/roll] [--tool './holdfast']
"use strict";

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { parseArgs } = require("node:util");
const { ChatClient } = require("./chat-client");
const { draw } = require("./picture");

const ROOT = path.resolve(__dirname, "../../..");
const CONNECTS_PER_SECOND = 200;
const SETTLE_MS = 3000;
const AFTER_MS = 3000;

const { values: given } = parseArgs({
  options: {
    clients: { type: "string", default: "1000" },
    replicas: { type: "string", default: "3" },
    drain: { type: "string", default: "20s" },
    out: { type: "string", default: path.join(ROOT, "docs/images/roll") },
    tool: { type: "string", default: path.join(ROOT, "holdfast") },
  },
});
const clients = Number(given.clients);
const replicas = Number(given.replicas);

const delay = ms => new Promise(resolve => setTimeout(resolve, ms));

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

// The command itself, with keys by its standard input and its lines to wait for.
async function startDev(drain) {
  const [port, adminPort] = [await freePort(), await freePort()];
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-roll-"));
  const config = path.join(folder, "gateway.yaml");
  fs.writeFileSync(config, [
    'listeners: [{name: web, address: "127.0.0.1:0"}]',
    "routes: [{path: {prefix: /}, backend: app}]",
    `backends: {app: {endpoints: ["127.0.0.1:1"], slowStart: 0s, drain: {duration: ${drain}}}}`,
    "",
  ].join("\n"));
  const [tool, ...before] = given.tool.split(" ");
  const child = spawn(tool, [...before, "dev", "--replicas", `${replicas}`, "--port", `${port}`, "--admin-port", `${adminPort}`, "--config", config],
    { stdio: ["pipe", "pipe", "inherit"] });
  const exited = new Promise(resolve => child.on("exit", resolve));
  const lines = [];
  const waiting = new Set();
  let rest = "";
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", text => {
    const parts = (rest + text).split("\n");
    rest = parts.pop();
    for (const line of parts) {
      lines.push(line);
      for (const look of waiting) look();
    }
  });
  exited.then(() => { for (const look of waiting) look(); });

  function line(beginning) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = lines.find(l => l.startsWith(beginning));
        if (!found && child.exitCode === null) return;
        waiting.delete(look);
        if (found) resolve(found);
        else reject(new Error(`holdfast dev ended with ${child.exitCode}: ${lines.slice(-5).join(" | ")}`));
      };
      waiting.add(look);
      look();
    });
  }

  async function endpointsAre(count) {
    for (;;) {
      const { backends } = await (await fetch(`http://127.0.0.1:${adminPort}/v1/backends`)).json();
      const endpoints = backends.find(b => b.name === "app").endpoints;
      if (endpoints.length === count && endpoints.every(e => e.phase === "ready")) return;
      await delay(100);
    }
  }

  return {
    port, line, endpointsAre,
    press: key => child.stdin.write(key + "\n"),
    async end() {
      child.kill("SIGTERM");
      await exited;
      fs.rmSync(folder, { recursive: true });
    },
  };
}

async function run(drain) {
  const dev = await startDev(drain);
  const people = [];
  try {
    for (let i = 1; i <= replicas; i++) await dev.line(`replica-${i}: ready`);
    await dev.line("gateway: ready");
    await dev.endpointsAre(replicas);
    for (let i = 0; i < clients; i++) {
      people.push(new ChatClient(`ws://127.0.0.1:${dev.port}/ws/chat`, i));
      await delay(1000 / CONNECTS_PER_SECOND);
    }
    await Promise.all(people.map(p => p.connected));
    await delay(SETTLE_MS);

    const began = performance.now();
    dev.press("r");
    await dev.line("roll: done");
    await delay(AFTER_MS);
    const seconds = Math.ceil((performance.now() - began) / 1000);
    const perSecond = Array(seconds).fill(0);
    for (const at of people.flatMap(p => p.opened)) {
      const second = Math.floor((at - began) / 1000);
      if (second >= 0) perSecond[second]++;
    }
    const sum = what => people.reduce((total, p) => total + what(p), 0);
    const result = {
      drain, perSecond,
      closes: sum(p => p.closes), refused: sum(p => p.refused), said: sum(p => p.said), saidAgain: sum(p => p.saidAgain),
      connected: people.filter(p => p.isConnected).length,
    };
    console.log(`drain.duration ${drain}: ${result.closes} closes, ${perSecond.reduce((a, b) => a + b)} reconnects, at most ${Math.max(...perSecond)} in one second; `
      + `${result.refused} refused, ${result.connected} of ${clients} connected at the end; ${result.said} messages seen, ${result.saidAgain} of them said twice`);
    if (result.connected !== clients) throw new Error("not all clients came back");
    return result;
  } finally {
    for (const p of people) p.stop();
    await dev.end();
  }
}

(async () => {
  const results = [await run(given.drain), await run("0s")];
  const longest = Math.max(...results.map(r => r.perSecond.length));
  for (const r of results) while (r.perSecond.length < longest) r.perSecond.push(0);
  fs.writeFileSync(given.out + ".csv", ["second,drain,reconnects", ...results.flatMap(r => r.perSecond.map((n, second) => `${second},${r.drain},${n}`)), ""].join("\n"));
  fs.writeFileSync(given.out + ".svg", draw(results, clients, replicas));
})().catch(fault => {
  console.error(`roll: ${fault.message}`);
  process.exitCode = 1;
});
