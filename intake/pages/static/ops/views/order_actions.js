// What ops may do with one order: send, give back, cancel, move by hand. Owns the questions; the server decides.

import { minorUnits } from "../currencies.js";
import { askAndCall, field } from "../dialog.js";
import { h } from "../dom.js";
import { O } from "../order_texts.js";
import { money } from "../words.js";

const S = O.order;
const CANCELLABLE = new Set(["pending", "confirmed", "processing"]);
const SHIPPABLE = new Set(["confirmed", "processing", "shipped", "delivered"]);

const reasonField = () => field({ name: "reason", label: O.reason, hint: O.reason_hint, maxlength: "200", required: true });
const path = (order) => `/ops/orders/${order.order_id}`;
const short = (order) => order.order_id.slice(0, 13);

/** Units that have not left, and those of lost parcels, which can be sent again. */
function open(order, line) {
  const lost = order.shipments.filter((one) => one.status === "lost").flatMap((one) => one.lines).filter((one) => one.line === line.line);
  return Math.max(line.quantity - line.cancelled - line.shipped, 0) || lost.reduce((sum, one) => sum + one.quantity, 0);
}

const unitsField = (line, most, value, hint) => field({
  name: `units-${line.line}`, label: S.units_of(`${S.line.toLowerCase()} ${line.line}, ${line.product_id}`), hint, type: "number", min: "0", max: String(most), step: "1", value: String(value),
});

function unitsOf(lines, values) {
  return lines.map((line) => ({ line: line.line, quantity: Number(values[`units-${line.line}`] || 0) })).filter((one) => one.quantity);
}

function wrongUnits(lines, most, values) {
  for (const line of lines) {
    const asked = Number(values[`units-${line.line}`] || 0);
    if (!Number.isInteger(asked) || asked < 0 || asked > most(line)) return { [`units-${line.line}`]: S.out_of_range(most(line)) };
  }
  return null;
}

const given = (values, names) => Object.fromEntries(names.map((name) => [name, values[name]?.trim()]).filter(([, value]) => value));

async function ship(order, { again }) {
  const lines = order.lines.filter((line) => open(order, line));
  const most = (line) => open(order, line);
  const done = await askAndCall({
    title: S.ship_ask(short(order)),
    body: [
      h("p", {}, S.ship_means), ...lines.map((line) => unitsField(line, most(line), most(line), S.open_units(most(line)))),
      field({ name: "carrier", label: S.carrier, maxlength: "100", autocomplete: "off" }), field({ name: "tracking", label: S.tracking, maxlength: "200", autocomplete: "off" }),
    ],
    yes: S.ship_yes,
    check: (values) => wrongUnits(lines, most, values) || (unitsOf(lines, values).length ? null : { [`units-${lines[0].line}`]: S.none_chosen }),
    path: `${path(order)}/shipments`, send: (values) => ({ lines: unitsOf(lines, values), ...given(values, ["carrier", "tracking"]) }), told: S.ship_told,
  });
  if (done) again();
}

function refundable(order) {
  const given = order.refunds.filter((one) => one.status !== "failed").reduce((sum, one) => sum + one.amount, 0);
  return Math.max((order.payment.captured || 0) - given, 0);
}

async function refund(order, { again }) {
  const lines = order.lines.filter((line) => line.quantity - line.cancelled - line.refunded > 0);
  const most = (line) => line.quantity - line.cancelled - line.refunded;
  const key = crypto.randomUUID();
  const amountOf = (values) => (values.amount.trim() ? minorUnits(values.amount.trim(), order.currency) : undefined);
  const done = await askAndCall({
    title: S.refund_ask(short(order)),
    body: [
      h("p", {}, S.refund_means(money(refundable(order), order.currency))),
      field({ name: "amount", label: S.refund_amount(order.currency), hint: S.refund_amount_hint, inputmode: "decimal", autocomplete: "off" }),
      ...lines.map((line) => unitsField(line, most(line), 0, S.refund_units(most(line)))),
      h("p", { class: "field" }, h("label", {}, h("input", { type: "checkbox", name: "restock" }), S.restock)),
      reasonField(),
    ],
    yes: S.refund_yes, isGrave: true,
    check: (values) => {
      if (!values.reason.trim()) return { reason: O.reason_missing };
      if (amountOf(values) === null) return { amount: S.not_an_amount };
      return wrongUnits(lines, most, values) || (amountOf(values) || unitsOf(lines, values).length ? null : { amount: S.nothing_to_refund });
    },
    path: `${path(order)}/refunds`, headers: { "Idempotency-Key": key }, told: S.refund_told,
    send: (values) => {
      const some = unitsOf(lines, values).map((one) => ({ ...one, restock: Boolean(values.restock) }));
      const amount = amountOf(values);
      return { reason: values.reason.trim(), ...(some.length ? { lines: some } : {}), ...(amount ? { amount } : {}) };
    },
  });
  if (done) again();
}

async function cancel(order, { again }) {
  const done = await askAndCall({
    title: S.cancel_ask(short(order)), body: [h("p", {}, S.cancel_means), reasonField()], yes: S.cancel_yes, isGrave: true,
    check: (values) => (values.reason.trim() ? null : { reason: O.reason_missing }),
    path: `${path(order)}/transitions`, send: (values) => ({ to: "cancelled", reason: values.reason.trim() }), told: S.cancel_told,
  });
  if (done) again();
}

async function move(to, order, { again }) {
  const done = await askAndCall({
    title: S.move_ask[to](short(order)), body: [h("p", {}, S.move_means[to]), reasonField()], yes: S.move[to],
    path: `${path(order)}/transitions`, send: (values) => ({ to, ...given(values, ["reason"]) }), told: S.move_told[to],
  });
  if (done) again();
}

const MOVES = { pending: "confirmed", confirmed: "processing" };

/** The buttons for an order as it is now. */
export function actions(order, context) {
  const button = (label, run, isGrave = false) => h("button", { type: "button", class: isGrave ? "danger" : null, onclick: () => run(order, context) }, label);
  const next = MOVES[order.status];
  const made = [
    SHIPPABLE.has(order.status) && order.lines.some((line) => open(order, line)) && button(S.ship, ship),
    next && button(S.move[next], (one, more) => move(next, one, more)),
    refundable(order) > 0 && button(S.refund, refund),
    CANCELLABLE.has(order.status) && button(S.cancel, cancel, true),
  ].filter(Boolean);
  return made.length ? h("section", { "aria-labelledby": "order-does" }, h("h2", { id: "order-does" }, O.does), h("div", { class: "buttons" }, made)) : null;
}

/** The buttons of a parcel. */
export function parcelActions(order, parcel, { again, mayAct }) {
  if (!mayAct || parcel.status !== "shipped") return null;
  const mark = async (status) => {
    const done = await askAndCall({
      title: S.parcel_ask[status], body: [reasonField()], yes: S[status], method: "PATCH",
      path: `${path(order)}/shipments/${parcel.shipment_id}`, send: (values) => ({ status, ...given(values, ["reason"]) }), told: S.parcel_told[status],
    });
    if (done) again();
  };
  return h("div", { class: "buttons" }, ["delivered", "lost"].map((status) =>
    h("button", { type: "button", class: "plain", onclick: () => mark(status) }, S[status])));
}
