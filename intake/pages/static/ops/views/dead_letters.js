// Dead letters: what could not be done and waits for a person. Owns the list and the view of one.

import { get } from "../api.js";
import { askAndCall, field } from "../dialog.js";
import { fill, h } from "../dom.js";
import { O } from "../order_texts.js";
import { filters, paged } from "../paged.js";
import { moment, number, utc } from "../words.js";

const S = O.letters;
const hrefOf = (letter) => `#/dead-letters/${encodeURIComponent(letter.dead_letter_id)}`;
const aboutOf = (letter) => letter.order_id || letter.event_id || letter.url || letter.entry_id || "";

const row = (letter) => h("tr", {},
  h("th", { scope: "row" }, h("a", { href: hrefOf(letter) }, String(letter.dead_letter_id))), h("td", {}, S.kinds[letter.kind]),
  h("td", {}, h("span", { class: letter.state === "open" ? "warn" : null }, S.states[letter.state])), h("td", {}, h("code", {}, aboutOf(letter))),
  h("td", {}, letter.reason.replaceAll("_", " ")), h("td", { class: "n" }, number(letter.failures)), h("td", {}, moment(letter.failed_at)));

async function show({ root, query, signal }) {
  const choice = (name, label, texts, value) => field({ name, label, value, options: [["", S.any], ...Object.entries(texts)] });
  const kind = query.get("kind") || "";
  const state = query.has("state") || query.has("kind") ? query.get("state") || "" : "open";
  const wanted = new URLSearchParams([["kind", kind], ["state", state]].filter(([, value]) => value));
  const place = h("div");
  fill(root, h("h1", {}, S.title), h("p", { class: "quiet" }, S.about),
    filters("/dead-letters", [choice("kind", O.kind, S.kinds, kind), choice("state", O.state, S.states, state)], O), place);
  await paged({
    place, label: S.title, path: `/ops/dead-letters?${wanted}`, row, none: S.none, signal,
    columns: [S.title, O.kind, O.state, S.about_what, O.why, { text: S.failures, n: true }, S.last],
  });
}

export const deadLetters = { path: "/dead-letters", menu: "dead_letters", title: () => S.title, show };

function buttons(letter, again) {
  const path = `/ops/dead-letters/${encodeURIComponent(letter.dead_letter_id)}`;
  const retry = async () => (await askAndCall({
    title: S.retry_ask(letter.dead_letter_id), body: [h("p", {}, S.retry_means)], yes: S.retry, path: `${path}/retry`, told: S.retry_told,
  })) && again();
  const discard = async () => (await askAndCall({
    title: S.discard_ask(letter.dead_letter_id), yes: S.discard, isGrave: true, path: `${path}/discard`, told: S.discard_told,
    body: [h("p", {}, S.discard_means), field({ name: "reason", label: O.reason, hint: O.reason_hint, maxlength: "200", required: true })],
    check: (values) => (values.reason.trim() ? null : { reason: O.reason_missing }), send: (values) => ({ reason: values.reason.trim() }),
  })) && again();
  return h("div", { class: "buttons" }, h("button", { type: "button", class: "main", onclick: retry }, S.retry),
    h("button", { type: "button", class: "danger", onclick: discard }, S.discard));
}

async function showOne(context) {
  const { root, params, signal, who } = context;
  const letter = await get(`/ops/dead-letters/${encodeURIComponent(params.letter)}`, { signal });
  const again = async () => {
    if (signal.aborted) return;
    await showOne(context);
    root.querySelector("h1").focus();
  };
  const fact = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  const when = (at) => [moment(at), " ", h("span", { class: "quiet" }, utc(at))];
  fill(root,
    h("div", { class: "top" }, h("h1", { tabindex: "-1" }, `${S.title}: ${letter.dead_letter_id}`), h("p", { class: "links" }, h("a", { href: "#/dead-letters" }, S.to_list))),
    h("section", {}, h("dl", { class: "facts" },
      fact(O.kind, S.kinds[letter.kind]), fact(O.state, S.states[letter.state], letter.discard_reason ? `: ${letter.discard_reason}` : ""),
      fact(O.why, letter.reason.replaceAll("_", " ")), fact(O.detail, letter.detail),
      letter.order_id && fact(O.orders.id, h("a", { href: `#/orders/${letter.order_id}` }, h("code", {}, letter.order_id))),
      letter.sale_id && fact(O.orders.sale, h("a", { href: `#/sales/${encodeURIComponent(letter.sale_id)}` }, letter.sale_id)),
      letter.url && fact(O.webhooks.url, letter.url), letter.event_id && fact(O.webhooks.event, `${letter.type} ${letter.event_id}`),
      fact(S.failures, number(letter.failures)), fact(S.since, when(letter.created_at)), fact(S.last, when(letter.failed_at)))),
    letter.payload && h("section", {}, h("h2", {}, S.payload), h("pre", { class: "scroll", tabindex: "0" }, JSON.stringify(letter.payload, null, 2))),
    who.role !== "view" && letter.state === "open" && buttons(letter, again));
}

export const deadLetter = { path: "/dead-letters/:letter", under: "dead_letters", title: ({ letter }) => `${S.title}: ${letter}`, show: showOne };
