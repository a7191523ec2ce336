// Draws the status page from /status.json, and follows /decisions. What comes from outside is put in as text alone.
"use strict";

const PACE = 2000;
const ROWS = 100;
const SHOWN = { allowed: "audited" };
const byId = (id) => document.getElementById(id);

// === what numbers look like ===

function count(number) {
  return Math.round(number).toLocaleString("en");
}

function rate(number) {
  return number >= 100 ? count(number) : number >= 10 ? number.toFixed(1) : number.toFixed(2);
}

function bytes(number) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (number >= 999.5 && at < units.length - 1) {
    number /= 1000;
    at += 1;
  }
  return [at === 0 || number >= 100 ? String(Math.round(number)) : number.toFixed(1), units[at]];
}

function duration(seconds) {
  if (seconds === null || seconds === undefined) return ["–", ""];
  const ms = seconds * 1000;
  if (ms < 10) return [ms.toFixed(1), "ms"];
  if (ms < 1000) return [String(Math.round(ms)), "ms"];
  return [seconds.toFixed(seconds < 10 ? 1 : 0), "s"];
}

function age(seconds) {
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
  if (days >= 2) return [count(days), "days"];
  if (hours >= 2) return [String(hours), "hours"];
  if (minutes >= 2) return [String(minutes), "min"];
  return [String(Math.max(0, Math.floor(seconds))), "s"];
}

// === how things are put on the page ===

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined && text !== null) made.textContent = text;
  return made;
}

function cell(row, text, className) {
  row.append(element("td", className, text));
}

function set(id, text) {
  const place = byId(id);
  if (place.textContent !== text) place.textContent = text;
}

function figure(id, [number, unit]) {
  byId(id).replaceChildren(number, ...(unit ? [" ", element("small", "", unit)] : []));
}

