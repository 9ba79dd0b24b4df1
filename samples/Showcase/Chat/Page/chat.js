"use strict";

// How long to wait before trying again: full jitter over an exponentially growing bound, so that clients which lost their connection
// together do not come back together. A server that wants more says so in its close reason: "retry-after=<ms>".
const BACK_OFF = { first: 500, max: 30000, stableAfter: 10000 };
const KEPT_MESSAGES = 500;

const $ = id => document.getElementById(id);
const at = { socket: null, room: "", name: "", you: 0, attempt: 0, timer: 0, countdown: 0, stable: 0, replica: "", lastFrom: null, welcomed: null };
const members = new Map();

function bound(attempt) { return Math.min(BACK_OFF.max, BACK_OFF.first * 2 ** Math.min(attempt, 16)); }

function retryDelay(attempt, reason) {
  const asked = /(?:^|\D)retry-after=(\d{1,7})(?!\d)/.exec(reason || "");
  const jitter = Math.random() * bound(attempt);
  return asked ? Math.min(Number(asked[1]), 600000) + jitter : jitter;
}

function hue(text) {
  let h = 7;
  for (const c of text) h = (h * 31 + c.codePointAt(0)) >>> 0;
  return h;
}
// Replicas are few and numbered: neighbours get colours that are far apart.
function replicaHue(name) { const n = /(\d+)$/.exec(name); return n ? (Number(n[1]) * 137 + 38) % 360 : hue(name) % 360; }
function personColor(name) { const h = hue(name) % 360; return `light-dark(hsl(${h} 60% 38%), hsl(${h} 65% 72%))`; }

function element(tag, className, text) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

function setState(state, text) {
  $("state").dataset.state = state;
  $("state").textContent = text;
  const live = state === "connected";
  $("message").disabled = !live;
  $("send").disabled = !live;
  $("message").placeholder = live ? `Message #${at.room}` : at.room ? "Waiting for a connection" : "Join a room to write";
}

function notice(text) {
  $("notice").textContent = text;
  clearTimeout(notice.timer);
  if (text) notice.timer = setTimeout(() => { $("notice").textContent = ""; }, 6000);
}

function append(node) {
  const log = $("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  log.append(node);
  while (log.childElementCount > KEPT_MESSAGES) log.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function note(text) { at.lastFrom = null; append(element("div", "note", text)); }

function said(message) {
  const box = element("div", "said");
  // Ids belong to one replica: after a move, "mine" is told by this connection's id only.
  if (message.from === at.you) box.classList.add("mine");
  if (at.lastFrom === message.from) box.classList.add("joined");
  at.lastFrom = message.from;
  const when = new Date(message.time);
  const by = element("div", "by");
  const who = element("b", "", message.name);
  who.style.setProperty("--who", personColor(message.name));
  const time = element("time", "", when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = when.toISOString();
  by.append(who, time);
  box.append(by, element("div", "text", message.text));
  append(box);
}

function showMembers() {
  const list = [...members.entries()].sort((a, b) => a[1].localeCompare(b[1])).slice(0, 100).map(([id, name]) => {
    const face = element("i", "face", [...name][0].toUpperCase());
    face.style.setProperty("--who", personColor(name));
    const item = element("li");
    item.append(face, element("span", "", name));
    if (id === at.you) item.append(element("small", "", "you"));
    return item;
  });
  $("members").replaceChildren(...list);
  $("count").textContent = members.size;
}

function showReplica(name) {
  $("replica").textContent = name;
  document.documentElement.style.setProperty("--hue", replicaHue(name));
}

const handlers = {
  welcome(m) {
    // A second welcome on one connection: the gateway moved it to another replica, and what is on the page stays.
    const stayed = at.welcomed === at.socket;
    at.welcomed = at.socket;
    at.you = m.you;
    at.lastFrom = null;
    if (!stayed) {
      $("log").replaceChildren();
      m.history.forEach(said);
    }
    const moved = at.replica && at.replica !== m.replica ? `moved from ${at.replica} to ${m.replica}` : `connected to ${m.replica}`;
    note(stayed ? `${moved}; the connection stayed open` : moved);
    $("log").scrollTop = $("log").scrollHeight;
    at.replica = m.replica;
    showReplica(m.replica);
    members.clear();
    m.here.forEach(x => members.set(x.id, x.name));
    showMembers();
    setState("connected", "connected");
    if (document.activeElement === document.body || $("entry").contains(document.activeElement)) $("message").focus();
  },
  message: said,
  joined(m) { members.set(m.member.id, m.member.name); showMembers(); },
  left(m) { members.delete(m.id); showMembers(); },
  refused(m) { notice(m.why); }
};

function leave() {
  clearTimeout(at.timer);
  clearInterval(at.countdown);
  clearTimeout(at.stable);
  const socket = at.socket;
  at.socket = null;
  if (socket) socket.close(1000);
}

function connect() {
  leave();
  setState("connecting", "connecting …");
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const query = new URLSearchParams({ room: at.room, name: at.name });
  const socket = at.socket = new WebSocket(`${scheme}//${location.host}/ws/chat?${query}`);
  socket.onopen = () => {
    // Only a connection that lasts proves that trying at once is welcome again.
    at.stable = setTimeout(() => { at.attempt = 0; }, BACK_OFF.stableAfter);
  };
  socket.onmessage = e => {
    if (at.socket !== socket) return;
    const message = JSON.parse(e.data);
    handlers[message.type]?.(message);
  };
  socket.onclose = e => {
    if (at.socket !== socket) return;
    at.socket = null;
    clearTimeout(at.stable);
    members.clear();
    showMembers();
    wait(retryDelay(at.attempt++, e.reason), e.reason);
  };
}

function wait(delay, reason) {
  const until = performance.now() + delay;
  const tell = () => {
    if (navigator.onLine === false) { setState("offline", "offline"); return; }
    const left = Math.max(0, until - performance.now());
    setState("waiting", left < 950 ? "reconnecting …" : `reconnecting in ${Math.ceil(left / 1000)} s`);
  };
  if (reason && !reason.includes("retry-after=")) notice(reason);
  tell();
  at.countdown = setInterval(tell, 250);
  at.timer = setTimeout(() => {
    clearInterval(at.countdown);
    if (navigator.onLine === false) window.addEventListener("online", connect, { once: true });
    else connect();
  }, delay);
}

$("entry").addEventListener("submit", e => {
  e.preventDefault();
  at.name = $("name").value.trim();
  at.room = $("room").value.trim().toLowerCase();
  if (!at.name || !at.room) return;
  try { localStorage.setItem("chat.name", at.name); } catch { /* storage may be blocked */ }
  $("room-name").textContent = at.room;
  $("join").textContent = "Change";
  at.attempt = 0;
  at.replica = "";
  notice("");
  connect();
});

$("composer").addEventListener("submit", e => {
  e.preventDefault();
  const text = $("message").value.trim();
  if (!text || at.socket?.readyState !== WebSocket.OPEN) return;
  if (new TextEncoder().encode(text).length > 2048) { notice("at most 2048 bytes"); return; }
  at.socket.send(JSON.stringify({ type: "say", text }));
  $("message").value = "";
});

const given = new URLSearchParams(location.search);
let remembered = "";
try { remembered = localStorage.getItem("chat.name") || ""; } catch { /* storage may be blocked */ }
$("name").value = given.get("name") || remembered;
if (given.get("room")) $("room").value = given.get("room");
$("room-name").textContent = $("room").value;
if (given.get("name")) $("entry").requestSubmit();
else $("name").focus();
