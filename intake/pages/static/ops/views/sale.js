// One sale: what it is, what can be changed of it; and a new one. Owns these two views.

import { call, get } from "../api.js";
import { ask, field } from "../dialog.js";
import { announce, fill, h } from "../dom.js";
import { momentField, momentOf } from "../moments.js";
import { T } from "../texts.js";
import { moment, money, number, seconds, utc } from "../words.js";
import { MANY, knownProducts } from "./products.js";
import { reportLink } from "./pick.js";
import { SaleForm } from "./sale_form.js";

const S = T.sales;

const fact = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
const when = (at) => [h("span", {}, moment(at)), " ", h("span", { class: "quiet" }, utc(at))];

function facts(sale) {
  const room = Object.entries(sale.room).filter(([name]) => name !== "mode" && name !== "access_codes")
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${typeof value === "object" ? JSON.stringify(value) : value}`).join("; ");
  return h("dl", { class: "facts" },
    fact(S.phase, h("span", { class: "phase", "data-phase": sale.effective_phase }, T.phases[sale.effective_phase]), " ", T.phase_words[sale.effective_phase]),
    fact(S.starts, when(sale.starts_at)),
    fact(S.ends, sale.ends_at ? when(sale.ends_at) : S.open_end),
    fact(S.room, S.modes[sale.room.mode || "off"], room ? `: ${room}` : ""),
    fact(S.payment, T.sale_form.payments[sale.payment], `; ${S.hold(seconds(sale.hold_s))}`),
    fact(S.partitions, number(sale.partitions)));
}

function products(sale, known) {
  const cell = (value) => h("td", { class: "n" }, value);
  const rows = sale.products.slice(0, MANY).map((one) => {
    const product = known.get(one.product_id);
    const limits = Object.entries(one.limits || {}).map(([by, units]) => `${units} a ${by}`).join(", ");
    return h("tr", {},
      h("th", { scope: "row" }, product?.name || one.product_id, " ", h("code", {}, one.product_id)),
      cell(one.price === null ? (product ? money(product.price, product.currency) : S.own_price) : product ? money(one.price, product.currency) : number(one.price)),
      cell(one.quantity === null ? S.all_of_it : number(one.quantity)), h("td", {}, limits || T.none),
      cell(product?.stock ? number(product.stock.stock) : "0"));
  });
  const head = (text, isNumber) => h("th", { scope: "col", class: isNumber ? "n" : null }, text);
  return h("section", {}, h("h2", {}, S.products),
    h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": S.products }, h("table", {},
      h("thead", {}, h("tr", {}, head(T.live.product), head(S.price, true), head(S.allotment, true), head(S.limits), head(S.in_stock, true))), h("tbody", {}, rows))),
    sale.products.length > MANY && h("p", { class: "hint" }, T.live.more_products(number(sale.products.length - MANY))));
}

async function showOne({ root, params, signal, who }) {
  const path = `/ops/sales/${encodeURIComponent(params.sale)}`;
  const sale = await get(path, { signal });
  const known = await knownProducts(sale.products.slice(0, MANY), signal);
  const id = encodeURIComponent(sale.sale_id);
  const isOver = sale.phase === "closed";
  const again = () => showOne({ root, params, signal, who });
  const change = h("div");
  const open = h("button", { type: "button", onclick: () => edit() }, S.change);
  function edit() {
    open.hidden = true;
    const form = new SaleForm(sale, known, {
      signal,
      yes: S.save,
      onSent: async (body) => {
        if (!(await saved(path, body))) return;
        announce(S.changed(sale.sale_id));
        await again();
        root.querySelector("h1").focus();
      },
    });
    fill(change, h("section", {}, h("h2", { tabindex: "-1" }, S.change_title), h("p", { class: "quiet" }, S.change_hint), form.form));
    change.querySelector("h2").focus();
  }
  fill(root,
    h("div", { class: "top" }, h("h1", { tabindex: "-1" }, sale.name || sale.sale_id), h("code", {}, sale.sale_id), h("p", { class: "links" },
      h("a", { href: `#/live/${id}` }, T.menu.live), h("a", { href: `#/floor/${id}` }, T.menu.floor), h("a", { href: `#/log?target=${encodeURIComponent(`sale:${sale.sale_id}`)}` }, S.log_of), reportLink(sale.sale_id))),
    h("section", {}, facts(sale)),
    products(sale, known),
    plan(sale),
    who.role !== "view" && h("div", { class: "buttons" }, !isOver && open, h("button", { type: "button", onclick: () => clone(sale) }, S.clone)), change);
}

