// The change log: what ops changed, and who. Owns that view.

import { field } from "../dialog.js";
import { fill, h } from "../dom.js";
import { O } from "../order_texts.js";
import { filters, paged } from "../paged.js";
import { moment, utc } from "../words.js";

const S = O.log;
const PLACES = { sale: "sales", order: "orders", dead_letter: "dead-letters", loss: "losses" };

function target(text) {
  const [kind, ...rest] = text.split(":");
  const id = rest.join(":");
  return PLACES[kind] && id ? h("a", { href: `#/${PLACES[kind]}/${encodeURIComponent(id)}` }, text) : text;
}

const value = (one) => (one !== null && typeof one === "object" ? JSON.stringify(one) : String(one));

const row = (entry) => h("tr", {},
  h("th", { scope: "row" }, moment(entry.at), h("span", { class: "hint" }, utc(entry.at))), h("td", {}, entry.action.replaceAll("_", " ")), h("td", {}, target(entry.target)),
  h("td", {}, h("ul", { class: "lines" }, Object.entries(entry.change).map(([name, one]) => h("li", {}, `${name.replaceAll("_", " ")}: ${value(one)}`)))),
  h("td", {}, entry.operator, h("span", { class: "hint" }, entry.key_name ? S.by_key(entry.key_name) : S.by_command)));

async function show({ root, query, signal }) {
  const wanted = query.get("target") || "";
  const place = h("div");
  fill(root, h("h1", {}, S.title), h("p", { class: "quiet" }, S.about),
    filters("/log", [field({ name: "target", label: S.target, hint: S.target_hint, value: wanted, autocomplete: "off", spellcheck: "false" })], O), place);
  await paged({
    place, label: S.title, path: wanted ? `/ops/audit?${new URLSearchParams({ target: wanted })}` : "/ops/audit", row, none: S.none, signal,
    columns: [O.when, S.action, S.target, S.change, S.who],
  });
}

export const log = { path: "/log", menu: "log", title: () => S.title, show };
