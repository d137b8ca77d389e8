// The figures of a sale as it goes: tiles and tables. Owns how each is said, and that one which nobody knows is never a number.

import { fill, h, say } from "../dom.js";
import { T } from "../texts.js";
import { clockTime, number, rate, seconds } from "../words.js";

const L = T.live;
const SOURCES = { room: "the room's store", orders: "the order store", postgres: "Postgres" };

/** Why a figure is not known: the line of `troubles` that names its store, or that it is still being counted. */
function why(view, source) {
  return view.troubles.find((line) => line.startsWith(SOURCES[source])) || L.not_yet;
}

class Tile {
  constructor(label, id) {
    this.value = h("p", { class: "value figure" });
    this.hint = h("p", { class: "hint" });
    this.element = h("div", { class: "tile", id: `tile-${id}` }, h("h3", {}, label), this.value, this.hint);
  }

  /** Show a figure, or in words why there is none. */
  show(text, hint = "", kind = "") {
    const isKnown = text !== null;
    say(this.value, isKnown ? text : "?");
    this.value.toggleAttribute("aria-hidden", !isKnown);
    say(this.hint, hint);
    this.element.className = `tile ${isKnown ? kind : "unknown"}`;
  }
}

export class Board {
  constructor() {
    const tile = (name) => (this[name] = new Tile(L[name], name));
    this.element = h("div", { class: "tiles" },
      ["waiting", "admitted", "accepted", "confirmed", "backlog", "room", "payments", "go"].map((name) => tile(name).element));
  }

  /** Show how the sale goes. */
  show(view) {
    this.#room(view);
    const perS = (value, source) => [value === null ? null : `${rate(value)}${L.per_s}`, value === null ? why(view, source) : ""];
    this.accepted.show(...perS(view.accepted_per_s, "orders"));
    this.confirmed.show(...perS(view.confirmed_per_s, "postgres"));
    this.#backlog(view);
    this.#payments(view);
    this.#go(view);
  }

  #room(view) {
    const { room } = view;
    if (room.mode === "off") {
      this.waiting.show("–", L.no_room);
      this.admitted.show("–", L.no_room);
      this.room.show("–", room.reason);
      return;
    }
    const inside = [[view.called, L.called], [view.active, L.active]]
      .filter(([value]) => value !== null).map(([value, words]) => `${number(value)} ${words}`).join("; ");
    this.waiting.show(view.waiting === null ? null : number(view.waiting), view.waiting === null ? why(view, "room") : inside);
    this.admitted.show(view.admitted_per_s === null ? null : `${rate(view.admitted_per_s)}${L.per_s}`,
      view.admitted_per_s === null ? why(view, "room") : "");
    const isStill = room.rate_per_s === null && room.why !== "unknown";
    const differs = room.rate_per_s !== null && room.set_rate_per_s !== null && Math.abs(room.rate_per_s - room.set_rate_per_s) > 0.05;
    this.room.show(room.why === "unknown" ? null : isStill ? L.nobody : `${rate(room.rate_per_s)}${L.per_s}`,
      [room.reason, room.set_rate_per_s !== null && (differs || isStill) && L.room_set(rate(room.set_rate_per_s))].filter(Boolean).join("; "),
      differs ? "warn" : "");
  }

  #backlog(view) {
    if (view.backlog === null) this.backlog.show(null, why(view, "orders"));
    else if (view.backlog === 0) this.backlog.show("0 s", L.backlog_none);
    else {
      const age = view.backlog_s;
      this.backlog.show(age === null ? null : seconds(age), L.backlog_of(number(view.backlog)), age > 30 ? "bad" : age > 5 ? "warn" : "");
    }
  }

  #payments(view) {
    const { payments } = view;
    if (payments === null) return this.payments.show(null, why(view, "postgres"));
    const paused = payments.paused ? `; ${L.paused[payments.paused] || payments.paused}` : "";
    this.payments.show(number(payments.failing), `${L.payments_due(number(payments.due))}${paused}`, payments.failing ? "bad" : payments.paused ? "warn" : "");
  }

  #go(view) {
    const ago = view.go_at === null ? "" : L.checked(seconds((Date.parse(view.at) - Date.parse(view.go_at)) / 1000));
    if (view.go === null) this.go.show("–", L.no_check);
    else if (view.go) this.go.show(L.is_go, ago, "good");
    else this.go.show(L.is_no_go, [ago, ...view.no_go.map((one) => `${one.check.replaceAll("_", " ")}: ${one.reason}`)].filter(Boolean).join("; "), "bad");
  }
}

