// Lists of the API, page by page, as tables. Owns how more is fetched, and what stands there when there is nothing.

import { get } from "./api.js";
import { announce, fill, h } from "./dom.js";
import { trouble } from "./router.js";
import { T } from "./texts.js";

const PAGE = 50;

/** A table of a list: `heads` are texts, or `{text, isNumber}`; `row` makes one of an item. `load` fetches what comes next. */
export function pagedList({ path, params = {}, heads, row, none, label, signal }) {
  const body = h("tbody");
  const more = h("button", { type: "button", hidden: true }, T.lists.more);
  const nothing = h("p", { class: "quiet", hidden: true }, none);
  const problem = h("div");
  const head = (one) => (typeof one === "string" ? h("th", { scope: "col" }, one) : h("th", { scope: "col", class: one.isNumber ? "n" : null }, one.text));
  const table = h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": label, hidden: true },
    h("table", {}, h("thead", {}, h("tr", {}, heads.map(head))), body));
  let cursor = null;

  async function load() {
    more.disabled = true;
    const asked = new URLSearchParams({ ...params, limit: String(PAGE), ...(cursor ? { cursor } : {}) });
    try {
      const page = await get(`${path}?${asked}`, { signal });
      const isMore = cursor !== null;
      fill(problem);
      body.append(...page.items.map(row));
      cursor = page.next_cursor ?? null;
      more.hidden = cursor === null;
      nothing.hidden = body.children.length > 0;
      table.hidden = !nothing.hidden;
      if (isMore) announce(T.lists.added(page.items.length));
    } catch (error) {
      if (!signal.aborted) fill(problem, trouble(error, load));
    } finally {
      more.disabled = false;
    }
  }

  more.addEventListener("click", load);
  return { element: h("div", {}, problem, table, nothing, more), load };
}
