// What changes by itself while a sale goes on, and what is done ahead of it. Owns these parts of the form.

import { field } from "../dialog.js";
import { fill, h } from "../dom.js";
import { momentField, momentOf } from "../moments.js";
import { T } from "../texts.js";

const L = T.timeline;

/** A list of moments, each with a phase, a rate or both; what else an entry has stays as it is. */
export class Timeline {
  #entries = [];

  constructor(entries) {
    this.list = h("ol", { class: "chosen" });
    this.add = h("button", { type: "button", class: "plain", onclick: () => this.#new({}, true) }, L.add);
    this.element = h("fieldset", {}, h("legend", {}, L.title), h("p", { class: "hint" }, L.hint), this.list, this.add);
    for (const entry of entries) this.#new(entry, false);
  }

  #new(entry, takesFocus) {
    const fields = {
      at: momentField({ name: "", label: L.at, value: entry.at }),
      phase: field({ name: "", label: L.phase, value: entry.phase || "", options: [["", L.same], ...["open", "hold", "drain", "closed"].map((one) => [one, T.phases[one]])] }),
      rate: field({ name: "", label: L.rate, type: "number", step: "any", min: "0", value: entry.room?.rate_per_s ?? "", hint: L.rate_hint }),
    };
    const item = h("li", {}, h("div", { class: "fields" }, Object.values(fields)),
      h("button", { type: "button", class: "plain", onclick: () => this.#remove(made) }, L.remove));
    const made = { item, fields, room: entry.room || {} };
    this.#entries.push(made);
    this.list.append(item);
    this.#name();
    if (takesFocus) item.querySelector("input").focus();
  }

  #remove(entry) {
    this.#entries = this.#entries.filter((one) => one !== entry);
    entry.item.remove();
    this.#name();
    this.add.focus();
  }

  #name() {
    this.#entries.forEach(({ fields }, at) => {
      fields.at.querySelector("input").name = `timeline[${at}].at`;
      fields.phase.querySelector("select").name = `timeline[${at}].phase`;
      fields.rate.querySelector("input").name = `timeline[${at}].room.rate_per_s`;
    });
  }

  check() {
    const wrong = Object.fromEntries(this.#entries
      .filter(({ fields }) => !momentOf(fields.at.querySelector("input").value))
      .map(({ fields }) => [fields.at.querySelector("input").name, L.when]));
    return Object.keys(wrong).length ? wrong : null;
  }

  value() {
    return this.#entries.map(({ fields, room }) => {
      const made = { at: momentOf(fields.at.querySelector("input").value) };
      const phase = fields.phase.querySelector("select").value;
      const rate = fields.rate.querySelector("input").value.trim();
      if (phase) made.phase = phase;
      const { rate_per_s: _, ...kept } = room;
      if (rate) kept.rate_per_s = Number(rate);
      if (Object.keys(kept).length) made.room = kept;
      return made;
    });
  }
}

const MINUTE_S = 60;

/** When and with how many processes everything gets ready. */
export class Prewarm {
  constructor(prewarm) {
    const number = { type: "number", step: "1", min: "0" };
    this.checks = prewarm?.checks_at_s;
    this.lead = field({ ...number, step: "any", name: "prewarm.lead_s", label: L.lead, hint: L.lead_hint, value: prewarm ? prewarm.lead_s / MINUTE_S : 30 });
    this.intake = field({ ...number, min: "1", name: "prewarm.scale.intake", label: L.intake, hint: L.scale_hint, value: prewarm?.scale?.intake ?? "" });
    this.workers = field({ ...number, min: "1", name: "prewarm.scale.workers", label: L.workers, hint: L.scale_hint, value: prewarm?.scale?.workers ?? "" });
    this.element = fill(h("fieldset"), h("legend", {}, L.prewarm), h("p", { class: "hint" }, L.prewarm_hint), h("div", { class: "fields" }, this.lead, this.intake, this.workers));
  }

  value() {
    const text = (one) => one.querySelector("input").value.trim();
    const scale = {};
    if (text(this.intake)) scale.intake = Number(text(this.intake));
    if (text(this.workers)) scale.workers = Number(text(this.workers));
    return { lead_s: Math.round(Number(text(this.lead) || 0) * MINUTE_S), scale: Object.keys(scale).length ? scale : null };
  }
}
