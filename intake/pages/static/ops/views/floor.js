// For the shop floor: what is left and how the sale stands, readable from across a room. Owns that screen; nothing is done on it.

import { announce, fill, h, say } from "../dom.js";
import { Feed } from "../feed.js";
import { trouble } from "../router.js";
import { T } from "../texts.js";
import { clockTime, number, seconds } from "../words.js";
import { window_ } from "./live.js";
import { pickSale, salePicker } from "./pick.js";

const L = T.live;
const STALE_S = 5;
const LOST_S = 60;
const FEW = 0.1;

class Floor {
  #view = null;
  #told = "";

  constructor(context) {
    this.context = context;
    this.phase = h("p", { class: "floor-phase" });
    this.window = h("p", { class: "floor-window" });
    this.list = h("ul", { class: "floor-stock" });
    this.note = h("p", { class: "notice warn", hidden: true });
    this.problem = h("div");
    this.element = h("div", { class: "floor" }, this.problem, this.note, h("div", { class: "known" }, this.phase, this.window, this.list));
  }

  begin(sale) {
    const { signal } = this.context;
    this.feed = new Feed(sale, {
      signal, onView: (view) => this.#take(view), onTrouble: (error) => fill(this.problem, trouble(error, null)),
    });
    const timer = setInterval(() => this.#age(), 1000);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  #take(view) {
    fill(this.problem);
    this.#view = view;
    say(this.phase, T.phases[view.phase]);
    this.phase.dataset.phase = view.phase;
    say(this.window, window_(view));
    this.#stock(view);
    this.#age();
    if (this.#told && this.#told !== view.phase) announce(T.phases[view.phase]);
    this.#told = view.phase;
  }

  #stock(view) {
    const rows = view.products || [];
    while (this.list.children.length > rows.length) this.list.lastChild.remove();
    rows.forEach((one, at) => {
      const row = this.list.children[at] || this.list.appendChild(h("li", {}, h("span", { class: "name" }), h("strong", { class: "figure" })));
      say(row.firstChild, one.name);
      say(row.lastChild, one.left === null ? "?" : one.left === 0 ? L.sold_out : number(one.left));
      row.className = one.left === 0 ? "gone" : one.left !== null && one.received && one.left <= one.received * FEW ? "few" : "";
    });
  }

  #age() {
    const silentS = this.feed.silentS;
    const isStale = silentS > STALE_S;
    const isLost = silentS > LOST_S;
    this.element.className = isLost ? "floor lost" : isStale ? "floor stale" : "floor";
    const unknown = this.#view && this.#view.products === null ? this.#view.troubles[0] || L.not_yet : "";
    const said = !isStale ? unknown : this.#view && !isLost ? L.stale(seconds(Math.round(silentS)), clockTime(this.#view.at)) : L.lost(seconds(Math.round(silentS)));
    this.note.hidden = !said;
    say(this.note, said);
  }
}

async function show(context) {
  const { root, params, signal } = context;
  const { sale, sales } = await pickSale(params.sale, signal);
  if (!sale) return void fill(root, h("h1", {}, L.floor), h("p", {}, L.no_sale));
  const floor = new Floor(context);
  const name = sales.find((one) => one.sale_id === sale)?.name;
  fill(root, h("div", { class: "top" }, h("h1", {}, name || sale), salePicker("floor", sale, sales)), floor.element);
  floor.begin(sale);
}

export const floor = { path: "/floor", menu: "floor", title: () => L.floor, show };
export const floorOfSale = { path: "/floor/:sale", under: "floor", title: ({ sale }) => `${sale}, ${L.floor.toLowerCase()}`, show };
