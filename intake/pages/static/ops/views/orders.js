// Orders: the list with its search. Owns that view.

import { field } from "../dialog.js";
import { fill, h } from "../dom.js";
import { momentField, momentOf } from "../moments.js";
import { O } from "../order_texts.js";
import { filters, paged } from "../paged.js";
import { moment, money } from "../words.js";

const S = O.orders;
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const row = (order) => h("tr", {},
  h("th", { scope: "row" }, h("a", { href: `#/orders/${order.order_id}` }, h("code", {}, order.order_id))),
  h("td", {}, h("span", { class: "order-state", "data-status": order.status }, S.statuses[order.status]), order.reason && h("span", { class: "hint" }, order.reason.replaceAll("_", " "))),
  h("td", {}, order.customer_id), h("td", {}, h("a", { href: `#/sales/${encodeURIComponent(order.sale_id)}` }, order.sale_id)),
  h("td", { class: "n" }, money(order.total, order.currency)), h("td", {}, moment(order.accepted_at)), h("td", {}, moment(order.updated_at)));

/** The parameters of the list for what stands in the address; moments were typed in one's own zone. */
function asked(query) {
  const wanted = new URLSearchParams();
  for (const name of ["sale", "customer", "status", "reason"]) if (query.get(name)) wanted.set(name, query.get(name));
  for (const name of ["from", "to"]) if (momentOf(query.get(name))) wanted.set(name, momentOf(query.get(name)));
  return wanted.size ? `/ops/orders?${wanted}` : "/ops/orders";
}

async function show({ root, query, signal }) {
  const id = (query.get("order") || "").toLowerCase();
  if (ID.test(id)) return void location.replace(`#/orders/${id}`);
  const text = (name, label, more = {}) => field({ name, label, value: query.get(name) || "", autocomplete: "off", spellcheck: "false", ...more });
  const place = h("div");
  fill(root, h("h1", {}, S.title),
    filters("/orders", [
      text("order", S.id, { hint: id ? S.not_an_id : S.id_hint }), text("sale", S.sale), text("customer", S.customer),
      field({ name: "status", label: S.status, value: query.get("status") || "", options: [["", S.any], ...Object.entries(S.statuses).filter(([name]) => name !== "accepted")] }),
      text("reason", S.why_filter),
      momentField({ name: "from", label: S.from, value: momentOf(query.get("from")) }), momentField({ name: "to", label: S.to, value: momentOf(query.get("to")) }),
    ], O),
    place);
  await paged({
    place, label: S.title, path: asked(query), row, none: S.none, signal,
    columns: [S.id, S.status, S.customer, S.sale, { text: S.total, n: true }, S.accepted, S.changed],
  });
}

export const orders = { path: "/orders", menu: "orders", title: () => S.title, show };
