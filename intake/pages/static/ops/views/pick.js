// Which sale is looked at: the one that goes on, unless one is named. Owns that choice.

import { get } from "../api.js";
import { h } from "../dom.js";
import { T } from "../texts.js";

const RANK = { open: 0, hold: 0, drain: 1, scheduled: 2, ended: 3, closed: 4 };

/** Return the sales, the ones that matter now first, and the one to show. */
export async function pickSale(named, signal) {
  const { items } = await get("/ops/sales?limit=100", { signal });
  const near = (sale) => Math.abs(Date.parse(sale.starts_at) - Date.now());
  const sales = items.sort((one, other) => RANK[one.effective_phase] - RANK[other.effective_phase] || near(one) - near(other));
  return { sales, sale: named ?? sales[0]?.sale_id ?? null };
}

/** A list to choose another sale from. */
export function salePicker(view, sale, sales) {
  const ids = sales.some((one) => one.sale_id === sale) ? sales : [{ sale_id: sale, effective_phase: null }, ...sales];
  return h("label", { class: "picker" }, h("span", {}, T.live.pick), " ",
    h("select", { onchange: (event) => (location.hash = `#/${view}/${encodeURIComponent(event.target.value)}`) },
      ids.map((one) => h("option", { value: one.sale_id, selected: one.sale_id === sale },
        one.effective_phase ? `${one.sale_id} (${T.phases[one.effective_phase].toLowerCase()})` : one.sale_id))));
}

/** The way to a sale's report, or to what it would be now while there is none. */
export const reportLink = (sale) => h("a", { href: `/ops/sales/${encodeURIComponent(sale)}/report?preview=true` }, T.live.report);
