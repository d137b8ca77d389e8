// All sales and how each stands. Owns that list.

import { get } from "../api.js";
import { fill, h } from "../dom.js";
import { trouble } from "../router.js";
import { T } from "../texts.js";
import { moment, number } from "../words.js";

const S = T.sales;
const PAGE = 50;

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
  const body = h("tbody");
  const more = h("button", { type: "button", hidden: true }, S.more);
  const none = h("p", { class: "quiet", hidden: true }, T.live.no_sale);
  const problem = h("div");
  const table = h("div", { class: "scroll" }, h("table", { class: "sales" },
    h("thead", {}, h("tr", {}, [S.name, S.phase, S.starts, S.ends].map((text) => h("th", { scope: "col" }, text)),
      h("th", { scope: "col", class: "n" }, S.products), h("th", { scope: "col" }, S.room), h("th", { scope: "col" }, h("span", { class: "unseen" }, T.menu.live)))),
    body));
  fill(root, h("div", { class: "top" }, h("h1", {}, S.title), who.role !== "view" && h("a", { class: "button", href: "#/sales/new" }, S.make)),
    problem, table, none, more);
  let cursor = null;
  async function load() {
    more.disabled = true;
    try {
      const page = await get(`/ops/sales?limit=${PAGE}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`, { signal });
      fill(problem);
      body.append(...page.items.map(row));
      cursor = page.next_cursor;
      more.hidden = !cursor;
      none.hidden = body.children.length > 0;
      table.hidden = !none.hidden;
    } catch (error) {
      if (signal.aborted) return;
      fill(problem, trouble(error, load));
    } finally {
      more.disabled = false;
    }
  }
  more.addEventListener("click", load);
  await load();
}

export const sales = { path: "/sales", menu: "sales", title: () => S.title, show };
