// Reconnects per second as bars, one panel for each run, on one scale.
"use strict";

const WIDTH = 1000;
const HEIGHT = 380;
const PANEL = { top: 84, height: 220, left: 64, gap: 56 };
const COLORS = ["#0f766e", "#b45309"];

function niceCeiling(value) {
  const magnitude = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 4, 5, 8, 10].map(m => m * magnitude).find(m => m >= value);
}

function panel(result, index, count, most) {
  const width = (WIDTH - PANEL.left - 24 - PANEL.gap * (count - 1)) / count;
  const left = PANEL.left + index * (width + PANEL.gap);
  const bottom = PANEL.top + PANEL.height;
  const step = width / result.perSecond.length;
  const y = value => bottom - value / most * PANEL.height;
  const grid = [0, 1, 2, 3, 4].map(i => i / 4 * most).map(value =>
    `<path d="M${left} ${y(value)}h${width}" stroke="#e2e8f0"/><text x="${left - 8}" y="${y(value) + 4}" text-anchor="end" fill="#64748b">${value.toLocaleString("en")}</text>`);
  const bars = result.perSecond.map((value, second) => value === 0 ? "" :
    `<rect x="${(left + second * step + 1).toFixed(1)}" y="${y(value).toFixed(1)}" width="${(step - 2).toFixed(1)}" height="${(bottom - y(value)).toFixed(1)}" fill="${COLORS[index]}"/>`);
  const seconds = result.perSecond.map((_, second) => second % 5 !== 0 ? "" :
    `<text x="${(left + second * step).toFixed(1)}" y="${bottom + 18}" text-anchor="middle" fill="#64748b">${second}</text>`);
  return [
    `<text x="${left}" y="${PANEL.top - 20}" fill="#0f172a"><tspan font-weight="700">drain.duration: ${result.drain}</tspan>  at most ${Math.max(...result.perSecond).toLocaleString("en")} in one second</text>`,
    ...grid, ...bars, ...seconds,
    `<text x="${left + width / 2}" y="${bottom + 40}" text-anchor="middle" fill="#64748b">seconds since the roll began</text>`,
  ].filter(line => line !== "").join("\n  ");
}

function draw(results, clients, replicas) {
  const most = niceCeiling(Math.max(...results.flatMap(r => r.perSecond)));
  const what = `${clients.toLocaleString("en")} chat clients that reconnect in each second while all ${replicas} replicas are rolled`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="13" role="img" aria-labelledby="t">
  <title id="t">${what}: ${results.map(r => `at most ${Math.max(...r.perSecond)} with drain.duration ${r.drain}`).join(", ")}</title>
  <rect width="${WIDTH}" height="${HEIGHT}" rx="10" fill="#ffffff"/>
  <text x="${WIDTH / 2}" y="34" text-anchor="middle" font-size="16" font-weight="700" fill="#0f172a">${what}</text>
  ${results.map((r, i) => panel(r, i, results.length, most)).join("\n  ")}
</svg>
`;
}

module.exports = { draw };
