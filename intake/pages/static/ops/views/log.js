// What ops changed, newest first, and who did it. Owns this view; changes nothing.

import { fill, h } from "../dom.js";
import { pagedList } from "../lists.js";
import { T } from "../texts.js";
import { moment } from "../words.js";

const L = T.log;
const PLACES = { sale: "sales", order: "orders" };

/** A thing that was changed, as a way to it where the page shows such things. */
function target(text) {
  const [kind, ...rest] = text.split(":");
  const name = rest.join(":");
  return PLACES[kind] && name ? h("a", { href: `#/${PLACES[kind]}/${encodeURIComponent(name)}` }, text) : text;
}

const shown = (value) => (value !== null && typeof value === "object" ? JSON.stringify(value) : String(value));

function change(entry) {
  const { second_key: _, ...what } = entry.change;
  const lines = Object.entries(what);
  if (!lines.length) return "";
  const said = lines.map(([name, value]) => `${name.replaceAll("_", " ")}: ${shown(value)}`).join("; ");
  return said.length < 120 ? said : h("details", {}, h("summary", {}, lines.map(([name]) => name.replaceAll("_", " ")).join(", ")), h("pre", {}, JSON.stringify(what, null, 2)));
}

function who(entry) {
  const said = [entry.operator, entry.key_name ?? L.command, entry.change.second_key && L.second(entry.change.second_key)];
  return said.filter(Boolean).join(", ");
}

const row = (entry) => h("tr", {},
  h("td", {}, moment(entry.at)), h("td", {}, who(entry)), h("th", { scope: "row" }, entry.action.replaceAll("_", " ")),
  h("td", {}, target(entry.target)), h("td", {}, change(entry)));

async function show({ root, query, signal }) {
  const asked = query.get("target") || "";
  const input = h("input", { id: "log-target", name: "target", type: "search", value: asked, autocomplete: "off", spellcheck: "false", "aria-describedby": "log-hint" });
  const form = h("form", { class: "filter", role: "search" },
    h("div", { class: "field" }, h("label", { for: "log-target" }, L.target), input, h("span", { class: "hint", id: "log-hint" }, L.target_hint)),
    h("button", { type: "submit" }, L.look));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = input.value.trim();
    location.hash = wanted ? `#/log?target=${encodeURIComponent(wanted)}` : "#/log";
  });
  const list = pagedList({
    path: "/ops/audit", params: asked ? { target: asked } : {}, heads: [L.at, L.who, L.action, L.of, L.change], row, none: L.none, label: L.title, signal,
  });
  fill(root, h("h1", {}, L.title), form, list.element);
  await list.load();
}

export const log = { path: "/log", menu: "log", title: () => L.title, show };
