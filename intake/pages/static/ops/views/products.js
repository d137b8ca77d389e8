// Which products a sale has: found in the catalogue, each with its terms. Owns that part of the form.

import { get } from "../api.js";
import { majorUnits, minorUnits } from "../currencies.js";
import { field } from "../dialog.js";
import { announce, fill, h, set } from "../dom.js";
import { T } from "../texts.js";
import { money } from "../words.js";

const P = T.sale_products;
const WAIT_MS = 250;
const SHOWN = 12;

async function found(text, signal) {
  const [page, exact] = await Promise.all([
    get(`/ops/products?q=${encodeURIComponent(text)}&limit=${SHOWN}`, { signal }),
    get(`/ops/products/${encodeURIComponent(text)}`, { signal }).catch((error) => {
      if (error.status === 404 || error.status === 422) return null;
      throw error;
    }),
  ]);
  const others = page.items.filter((one) => one.product_id !== exact?.product_id);
  return exact ? [exact, ...others] : others;
}

export class Products {
  #chosen = new Map();

  /** Begin with the products of a sale, and what the catalogue knows of them. */
  constructor(products, known, signal) {
    this.signal = signal;
    this.list = h("ol", { class: "chosen" });
    this.none = h("p", { class: "quiet" }, P.none);
    this.search = field({ name: "products", label: P.search, hint: P.search_hint, type: "search", autocomplete: "off" });
    this.input = this.search.querySelector("input");
    this.results = h("ul", { class: "results" });
    this.element = h("fieldset", {}, h("legend", {}, P.title), this.list, this.none, this.search, this.results);
    let timer = 0;
    this.input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.#look(), WAIT_MS);
    });
    // Return in this field looks; it does not make a sale of an unfinished form.
    this.input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.#look();
    });
    for (const one of products) this.#add(known.get(one.product_id) || { product_id: one.product_id, name: one.product_id, currency: null }, one);
    this.#count();
  }

  async #look() {
    const text = this.input.value.trim();
    if (!text) return void fill(this.results);
    try {
      const items = (await found(text, this.signal)).filter((one) => !this.#chosen.has(one.product_id));
      if (text !== this.input.value.trim()) return;
      fill(this.results, items.length ? items.map((one) => this.#result(one)) : h("li", { class: "quiet" }, P.nothing));
      announce(P.found(items.length));
    } catch (error) {
      if (!this.signal.aborted) fill(this.results, h("li", { class: "problem" }, error.words || T.problems.internal));
    }
  }

  #result(product) {
    return h("li", {}, h("button", { type: "button", class: "plain", onclick: () => this.#take(product) },
      `${product.name} `, h("code", {}, product.product_id), ` ${money(product.price, product.currency)}`));
  }

  #take(product) {
    this.#add(product, {});
    this.#count();
    fill(this.results);
    this.input.value = "";
    this.input.focus();
    announce(P.added(product.name));
  }

  #add(product, terms) {
    const id = product.product_id;
    const currency = product.currency || "";
    const number = { type: "number", step: "1", min: "0" };
    const at = this.#chosen.size;
    const fields = {
      price: field({ label: P.price(currency), inputmode: "decimal", autocomplete: "off", hint: product.price === undefined ? "" : P.price_hint(money(product.price, currency)),
        value: terms.price === undefined || terms.price === null ? "" : majorUnits(terms.price, currency) }),
      quantity: field({ ...number, label: P.quantity, hint: P.quantity_hint, value: terms.quantity ?? "" }),
      customer: field({ ...number, min: "1", label: P.limit, hint: P.limit_hint, value: terms.limits?.customer ?? "" }),
    };
    const item = h("li", {},
      h("div", { class: "chosen-name" }, h("strong", {}, product.name), " ", h("code", {}, id),
        h("button", { type: "button", class: "plain", "aria-label": P.remove(product.name), onclick: () => this.#remove(id) }, P.remove_short)),
      h("div", { class: "fields" }, Object.values(fields)));
    // Without its currency nobody knows what a digit is worth: such a price stays as it is.
    if (!currency) set(fields.price.querySelector("input"), { readonly: true, value: "" });
    this.#chosen.set(id, { item, fields, currency, price: terms.price ?? null, limits: terms.limits || {} });
    this.list.append(item);
    this.#name(at);
  }

  #remove(id) {
    this.#chosen.get(id).item.remove();
    this.#chosen.delete(id);
    [...this.#chosen.keys()].forEach((_, at) => this.#name(at));
    this.#count();
    this.input.focus();
  }

  // Fields are called as the server complains of them, by their place.
  #name(at) {
    const { fields } = [...this.#chosen.values()][at];
    const input = (one) => one.querySelector("input");
    input(fields.price).name = `products[${at}].price`;
    input(fields.quantity).name = `products[${at}].quantity`;
    input(fields.customer).name = `products[${at}].limits.customer`;
  }

  #count() {
    this.none.hidden = this.#chosen.size > 0;
  }

  /** Return what is wrong before anything is asked, by field; null if nothing is. */
  check() {
    const wrong = {};
    if (!this.#chosen.size) wrong.products = P.missing;
    for (const { fields, currency } of this.#chosen.values()) {
      const input = fields.price.querySelector("input");
      if (input.value.trim() && minorUnits(input.value, currency) === null) wrong[input.name] = P.no_price(currency);
    }
    return Object.keys(wrong).length ? wrong : null;
  }

  /** Return the list as the server takes it; what has its default is left out. */
  value() {
    return [...this.#chosen].map(([product_id, { fields, currency, price, limits }]) => {
      const text = (name) => fields[name].querySelector("input").value.trim();
      const made = { product_id };
      if (!currency && price !== null) made.price = price;
      if (text("price")) made.price = minorUnits(text("price"), currency);
      if (text("quantity")) made.quantity = Number(text("quantity"));
      const kept = Object.fromEntries(Object.entries(limits).filter(([name, value]) => name !== "customer" && value !== null));
      const all = text("customer") ? { customer: Number(text("customer")), ...kept } : kept;
      if (Object.keys(all).length) made.limits = all;
      return made;
    });
  }
}

/** More products than this are no matter for a form. */
export const MANY = 50;

/** What the catalogue knows of the products of a sale. */
export async function knownProducts(products, signal) {
  const asked = products.map((one) => get(`/ops/products/${encodeURIComponent(one.product_id)}`, { signal }));
  const answers = await Promise.allSettled(asked);
  return new Map(answers.filter((one) => one.status === "fulfilled").map((one) => [one.value.product_id, one.value]));
}
