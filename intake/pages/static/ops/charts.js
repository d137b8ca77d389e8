// Lines over the last quarter of an hour, drawn by uPlot. Owns their look; a second that nobody knows is a gap.

import { h } from "./dom.js";
import { T } from "./texts.js";
import { rate } from "./words.js";
import uPlot from "./uplot/uPlot.esm.js";

const WINDOW_S = 900;
const GAP_S = 3;
const HEIGHT = 170;
const DESCRIBE_EVERY_S = 30;
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const clockS = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** The rows of the window, by second; each chart takes its columns of them. */
export class History {
  #rows = [];

  /** Take what was, in place of all that is known. */
  restart(rows) {
    this.#rows = rows.map((row) => ({ ...row, t: Date.parse(row.at) / 1000 }));
    this.#trim();
  }

  /** Take one more second; what is not newer is known already. */
  add(row) {
    const t = Date.parse(row.at) / 1000;
    if (this.#rows.length && t <= this.#rows.at(-1).t) return;
    this.#rows.push({ ...row, t });
    this.#trim();
  }

  #trim() {
    const from = (this.#rows.at(-1)?.t ?? 0) - WINDOW_S;
    while (this.#rows.length && this.#rows[0].t < from) this.#rows.shift();
  }

  /** Columns as the charts take them: times, then each name; between rows that lie apart there is one of nulls. */
  columns(names) {
    const found = [[], ...names.map(() => [])];
    let before = null;
    for (const row of this.#rows) {
      if (before !== null && row.t - before > GAP_S) {
        found[0].push(before + 1);
        names.forEach((_, at) => found[at + 1].push(null));
      }
      found[0].push(row.t);
      names.forEach((name, at) => found[at + 1].push(row[name] ?? null));
      before = row.t;
    }
    return found;
  }
}

/** One chart: `lines` are `{name, label}`; it follows the page's width and the scheme of colours. */
export class Chart {
  #plot = null;
  #describedAt = -Infinity;

  constructor(title, lines, signal) {
    this.lines = lines;
    this.title = title;
    this.place = h("div", { class: "plot", role: "img", "aria-label": title });
    const keys = lines.map((line, at) => h("li", {},
      h("span", { class: `key key-${at + 1}`, "aria-hidden": "true" }), line.label));
    this.element = h("figure", { class: "chart" },
      h("figcaption", {}, h("h3", {}, title), lines.length > 1 && h("ul", { class: "keys" }, keys)), this.place);
    const seen = new ResizeObserver(() => this.#resize());
    seen.observe(this.place);
    signal.addEventListener("abort", () => {
      seen.disconnect();
      this.#plot?.destroy();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#anew(), { signal });
  }

  /** Draw what is known now. */
  draw(history) {
    this.data = history.columns(this.lines.map((line) => line.name));
    if (this.#plot) this.#plot.setData(this.data);
    else this.#anew();
    this.#describe();
  }

  #width() {
    return Math.max(this.place.clientWidth, 160);
  }

  #resize() {
    if (this.#plot && this.#plot.width !== this.#width()) this.#plot.setSize({ width: this.#width(), height: HEIGHT });
  }

  #anew() {
    if (!this.data) return;
    this.#plot?.destroy();
    this.place.replaceChildren();
    const axis = {
      stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 },
      font: "12px system-ui, sans-serif",
    };
    this.#plot = new uPlot({
      width: this.#width(),
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: true, range: (_, least, most) => [Math.min(least ?? most, most - 60), most] },
        y: { range: (_, __, most) => [0, Math.max(1, (most || 0) * 1.1)] },
      },
      axes: [
        { ...axis, values: (_, ticks) => ticks.map((tick) => clockOf(tick, ticks)), space: 70, size: 30 },
        { ...axis, values: (_, ticks) => ticks.map(rate), size: 56 },
      ],
      series: [{}, ...this.lines.map((line, at) => ({
        label: line.label, stroke: colour(`--line-${at + 1}`), width: 2, dash: DASHES[at], spanGaps: false, points: { show: false },
      }))],
    }, this.data, this.place);
  }

  // Not each second: who hears the page read out would hear nothing else.
  #describe() {
    const now = performance.now() / 1000;
    if (now - this.#describedAt < DESCRIBE_EVERY_S) return;
    this.#describedAt = now;
    const said = this.lines.map((line, at) => {
      const known = this.data[at + 1].filter((value) => value !== null);
      return `${line.label}: ${known.length ? T.live.between(rate(Math.min(...known)), rate(Math.max(...known))) : T.unknown}`;
    });
    this.place.setAttribute("aria-label", `${this.title}, ${T.live.window}. ${said.join("; ")}`);
  }
}

function clockOf(tick, ticks) {
  const step = ticks.length > 1 ? ticks[1] - ticks[0] : 60;
  return (step < 60 ? clockS : clock).format(tick * 1000);
}
