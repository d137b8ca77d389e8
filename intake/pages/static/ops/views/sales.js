// All sales and how each stands. Owns that list.

import { fill, h } from "../dom.js";
import { paged } from "../paged.js";
import { T } from "../texts.js";
import { moment, number } from "../words.js";

const S = T.sales;

const row = (sale) => {
  const id = encodeURIComponent(sale.sale_id);
  return h("tr", {},
    h("th", { scope: "row" }, h("a", { href: `#/sales/${id}` }, sale.name || sale.sale_id), sale.name && h("code", {}, sale.sale_id)),
    h("td", {}, h("span", { class: "phase", "data-phase": sale.effective_phase }, T.phases[sale.effective_phase])),
    h("td", {}, moment(sale.starts_at)),
    h("td", {}, sale.ends_at ? moment(sale.ends_at) : S.open_end),
    h("td", { class: "n" }, number(sale.products.length)),
    h("td", {}, S.modes[sale.room.mode || "off"]),
    h("td", {}, h("a", { href: `#/live/${id}`, "aria-label": S.live_of(sale.sale_id) }, T.menu.live)));
};

async function show({ root, signal, who }) {
  const place = h("div");
  fill(root, h("div", { class: "top" }, h("h1", {}, S.title), who.role !== "view" && h("a", { class: "button", href: "#/sales/new" }, S.make)), place);
  await paged({
    place, label: S.title, path: "/ops/sales", row, none: T.live.no_sale, signal,
    columns: [S.name, S.phase, S.starts, S.ends, { text: S.products, n: true }, S.room, { text: T.menu.live, unseen: true }],
  });
}

export const sales = { path: "/sales", menu: "sales", title: () => S.title, show };
