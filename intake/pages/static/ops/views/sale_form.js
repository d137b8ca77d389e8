// The form of a sale, new or changed. Owns its fields and what is sent: of a change only what differs.

import { complain, field, showProblem } from "../dialog.js";
import { fill, h } from "../dom.js";
import { momentField, momentOf } from "../moments.js";
import { T } from "../texts.js";
import { number } from "../words.js";
import { MANY, Products } from "./products.js";
import { Prewarm, Timeline } from "./timeline.js";

const F = T.sale_form;
const ROOM_NUMBERS = ["rate_per_s", "max_active", "grace_s", "admission_s", "burst", "waiting_max"];
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

function roomFields(room) {
  const mode = field({ name: "room.mode", label: F.mode, value: room.mode || "off", hint: F.mode_hint, options: Object.entries(T.sales.modes) });
  const numbers = ROOM_NUMBERS.map((name) => field({
    name: `room.${name}`, type: "number", min: "0", step: name === "rate_per_s" ? "any" : "1", label: F.room[name][0], hint: F.room[name][1], value: room[name] ?? "",
  }));
  const lobby = momentField({ name: "room.lobby_opens_at", label: F.lobby, hint: F.lobby_hint, value: room.lobby_opens_at });
  const message = field({ name: "room.message", element: "textarea", rows: "2", maxlength: "500", label: F.message, hint: F.message_hint, value: room.message ?? "" });
  const order = field({ name: "room.order_url", label: F.order_url, hint: F.order_url_hint, value: room.order_url ?? "" });
  const more = h("details", {}, h("summary", {}, F.room_more), h("div", { class: "fields" }, numbers.slice(2), order));
  const rest = h("div", {}, h("div", { class: "fields" }, numbers.slice(0, 2), lobby), message, more);
  const select = mode.querySelector("select");
  const show = () => (rest.hidden = select.value === "off");
  select.addEventListener("change", show);
  show();
  return h("fieldset", {}, h("legend", {}, F.room_title), mode, rest);
}

function termFields(sale) {
  const whole = { type: "number", step: "1", min: "0" };
  return h("fieldset", {}, h("legend", {}, F.terms), h("div", { class: "fields" },
    field({ name: "payment", label: F.payment, value: sale?.payment || "capture", options: Object.entries(F.payments) }),
    field({ ...whole, min: "1", name: "hold_s", label: F.hold, hint: F.hold_hint, value: sale?.hold_s ?? 600 }),
    field({ ...whole, name: "hold_extension_s", label: F.extension, hint: F.extension_hint, value: sale?.hold_extension_s ?? 300 }),
    field({ ...whole, name: "standby_max", label: F.standby, hint: F.standby_hint, value: sale?.standby_max ?? 10000 }),
    !sale && field({ ...whole, min: "1", name: "partitions", label: F.partitions, hint: F.partitions_hint, value: 1 })));
}

