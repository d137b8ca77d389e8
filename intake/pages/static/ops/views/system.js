// How stores, workers and sales are: `/ops/status` for people. Owns this view alone; asks again every few seconds.

import { get } from "../api.js";
import { fill, h } from "../dom.js";
import { head, scrolling } from "../paged.js";
import { seconds } from "../words.js";
import { trouble } from "../router.js";
import { T } from "../texts.js";

const EVERY_MS = 5000;

const standing = (ok) => h("span", { class: ok ? "good" : "bad" }, ok ? T.system.good : T.system.bad);

function table(title, heads, rows) {
  return h("section", {},
    h("h2", {}, title),
    rows.length
      ? scrolling(title, head(heads), h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell))))))
      : h("p", { class: "quiet" }, T.none));
}

function figure(name, value) {
  if (value === null) return T.unknown;
  if (typeof value !== "object") return name.endsWith("_s") ? seconds(value) : String(value);
  const lines = Array.isArray(value) ? value : Object.entries(value).map(([key, one]) => `${key}: ${typeof one === "object" ? JSON.stringify(one) : one}`);
  return lines.length ? h("ul", { class: "lines" }, lines.map((one) => h("li", {}, typeof one === "object" ? JSON.stringify(one) : String(one)))) : T.none;
}

function drawn(status) {
  const t = T.system;
  return [
    status.ok
      ? h("p", { class: "notice fine" }, t.ok)
      : h("div", { class: "notice bad" }, h("h2", {}, t.troubles), h("ul", {}, status.troubles.map((one) => h("li", {}, one)))),
    table(t.stores, [t.name, t.state, t.answered], status.stores.map((one) => [
      one.name, h("span", {}, standing(one.ok), one.reason ? ` ${one.reason}` : ""),
      one.took_ms === undefined ? T.unknown : `${one.took_ms} ms`,
    ])),
    table(t.processes, [t.name, t.state, t.said], status.processes.map((one) => [
      `${one.role} ${one.name}`, h("span", {}, standing(one.ok), one.reason ? ` ${one.reason}` : ""),
      one.silent_s === undefined ? T.unknown : `${seconds(one.silent_s)} ago`,
    ])),
    table(t.sales, [t.name, t.state, t.waiting], status.sales.map((one) => [
      h("a", { href: `#/live/${encodeURIComponent(one.sale_id)}` }, one.sale_id), one.phase, one.backlog ?? T.unknown,
    ])),
    table(t.work, [t.name, t.figure], Object.entries(status.work).map(([name, value]) => [
      name.replace(/_s$/, "").replaceAll("_", " "), figure(name, value),
    ])),
  ];
}

async function show({ root, signal }) {
  const place = h("div", {}, h("p", { class: "quiet" }, T.loading));
  fill(root, h("h1", {}, T.system.title), place);
  async function look() {
    try {
      fill(place, drawn(await get("/ops/status", { signal })));
    } catch (error) {
      if (signal.aborted) return;
      fill(place, trouble(error, look));
    }
    if (!signal.aborted) setTimeout(() => signal.aborted || look(), EVERY_MS);
  }
  await look();
}

export const system = { path: "/system", menu: "system", title: () => T.system.title, show };