/** What each product has left, as rows that stay where they are while their figures change. */
export class Stock {
  #rows = new Map();

  constructor() {
    this.body = h("tbody");
    this.note = h("p", { class: "hint", hidden: true });
    const head = (text, isNumber) => h("th", { scope: "col", class: isNumber ? "n" : null }, text);
    this.table = h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": L.stock }, h("table", { class: "stock" },
      h("thead", {}, h("tr", {}, head(L.product), head(L.left, true), head(L.reserved, true), head(L.sold, true), head(L.received, true))), this.body));
    this.element = h("section", {}, h("h2", {}, L.stock), this.table, this.note);
  }

  show(view) {
    this.table.hidden = view.products === null;
    this.note.hidden = view.products !== null && !view.products_left_out;
    say(this.note, view.products === null ? why(view, "postgres") : L.more_products(number(view.products_left_out)));
    if (view.products === null) return;
    const ids = new Set(view.products.map((one) => one.product_id));
    for (const [id, row] of this.#rows) if (!ids.has(id)) this.#rows.delete(id), row.element.remove();
    for (const one of view.products) this.#row(one);
  }

  #row(product) {
    let row = this.#rows.get(product.product_id);
    if (!row) {
      const cells = Object.fromEntries(["left", "reserved", "sold", "received"].map((name) => [name, h("td", { class: "n" })]));
      const label = h("span");
      row = { cells, label, element: h("tr", {}, h("th", { scope: "row" }, label, " ", h("code", {}, product.product_id)), Object.values(cells)) };
      this.#rows.set(product.product_id, row);
      this.body.append(row.element);
    }
    say(row.label, product.name);
    for (const [name, cell] of Object.entries(row.cells)) {
      const value = product[name];
      say(cell, value === null ? "?" : name === "left" && value === 0 ? L.sold_out : number(value));
    }
    row.element.classList.toggle("gone", product.left === 0);
  }
}

/** Refused posts by why, and alerts and troubles: lists that are drawn anew only when they differ. */
export class Lists {
  #shown = new Map();

  constructor() {
    this.refusals = h("section", {}, h("h2", {}, L.refusals), h("div"));
    this.alerts = h("div", { class: "alerts" });
    this.troubles = h("div");
  }

  show(view) {
    const refused = view.refusals === null ? null : Object.entries(view.refusals).sort((one, other) => other[1] - one[1]);
    this.#draw(this.refusals.lastChild, refused, () => (refused === null
      ? [h("p", { class: "hint" }, why(view, "room"))]
      : refused.length === 0
        ? [h("p", { class: "quiet" }, L.no_refusals)]
        : [h("table", {},
          h("thead", {}, h("tr", {}, h("th", { scope: "col" }, L.code), h("th", { scope: "col", class: "n" }, L.times))),
          h("tbody", {}, refused.map(([code, times]) => h("tr", {},
            h("td", {}, T.refusals[code] || code, " ", h("code", {}, code)), h("td", { class: "n" }, number(times))))))]));
    this.#draw(this.troubles, view.troubles, () => view.troubles.length
      ? [h("div", { class: "notice bad" }, h("h2", {}, L.troubles), h("ul", {}, view.troubles.map((line) => h("li", {}, line))))]
      : []);
    this.#draw(this.alerts, view.alerts, () => view.alerts.map((one) => h("div", { class: `notice ${one.severity === "page" ? "bad" : "warn"}` },
      h("h2", {}, one.summary),
      h("p", {}, one.name, one.since ? `, ${L.alert_since(clockTime(one.since))}` : "", one.runbook ? [" · ", h("a", { href: runbook(one.runbook) }, L.runbook)] : ""))));
    return this;
  }

  #draw(place, data, draw) {
    const wanted = JSON.stringify(data);
    if (this.#shown.get(place) === wanted) return;
    this.#shown.set(place, wanted);
    fill(place, draw());
  }
}

const runbook = (name) => `#/runbook/${encodeURIComponent(name.split("#").at(-1))}`;
