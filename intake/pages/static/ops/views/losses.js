// Losses: times that the order store came back without its end. Owns the list and the view of one; what is lost others find.

import { get } from "../api.js";
import { askAndCall, field } from "../dialog.js";
import { fill, h } from "../dom.js";
import { O } from "../order_texts.js";
import { filters, head, paged, scrolling } from "../paged.js";
import { moment, number, utc } from "../words.js";

const S = O.losses;
const pathOf = (id) => `/ops/losses/${encodeURIComponent(id)}`;
const stateOf = (loss) => h("span", { class: loss.state === "open" ? "warn" : null }, S.states[loss.state]);
const moreOf = (loss) => h("span", { class: loss.is_unknown && loss.state === "open" ? "warn" : null }, loss.is_unknown ? S.perhaps : S.no);
const heardOf = (loss) => S.heard_of(number(loss.intakes_heard), number(loss.intakes_asked));

const row = (loss) => h("tr", {},
  h("th", { scope: "row" }, h("a", { href: `#/losses/${loss.loss_id}` }, S.of(loss.loss_id))), h("td", {}, stateOf(loss)), h("td", {}, loss.sale_id),
  h("td", { class: "n" }, number(loss.partition)), h("td", {}, moment(loss.at)), h("td", { class: "n" }, number(loss.lost_orders)), h("td", {}, moreOf(loss)),
  h("td", {}, heardOf(loss)), h("td", {}, loss.acknowledged_by === null ? S.nobody : loss.acknowledged_by));

async function show({ root, query, signal }) {
  const state = query.has("state") || query.has("sale") ? query.get("state") || "all" : "open";
  const sale = query.get("sale") || "";
  const wanted = new URLSearchParams([["state", state], ["sale", sale]].filter(([, value]) => value));
  const place = h("div");
  fill(root, h("h1", {}, S.title), h("p", { class: "quiet" }, S.about, " ", h("a", { href: "#/runbook/promisebroken" }, S.how)),
    filters("/losses", [
      field({ name: "state", label: O.state, value: state, options: [["all", S.any], ...Object.entries(S.states)] }),
      field({ name: "sale", label: O.orders.sale, value: sale, maxlength: "64", spellcheck: "false", autocomplete: "off" }),
    ], { ...O, all: S.only_open }), place);
  await paged({
    place, label: S.title, path: `/ops/losses?${wanted}`, row, none: state === "open" && !sale ? S.none : S.none_such, signal,
    columns: [S.title, O.state, O.orders.sale, { text: S.partition, n: true }, S.at, { text: S.orders, n: true }, S.more, S.heard, S.known_to],
  });
}

export const losses = { path: "/losses", menu: "losses", title: () => S.title, show };

function acknowledging(loss, again) {
  const acknowledge = async () => (await askAndCall({
    title: S.acknowledge_ask(loss.loss_id), yes: S.acknowledge, isGrave: true, path: `${pathOf(loss.loss_id)}/acknowledge`, told: S.acknowledge_told,
    body: [h("p", {}, S.acknowledge_means(loss.lost_orders, loss.is_unknown)), field({ name: "reason", label: O.reason, hint: S.reason_hint, maxlength: "200", required: true })],
    check: (values) => (values.reason.trim() ? null : { reason: O.reason_missing }), send: (values) => ({ reason: values.reason.trim() }),
  })) && again();
  return h("div", { class: "buttons" }, h("button", { type: "button", class: "danger", onclick: acknowledge }, S.acknowledge));
}

function lostOrders(loss) {
  const all = loss.lost_orders;
  const shown = loss.order_ids.length;
  return h("section", {}, h("h2", {}, S.lost),
    all ? [h("p", {}, S.lost_means), shown < all && h("p", { class: "quiet" }, S.lost_first(number(shown), number(all))),
      h("ul", { class: "lines" }, loss.order_ids.map((id) => h("li", {}, h("code", {}, id))))] : h("p", { class: "quiet" }, S.lost_none));
}

function intakes(loss, when) {
  const asked = loss.intakes;
  const rows = asked.map((one) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, one.intake_id)),
    h("td", {}, one.said_at === null ? h("span", { class: "warn" }, S.silent) : when(one.said_at)),
    h("td", {}, one.seen_at === null ? S.seen_unknown : when(one.seen_at))));
  return h("section", {}, h("h2", {}, S.intakes),
    asked.length < loss.intakes_asked && h("p", { class: "quiet" }, S.intakes_first(number(asked.length), number(loss.intakes_asked))),
    asked.length ? scrolling(S.intakes, head([S.intake, S.said, S.seen]), h("tbody", {}, rows)) : h("p", { class: "quiet" }, S.intakes_none));
}

async function showOne(context) {
  const { root, params, signal, who } = context;
  const loss = await get(pathOf(params.loss), { signal });
  const again = async () => {
    if (signal.aborted) return;
    await showOne(context);
    root.querySelector("h1").focus();
  };
  const fact = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  const when = (at) => [moment(at), " ", h("span", { class: "quiet" }, utc(at))];
  const counted = (count, means) => [number(count), count ? h("span", { class: "quiet" }, ` ${means}`) : ""];
  const isOpen = loss.state === "open";
  fill(root,
    h("div", { class: "top" }, h("h1", { tabindex: "-1" }, S.of(loss.loss_id)), h("p", { class: "links" }, h("a", { href: "#/losses" }, S.to_list),
      h("a", { href: "#/runbook/promisebroken" }, S.how), h("a", { href: `#/log?target=${encodeURIComponent(`loss:${loss.loss_id}`)}` }, O.log.title))),
    h("section", {}, h("dl", { class: "facts" },
      fact(O.state, stateOf(loss)),
      loss.acknowledged_at !== null && fact(S.acknowledged, when(loss.acknowledged_at), " ", S.acknowledged_by(loss.acknowledged_by, loss.acknowledge_reason)),
      fact(O.orders.sale, h("a", { href: `#/sales/${encodeURIComponent(loss.sale_id)}` }, loss.sale_id)), fact(S.partition, number(loss.partition)),
      fact(S.at, when(loss.at)), fact(S.by, S.found_by[loss.found_by]), fact(S.orders, number(loss.lost_orders)), fact(S.more, moreOf(loss)),
      fact(S.heard, heardOf(loss)), fact(S.history, h("code", {}, loss.history_to)), fact(S.drained, h("code", {}, loss.drained_to)),
      fact(S.missing, counted(loss.missing, S.missing_means)), fact(S.strays, counted(loss.strays, S.strays_means)))),
    lostOrders(loss), intakes(loss, when),
    isOpen && (who.role === "admin" ? acknowledging(loss, again) : h("p", { class: "quiet" }, S.admin_only)));
}

export const loss = { path: "/losses/:loss", under: "losses", title: ({ loss: id }) => S.of(id), show: showOne };
