// One order: its lines, money, parcels and history, and what can be done with it. Owns that view.

import { get } from "../api.js";
import { fill, h } from "../dom.js";
import { O } from "../order_texts.js";
import { head, scrolling } from "../paged.js";
import { moment, money, number, utc } from "../words.js";
import { actions, parcelActions } from "./order_actions.js";

const S = O.order;

const fact = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));

function payment(order) {
  const { status, next_action: action, paid_elsewhere: elsewhere, ...sums } = order.payment;
  const said = [["authorised", S.authorised], ["captured", S.captured], ["refunded", S.given_back]]
    .filter(([name]) => sums[name] !== undefined).map(([name, text]) => `${money(sums[name], order.currency)} ${text}`);
  return [S.payments[status], said.length ? `: ${said.join(", ")}` : "", action && h("span", { class: "hint" }, S.next_action),
    elsewhere && h("span", { class: "hint" }, S.paid_elsewhere)];
}

function facts(order) {
  return h("section", {}, h("dl", { class: "facts" },
    fact(O.state, h("span", { class: "order-state", "data-status": order.status }, O.orders.statuses[order.status]),
      order.reason && ` ${order.reason.replaceAll("_", " ")}`, order.status === "accepted" && h("span", { class: "hint" }, S.not_drained),
      order.reservation_expires_at && h("span", { class: "hint" }, S.held_until(moment(order.reservation_expires_at)))),
    order.refusal && fact(S.refusal, Object.entries(order.refusal).map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ")),
    fact(S.money, order.total === null ? "" : `${money(order.total, order.currency)}; `, payment(order)),
    fact(S.sale, h("a", { href: `#/sales/${encodeURIComponent(order.sale_id)}` }, order.sale_id)),
    fact(S.customer, h("a", { href: `#/orders?${new URLSearchParams({ customer: order.customer_id })}` }, order.customer_id)),
    fact(S.accepted, moment(order.accepted_at), " ", h("span", { class: "quiet" }, utc(order.accepted_at)))));
}

function lines(order) {
  const cell = (value) => h("td", { class: "n" }, value);
  const figures = [S.ordered, S.each, S.cancelled, S.shipped, S.refunded].map((text) => ({ text, n: true }));
  return h("section", {}, h("h2", {}, S.lines), scrolling(S.lines, head([S.line, S.product, ...figures]),
    h("tbody", {}, order.lines.map((line) => h("tr", {}, h("td", {}, line.line), h("th", { scope: "row" }, line.product_id), cell(number(line.quantity)),
      cell(line.unit_price === undefined ? "" : money(line.unit_price, order.currency)), cell(line.cancelled || ""), cell(line.shipped || ""), cell(line.refunded || ""))))));
}

const units = (some) => (some || []).map((one) => `${one.quantity} × ${S.line.toLowerCase()} ${one.line}`).join(", ");

function parcels(order, context) {
  const row = (one) => h("tr", {}, h("th", { scope: "row" }, moment(one.at)), h("td", {}, S.parcels[one.status]), h("td", {}, units(one.lines)),
    h("td", {}, [one.carrier, one.tracking].filter(Boolean).join(" ")), h("td", {}, parcelActions(order, one, context)));
  return h("section", {}, h("h2", {}, S.shipments), order.shipments.length
    ? scrolling(S.shipments, head([O.when, O.state, S.lines, S.tracking, { text: O.does, unseen: true }]), h("tbody", {}, order.shipments.map(row)))
    : h("p", { class: "quiet" }, S.no_shipments));
}

function refunds(order) {
  const row = (one) => h("tr", {}, h("th", { scope: "row" }, moment(one.at)), h("td", { class: "n" }, money(one.amount, order.currency)),
    h("td", {}, S.refund_states[one.status]), h("td", {}, units(one.lines)), h("td", {}, one.reason));
  return h("section", {}, h("h2", {}, S.refunds), order.refunds.length
    ? scrolling(S.refunds, head([O.when, { text: S.amount, n: true }, O.state, S.lines, O.why]), h("tbody", {}, order.refunds.map(row)))
    : h("p", { class: "quiet" }, S.no_refunds));
}

function history(order) {
  return h("section", {}, h("h2", {}, S.history), h("ol", {}, order.history.map((step) =>
    h("li", {}, h("strong", {}, O.orders.statuses[step.status]), " ", moment(step.at), " ", h("span", { class: "quiet" }, utc(step.at))))),
  h("p", {}, h("a", { href: `#/log?target=${encodeURIComponent(`order:${order.order_id}`)}` }, O.log.title)));
}

async function show(context) {
  const { root, params, signal, who } = context;
  const order = await get(`/ops/orders/${encodeURIComponent(params.order)}`, { signal });
  const again = async () => {
    if (signal.aborted) return;
    await show(context);
    root.querySelector("h1").focus();
  };
  fill(root,
    h("div", { class: "top" }, h("h1", { tabindex: "-1" }, O.orders.id), h("code", {}, order.order_id)),
    facts(order), who.role !== "view" && actions(order, { again }), lines(order), parcels(order, { again, mayAct: who.role !== "view" }), refunds(order), history(order));
}

export const order = { path: "/orders/:order", under: "orders", title: ({ order: id }) => `${O.orders.id} ${id.slice(0, 13)}`, show };