function svg(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function canvas(id, label) {
  const drawn = svg("svg", { viewBox: "0 0 60 40", preserveAspectRatio: "none", role: "img", "aria-label": label });
  drawn.append(svg("path", { class: "base", d: "M0 40H60" }));
  byId(id).replaceChildren(drawn);
  return drawn;
}

// The last hour from left to right; what is not known yet is left out.
function path(values, top) {
  const from = 60 - values.length;
  const points = [];
  values.forEach((value, at) => {
    if (value === null) return;
    points.push(`${from + at + 0.5} ${(39 - 37 * Math.min(1, value / top)).toFixed(2)}`);
  });
  return points;
}

function lines(id, label, first, second) {
  const drawn = canvas(id, label);
  const known = first.concat(second || []).filter((value) => value !== null);
  const top = Math.max(...known, 0) || 1;
  const points = path(first, top);
  if (points.length > 0) {
    const ends = [points[0].split(" ")[0], points[points.length - 1].split(" ")[0]];
    drawn.append(svg("path", { class: "area", d: `M${ends[0]} 40L${points.join("L")}L${ends[1]} 40Z` }));
    drawn.append(svg("path", { class: "trace", d: `M${points.join("L")}` }));
  }
  const more = second ? path(second, top) : [];
  if (more.length > 0) drawn.append(svg("path", { class: "trace second", d: `M${more.join("L")}` }));
}

function columns(id, label, values) {
  const drawn = canvas(id, label);
  const top = Math.max(...values, 1);
  values.forEach((value, at) => {
    if (value === 0) return;
    const height = Math.max(1.5, (38 * value) / top);
    const x = 60 - values.length + at;
    drawn.append(svg("rect", { class: "column", x: x + 0.15, y: 40 - height, width: 0.7, height }));
  });
}

function share(part) {
  const drawn = svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
  drawn.append(svg("rect", { class: "share", x: 0, y: 0, width: Math.max(1, 100 * part), height: 10, rx: 1 }));
  return drawn;
}

function decision(row, word) {
  const place = element("td");
  place.append(element("span", `decision ${Object.hasOwn(WORDS, word) ? word : ""}`, SHOWN[word] || word));
  row.append(place);
}
const WORDS = { allowed: 1, hidden: 1, refused: 1, filtered: 1, failed: 1 };

function fill(table, rows, none) {
  const body = byId(table).tBodies[0];
  if (rows.length === 0) {
    const row = element("tr", "none"), place = element("td", "", none);
    place.colSpan = byId(table).tHead.rows[0].cells.length;
    row.append(place);
    rows = [row];
  }
  body.replaceChildren(...rows);
}

// === what the proxy says of itself ===

function state(mark, word, className) {
  const place = byId("state");
  place.className = `state ${className}`;
  const [shown, said] = place.children;
  if (said.textContent !== word) [shown.textContent, said.textContent] = [mark, word];
}

function notice(status) {
  const said = [];
  if (status.unready) said.push(status.unready);
  if (status.complaint) said.push(status.complaint);
  const days = status.ca_expires_in_seconds / 86400;
  if (days > 0 && days < 30) said.push(`the authority expires in ${Math.floor(days)} days: run namewall ca renew`);
  byId("notice").hidden = said.length === 0;
  set("notice", said.join(" · "));
}

function draw(status) {
  if (status.draining) state("◐", "draining", "bad");
  else if (status.ready) state("●", "ready", "good");
  else state("▲", "not ready", "bad");
  notice(status);
  set("version", status.version);
  set("uptime", age(status.uptime_seconds).join(" "));
  set("policy", status.policy);

  const perMinute = status.hour.minutes.map((by) => by.hidden + by.refused + by.filtered);
  const sum = (word) => status.hour.minutes.reduce((all, by) => all + by[word], 0);
  const out = sum("hidden") + sum("refused") + sum("filtered");
  figure("kept-out", [count(out), ""]);
  const failed = sum("failed");
  set("kept-out-more", `${count(sum("hidden"))} hidden, ${count(sum("refused"))} refused${failed ? `, ${count(failed)} failed` : ""}`);
  columns("chart-decisions", `Kept out in each minute of the last hour: ${count(out)} in all`, perMinute);

  const of = (key) => status.minutes.map((minute) => minute[key]);
  const top = (key) => Math.max(...of(key), 0);
  const now = status.now;
  figure("requests", [rate(now.requests_per_second), ""]);
  set("requests-more", `peak ${rate(top("requests_per_second"))}, cache ${Math.round(100 * status.cache.hit_ratio)} %`);
  lines("chart-requests", `Requests a second over the last hour: ${rate(now.requests_per_second)} now`, of("requests_per_second"));

  figure("down", bytes(now.down_bytes_per_second));
  set("down-more", `from them ${bytes(now.up_bytes_per_second).join(" ")}`);
  lines("chart-down", `Bytes a second to clients over the last hour: ${bytes(now.down_bytes_per_second).join(" ")} now`, of("down_bytes_per_second"));

  figure("latency", duration(status.upstream.p50));
  set("latency-more", status.upstream.count ? `┄ 95 % within ${duration(status.upstream.p95).join(" ")}` : "nothing asked yet");
  lines("chart-latency", `How long upstream took over the last hour: half within ${duration(status.upstream.p50).join(" ")}`,
    status.minutes.map((minute) => minute.upstream.p50), status.minutes.map((minute) => minute.upstream.p95));

  figure("tunnels", [count(now.tunnels), ""]);
  set("tunnels-more", `┄ ${count(now.connections)} connections`);
  lines("chart-tunnels", `Tunnels open over the last hour: ${count(now.tunnels)} now`, of("tunnels"), of("connections"));

  figure("authority", status.ca_expires_in_seconds > 0 ? age(status.ca_expires_in_seconds) : ["expired", ""]);
  set("authority-more", status.inventories.length ? "inventories, since last true" : "no inventories");
  byId("inventories").replaceChildren(...status.inventories.map((inventory) => {
    const item = element("li");
    item.append(element("b", "", inventory.id));
    item.append(element("span", "", inventory.age_seconds === null ? "never came" : age(inventory.age_seconds).join(" ")));
    return item;
  }));
  names(status.hour);
  rules(status.rules);
}

function names(hour) {
  const told = hour.names.filter((one) => one.decision !== "failed" || one.subject);
  const most = Math.max(...told.map((one) => one.count), 1);
  fill("names", told.map((one) => {
    const row = element("tr");
    cell(row, one.subject === null ? "others" : one.subject, "name");
    cell(row, one.rule === null ? "–" : one.rule);
    decision(row, one.decision);
    cell(row, count(one.count), "number");
    const bar = element("td", "bar");
    bar.append(share(one.count / most));
    row.append(bar);
    return row;
  }), "Nothing was kept out.");
}

function rules(all) {
  fill("rules", all.map((rule) => {
    const row = element("tr");
    cell(row, rule.id, "name");
    cell(row, rule.in_force ? (rule.inventory ? "inventory" : rule.mode) : "expired", rule.in_force ? "word" : "word soft");
    cell(row, rule.inventory ? "list" : count(rule.patterns), "number");
    cell(row, [rule.reason, rule.owner].filter(Boolean).join(" · ") || "–", "soft");
    cell(row, rule.expires || "–", "time");
    cell(row, count(rule.hits), "number");
    return row;
  }), "No rule protects anything yet: write a [[protect]] table into the config.");
}

// === decisions as they come ===

let paused = false;
let waiting = [];

function shown(one, className) {
  const row = element("tr", className);
  cell(row, one.ts.slice(11, 19), "time");
  decision(row, one.decision);
  cell(row, one.file || one.project || one.reason || "–", "name");
  cell(row, one.rule || "–");
  cell(row, one.user ? `${one.user} (${one.client})` : one.client);
  cell(row, `${one.method} ${one.host}${one.path}`, "soft");
  cell(row, String(one.status), "number");
  return row;
}

function arrive(some) {
  const body = byId("decisions").tBodies[0];
  for (const row of body.querySelectorAll(".none")) row.remove();
  body.prepend(...some.map((one) => shown(one, "fresh")).reverse());
  while (body.rows.length > ROWS) body.rows[ROWS].remove();
}

function came(event) {
  const one = JSON.parse(event.data);
  refreshSoon();
  if (!paused) return arrive([one]);
  waiting = waiting.concat([one]).slice(-ROWS);
  set("stream", `paused, ${waiting.length} wait`);
}

byId("pause").addEventListener("click", () => {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", String(paused));
  set("pause", paused ? "Resume" : "Pause");
  set("stream", paused ? "paused" : "live");
  if (!paused) arrive(waiting.splice(0));
});

let source = null;

async function follow() {
  if (source) source.close();
  const answer = await fetch(`/decisions?limit=${ROWS}`, { cache: "no-store" });
  const told = await answer.json();
  fill("decisions", told.decisions.map((one) => shown(one, "")), "Nothing yet.");
  source = new EventSource(`/decisions?after=${encodeURIComponent(told.last)}`);
  source.addEventListener("open", () => set("stream", paused ? "paused" : "live"));
  source.addEventListener("message", came);
  // What is missing can be read anew.
  source.addEventListener("lagged", () => follow().catch(lost));
  source.addEventListener("error", () => {
    set("stream", "not connected, trying again");
    if (source.readyState === EventSource.CLOSED) setTimeout(() => follow().catch(lost), 5000);
  });
}

function lost() {
  set("stream", "not connected, trying again");
  setTimeout(() => follow().catch(lost), 5000);
}

// === the round ===

let timer = null;
let soon = false;

async function refresh() {
  clearTimeout(timer);
  try {
    const answer = await fetch("/status.json", { cache: "no-store" });
    draw(await answer.json());
  } catch {
    state("▲", "no answer", "bad");
  }
  soon = false;
  clearTimeout(timer);
  timer = setTimeout(refresh, document.hidden ? 10 * PACE : PACE);
}

function refreshSoon() {
  if (soon) return;
  soon = true;
  setTimeout(refresh, 300);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refreshSoon();
});
refresh();
follow().catch(lost);
