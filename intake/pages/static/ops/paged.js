// A list that comes a page at a time. Owns the table, its "more" and what is said when nothing is there.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { trouble } from "./router.js";
import { T } from "./texts.js";

/** The table's head; a column is its words, or {text, n: true} for figures, or {text, unseen: true}. */
export function head(columns) {
  return h("thead", {}, h("tr", {}, columns.map((one) => {
    const column = typeof one === "string" ? { text: one } : one;
    return h("th", { scope: "col", class: column.n ? "n" : null }, column.unseen ? h("span", { class: "unseen" }, column.text) : column.text);
  })));
}

/** A table that a finger can push aside and a keyboard can reach. */
export function scrolling(label, ...children) {
  return h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": label }, h("table", {}, children));
}

/**
 * Show a list in `place`: `path` with its parameters, `row` makes a row of an item. Resolves when the first page stands.
 */
export async function paged({ place, label, columns, path, row, none, signal, size = 50 }) {
  const body = h("tbody");
  const table = scrolling(label, head(columns), body);
  const empty = h("p", { class: "quiet", hidden: true }, none);
  const more = h("button", { type: "button", hidden: true }, T.sales.more);
  const problem = h("div");
  let cursor = null;
  async function load() {
    more.disabled = true;
    try {
      const url = new URL(path, location.href);
      url.searchParams.set("limit", String(size));
      if (cursor) url.searchParams.set("cursor", cursor);
      const page = await get(url.pathname + url.search, { signal });
      fill(problem);
      const made = page.items.map(row);
      body.append(...made);
      if (cursor) made[0]?.querySelector("a, button")?.focus();
      cursor = page.next_cursor;
      more.hidden = !cursor;
      empty.hidden = body.children.length > 0;
      table.hidden = !empty.hidden;
    } catch (error) {
      if (signal.aborted) return;
      fill(problem, trouble(error, load));
    } finally {
      more.disabled = false;
    }
  }
  more.addEventListener("click", load);
  fill(place, problem, table, empty, more);
  table.hidden = true;
  await load();
}

/** A form of filters: `fields` as `field` makes them; what is chosen goes into the address, so that it can be shared. */
export function filters(path, fields, texts) {
  const form = h("form", { class: "card fields", role: "search", novalidate: true }, fields,
    h("div", { class: "buttons" }, h("button", { type: "submit", class: "main" }, texts.search),
      h("a", { class: "button", href: `#${path}` }, texts.all)));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = new URLSearchParams([...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value));
    const wanted = `#${path}${chosen.size ? `?${chosen}` : ""}`;
    if (location.hash === wanted) dispatchEvent(new HashChangeEvent("hashchange"));
    else location.hash = wanted;
  });
  return form;
}
