// A person in the Showcase's chat who says something every few seconds and comes back when the connection is closed, after the time that the close's
// reason asks for.
"use strict";

const WebSocket = require("ws");

const PEOPLE_PER_ROOM = 10;
const SAY_EVERY_MS = 5000;
const LONGEST_WAIT_MS = 30000;

class ChatClient {
  opened = [];
  closes = 0;
  refused = 0;
  said = 0;
  saidAgain = 0;
  isConnected = false;
  #attempt = 0;
  #count = 0;
  #pending = null;
  #stopped = false;

  constructor(url, number) {
    this.name = `p${number}`;
    this.url = `${url}?room=r${Math.floor(number / PEOPLE_PER_ROOM)}&name=${this.name}`;
    this.connected = new Promise(resolve => { this.resolveConnected = resolve; });
    this.#connect();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.timer);
    this.socket.terminate();
  }

  #connect() {
    const socket = this.socket = new WebSocket(this.url, { perMessageDeflate: false });
    let wasOpen = false;
    socket.on("open", () => {
      wasOpen = this.isConnected = true;
      this.#attempt = 0;
      this.opened.push(performance.now());
      this.resolveConnected();
      if (this.#pending) {
        this.saidAgain++;
        this.#say();
      } else {
        this.#sayLater(Math.random() * SAY_EVERY_MS);
      }
    });
    socket.on("message", data => {
      const message = JSON.parse(data);
      if (message.type === "message" && message.text === this.#pending) {
        this.#pending = null;
        this.said++;
        this.#sayLater(SAY_EVERY_MS);
      }
    });
    socket.on("error", () => {});
    socket.on("close", (code, reason) => {
      this.isConnected = false;
      clearTimeout(this.timer);
      if (this.#stopped) return;
      if (wasOpen) this.closes++;
      else this.refused++;
      const asked = /retry-after=([0-9]{1,7})/.exec(reason.toString());
      const wait = asked ? Number(asked[1]) : Math.random() * Math.min(LONGEST_WAIT_MS, 1000 * 2 ** this.#attempt++);
      this.timer = setTimeout(() => this.#connect(), wait);
    });
  }

  #sayLater(ms) {
    this.timer = setTimeout(() => {
      this.#pending = `${this.name} says ${++this.#count}`;
      this.#say();
    }, ms);
  }

  #say() {
    this.socket.send(JSON.stringify({ type: "say", text: this.#pending }));
  }
}

module.exports = { ChatClient };