// What ends a sale, or plans its end, may take the key of a second person: then it is asked for, and sent once more.
async function saved(path, body) {
  try {
    await call("PATCH", path, { body });
    return true;
  } catch (error) {
    if (error.code !== "second_key_required") throw error;
    return (await ask({
      title: S.second_title, body: [h("p", {}, S.second_means)], yes: S.save, secondKey: true,
      run: (_, headers) => call("PATCH", path, { body, headers }),
    })) !== null;
  }
}

async function clone(sale) {
  const done = await ask({
    title: S.clone_title(sale.sale_id),
    body: [
      h("p", {}, S.clone_means),
      field({ name: "sale_id", label: T.sale_form.id, hint: T.sale_form.id_hint, maxlength: "64", autocomplete: "off", spellcheck: "false" }),
      field({ name: "name", label: T.sale_form.name, hint: S.clone_name, maxlength: "500", autocomplete: "off" }),
      momentField({ name: "starts_at", label: T.sale_form.starts, hint: S.clone_starts }),
      momentField({ name: "ends_at", label: T.sale_form.ends, hint: S.clone_ends }),
    ],
    yes: S.clone_yes,
    run: (values) => {
      const { sale_id, name } = values;
      const body = { sale_id: sale_id.trim(), name: name.trim() || null, starts_at: momentOf(values.starts_at), ends_at: momentOf(values.ends_at) };
      const given = Object.fromEntries(Object.entries(body).filter(([, one]) => one !== null));
      return call("POST", `/ops/sales/${encodeURIComponent(sale.sale_id)}/clone`, { body: given });
    },
  });
  if (done) location.hash = `#/sales/${encodeURIComponent(done.result.sale_id)}`;
}

function plan(sale) {
  if (!sale.timeline?.length && !sale.prewarm) return null;
  const entries = (sale.timeline || []).map((one) => h("li", {}, h("strong", {}, moment(one.at)), " ", [
    one.phase && T.phases[one.phase], ...Object.entries(one.room || {}).map(([name, value]) => `${name.replaceAll("_", " ")} ${value === null ? S.the_default : value}`),
  ].filter(Boolean).join("; ")));
  return h("section", {}, h("h2", {}, S.plan),
    entries.length ? h("ol", {}, entries) : h("p", { class: "quiet" }, S.no_timeline),
    sale.prewarm && h("p", {}, S.prewarm(seconds(sale.prewarm.lead_s)), sale.prewarm.scale ? ` ${S.scale(sale.prewarm.scale)}` : ""));
}

async function showNew({ root, signal, who }) {
  if (who.role === "view") return void fill(root, h("h1", {}, S.make), h("p", { class: "notice" }, T.problems.role_required));
  const form = new SaleForm(null, new Map(), {
    signal,
    yes: S.make,
    onSent: async (body) => {
      const made = await call("POST", "/ops/sales", { body });
      announce(S.made(made.sale_id));
      location.hash = `#/sales/${encodeURIComponent(made.sale_id)}`;
    },
  });
  fill(root, h("h1", {}, S.make), form.form);
}

export const newSale = { path: "/sales/new", under: "sales", title: () => S.make, show: showNew };
export const sale = { path: "/sales/:sale", under: "sales", title: ({ sale: id }) => id, show: showOne };
