// One screen for the night: how a sale goes now, and what can be done with it. Owns its layout and what is said of staleness.

import { Chart, History } from "../charts.js";
import { announce, fill, h, say } from "../dom.js";
import { Feed } from "../feed.js";
import { trouble } from "../router.js";
import { T } from "../texts.js";
import { clockTime, moment, seconds } from "../words.js";
import { Board, Lists, Stock } from "./board.js";
import { pickSale, reportLink, salePicker } from "./pick.js";
import { Steer } from "./steer.js";

const L = T.live;
const STALE_S = 5;
const LOST_S = 60;

const CHARTS = [
  [L.rates, [{ name: "admitted_per_s", label: L.admitted }, { name: "accepted_per_s", label: L.accepted },
    { name: "confirmed_per_s", label: L.confirmed }, { name: "rate_per_s", label: L.rate }]],
  [L.queue, [{ name: "waiting", label: L.waiting }]],
  [L.lag, [{ name: "backlog_s", label: L.backlog }]],
];

/** When a sale starts and ends, seen from now. */
export function window_(view) {
  if (view.phase === "closed") return L.over;
  const now = Date.parse(view.at);
  const span = (at) => seconds(Math.abs(Date.parse(at) - now) / 1000);
  const said = [Date.parse(view.starts_at) > now ? L.starts(span(view.starts_at), moment(view.starts_at)) : L.started(span(view.starts_at))];
  if (view.ends_at) said.push(Date.parse(view.ends_at) > now ? L.ends(span(view.ends_at), moment(view.ends_at)) : L.ended(span(view.ends_at)));
  return said.join("; ");
}

class Screen {
  #view = null;
  #isStale = false;
  #told = "";

  constructor(context) {
    const { signal, who } = context;
    this.context = { ...context, changed: () => this.feed.refresh() };
    this.board = new Board();
    this.stock = new Stock();
    this.lists = new Lists();
    this.history = new History();
    this.charts = CHARTS.map(([title, lines]) => new Chart(title, lines, signal));
    this.steer = who.role === "view" ? null : new Steer(this.context);
    this.phase = h("span", { class: "phase" });
    this.window = h("span");
    this.heard = h("span", { class: "heard" });
    this.stale = h("div", { class: "notice bad", hidden: true }, h("p"));
    this.past = h("section", {}, h("h2", {}, L.charts), this.charts.map((one) => one.element));
    this.figures = h("div", {},
      h("div", { class: "known" }, this.lists.troubles, this.lists.alerts, this.board.element),
      h("div", { class: "columns" },
        h("div", {}, this.steer?.element, h("div", { class: "known" }, this.past)),
        h("div", { class: "known" }, this.stock.element, this.lists.refusals)));
    this.about = h("p", { class: "about" }, h("span", { class: "known" }, this.phase, " ", this.window), " ", this.heard);
    this.problem = h("div");
    this.element = h("div", {}, this.stale, this.about, this.problem, this.figures);
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
    if (view.history) this.history.restart(view.history);
    this.history.add({ ...view, rate_per_s: view.room.rate_per_s });
    this.#view = view;
    say(this.phase, T.phases[view.phase]);
    this.phase.dataset.phase = view.phase;
    say(this.window, window_(view));
    this.board.show(view);
    this.stock.show(view);
    this.lists.show(view);
    this.steer?.take(view);
    for (const chart of this.charts) chart.draw(this.history);
    this.figures.hidden = false;
    this.#age();
    this.#tell(view);
  }

  // An old figure is never shown as if it were of now: first marked as old, then taken away.
  #age() {
    const silentS = this.feed.silentS;
    const isStale = silentS > STALE_S;
    this.stale.hidden = !isStale;
    this.element.className = silentS > LOST_S ? "lost" : isStale ? "stale" : "";
    this.figures.hidden = this.#view === null;
    this.steer?.age(isStale);
    if (isStale) {
      const span = seconds(Math.round(silentS));
      say(this.stale.firstChild, this.#view && silentS <= LOST_S ? L.stale(span, clockTime(this.#view.at)) : L.lost(span));
    }
    say(this.heard, isStale ? L.since(seconds(Math.round(silentS))) : this.#view ? L.connected : "");
    this.heard.dataset.state = isStale ? "stale" : "live";
    if (isStale !== this.#isStale) announce(isStale ? L.gone_quiet : L.back);
    this.#isStale = isStale;
  }

  // What changed so that somebody must hear of it; figures are never read out by themselves.
  #tell(view) {
    const said = [L.phase_told(T.phases[view.phase]), ...view.alerts.map((one) => one.summary), ...view.troubles];
    const before = this.#told;
    this.#told = JSON.stringify(said);
    if (!before || before === this.#told) return;
    const known = new Set(JSON.parse(before));
    const fresh = said.filter((line) => !known.has(line));
    announce(fresh.length ? fresh.join(". ") : L.calm);
  }
}

async function show(context) {
  const { root, params, signal } = context;
  fill(root, h("h1", {}, L.title), h("p", { class: "quiet" }, T.loading));
  const { sale, sales } = await pickSale(params.sale, signal);
  if (!sale) {
    fill(root, h("h1", {}, L.title), h("p", {}, L.no_sale, " ", h("a", { href: "#/sales/new" }, L.make_one)));
    return;
  }
  const screen = new Screen(context);
  const name = sales.find((one) => one.sale_id === sale)?.name;
  fill(root,
    h("div", { class: "top" },
      h("h1", {}, name || sale),
      salePicker("live", sale, sales),
      h("p", { class: "links" },
        h("a", { href: `#/floor/${encodeURIComponent(sale)}` }, L.floor), " ",
        h("a", { href: `#/sales/${encodeURIComponent(sale)}` }, L.of_sale), " ", reportLink(sale))),
    screen.element);
  screen.begin(sale);
}

export const live = { path: "/live", menu: "live", title: () => L.title, show };
export const liveOfSale = { path: "/live/:sale", under: "live", title: ({ sale }) => `${sale}, ${L.title.toLowerCase()}`, show };