/** `sale` is null for a new one; `known` is what the catalogue knows of its products. */
export class SaleForm {
  constructor(sale, known, { signal, yes, onSent }) {
    this.sale = sale;
    this.isMany = (sale?.products.length || 0) > MANY;
    this.products = new Products(this.isMany ? [] : sale?.products || [], known, signal);
    this.timeline = new Timeline(sale?.timeline || []);
    this.prewarm = new Prewarm(sale?.prewarm);
    this.problem = h("div", { class: "notice bad", role: "alert", tabindex: "-1", hidden: true });
    this.button = h("button", { class: "main", type: "submit" }, yes);
    const id = field({ name: "sale_id", label: F.id, hint: F.id_hint, required: true, maxlength: "64", autocomplete: "off", spellcheck: "false" });
    const name = field({ name: "name", label: F.name, hint: F.name_hint, maxlength: "500", value: sale?.name ?? "" });
    if (!sale) suggestId(name.querySelector("input"), id.querySelector("input"));
    this.form = h("form", { class: "form", novalidate: true },
      h("fieldset", {}, h("legend", {}, F.what), name, !sale && id),
      h("fieldset", {}, h("legend", {}, F.when), h("div", { class: "fields" },
        momentField({ name: "starts_at", label: F.starts, hint: sale ? "" : F.starts_hint, value: sale?.starts_at }),
        momentField({ name: "ends_at", label: F.ends, hint: F.ends_hint, value: sale?.ends_at }))),
      this.isMany ? h("p", { class: "notice" }, F.many(number(sale.products.length))) : this.products.element,
      roomFields(sale?.room || {}), termFields(sale), this.timeline.element, this.prewarm.element,
      this.problem, h("div", { class: "buttons" }, this.button));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send(onSent);
    });
    this.form.addEventListener("input", ({ target }) => target.name && complain(this.form, target.name, ""));
    // What a change is measured against is what the untouched form would send.
    this.before = sale ? this.#value() : null;
  }

  #text(name) {
    return this.form.elements.namedItem(name)?.value.trim() ?? "";
  }

  #check() {
    const wrong = { ...(this.isMany ? null : this.products.check()), ...this.timeline.check() };
    if (!this.sale && !this.#text("sale_id")) wrong.sale_id = F.id_missing;
    for (const input of this.form.querySelectorAll("input[type=number]")) {
      if (input.validity.badInput) wrong[input.name] = F.no_number;
    }
    return wrong;
  }

  #room() {
    const numbers = Object.fromEntries(ROOM_NUMBERS.map((name) => [name, this.#text(`room.${name}`)]).map(([name, text]) => [name, text ? Number(text) : null]));
    return {
      mode: this.#text("room.mode"),
      ...numbers,
      lobby_opens_at: momentOf(this.#text("room.lobby_opens_at")),
      message: this.#text("room.message").replace(/\s+/g, " ") || null,
      order_url: this.#text("room.order_url") || null,
    };
  }

  #value() {
    const value = {
      name: this.#text("name") || null,
      starts_at: momentOf(this.#text("starts_at")),
      ends_at: momentOf(this.#text("ends_at")),
      room: this.#room(),
      payment: this.#text("payment"),
      timeline: this.timeline.value(),
      prewarm: this.prewarm.value(),
    };
    if (!this.isMany) value.products = this.products.value();
    for (const name of ["hold_s", "hold_extension_s", "standby_max", "partitions"]) if (this.#text(name)) value[name] = Number(this.#text(name));
    return value;
  }

  /** What is sent: all that is set of a new sale, all that differs of a changed one. */
  #body() {
    const value = this.#value();
    if (this.before) {
      const changed = Object.fromEntries(Object.entries(value).filter(([name]) => name !== "room" && !same(value[name], this.before[name])));
      const room = Object.fromEntries(Object.entries(value.room).filter(([name, one]) => one !== this.before.room[name]));
      return Object.keys(room).length ? { ...changed, room } : changed;
    }
    const room = Object.fromEntries(Object.entries(value.room).filter(([, one]) => one !== null));
    const { timeline, ...rest } = { ...value, sale_id: this.#text("sale_id"), room: room.mode === "off" ? { mode: "off" } : room };
    const given = Object.fromEntries(Object.entries(rest).filter(([, one]) => one !== null));
    return timeline.length ? { ...given, timeline } : given;
  }

  async #send(onSent) {
    for (const one of this.form.elements) if (one.name) complain(this.form, one.name, "");
    this.problem.hidden = true;
    const wrong = Object.entries(this.#check());
    if (wrong.length) return showProblem(this.form, this.problem, { errors: wrong.map(([name, text]) => ({ field: name, problem: text })) });
    const body = this.#body();
    if (this.sale && !Object.keys(body).length) {
      fill(this.problem, h("p", {}, F.unchanged));
      this.problem.hidden = false;
      return this.problem.focus();
    }
    this.button.disabled = true;
    try {
      await onSent(body);
    } catch (error) {
      openAround(this.form, error);
      showProblem(this.form, this.problem, error);
    } finally {
      this.button.disabled = false;
    }
  }
}

// A field that the server complains of may stand in what is folded away.
function openAround(form, error) {
  for (const one of error.errors || []) form.elements.namedItem(one.field)?.closest?.("details")?.setAttribute("open", "");
}

function suggestId(name, id) {
  let isTyped = false;
  id.addEventListener("input", () => (isTyped = Boolean(id.value)));
  name.addEventListener("input", () => {
    if (isTyped) return;
    const plain = name.value.replaceAll("ß", "ss").normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
    id.value = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 64);
  });
}
