// What ops may do with a sale while it goes on. Owns the buttons and what each question says; the server decides.

import { call, get } from "../api.js";
import { ask, askAndCall, field } from "../dialog.js";
import { announce, fill, h } from "../dom.js";
import { T } from "../texts.js";
import { number, rate } from "../words.js";

const S = T.steer;
const ORDER = ["open", "resume", "hold", "drain", "close"];
const BY_PHASE = {
  scheduled: ["open", "hold", "close"],
  open: ["hold", "drain", "close"],
  hold: ["resume", "drain", "close"],
  drain: ["resume", "close"],
  ended: ["drain", "close"],
  closed: [],
};
const GRAVE = new Set(["drain", "close", "revoke"]);
const ADMIN = new Set(["close", "revoke"]);

const count = (value, one, many) => (value === null || value === undefined ? S.not_known(many) : `${number(value)} ${value === 1 ? one : many}`);

/** What is so now, for the questions: the figures as people say them. */
function facts(now, isOld) {
  const view = isOld ? { ...now, waiting: null, active: null, backlog: null, stock: null } : now;
  const left = view.stock === null ? null : Object.values(view.stock).reduce((sum, units) => sum + units, 0);
  return {
    sale: view.name || view.sale_id,
    waiting: count(view.waiting, S.person, S.people),
    active: count(view.active, S.person, S.people),
    backlog: count(view.backlog, S.order, S.orders),
    left: count(left, S.unit, S.units),
    hasRoom: view.room.mode !== "off",
  };
}

async function verb(name, { view, isOld, context }) {
  const known = facts(view, isOld);
  const path = `/ops/sales/${encodeURIComponent(view.sale_id)}/${name === "revoke" ? "room/revoke" : name}`;
  const isClose = name === "close";
  const done = await askAndCall({
    title: S.ask[name](known),
    body: [
      ...S.means[name](known).map((text) => h("p", {}, text)),
      isClose && field({ name: "sale_id", label: S.type_id(view.sale_id), autocomplete: "off", spellcheck: "false" }),
    ].filter(Boolean),
    yes: S.yes[name],
    isGrave: GRAVE.has(name),
    secondKey: context.who.second_key_for.includes(name),
    check: (values) => (isClose && values.sale_id.trim() !== view.sale_id ? { sale_id: S.id_differs(view.sale_id) } : null),
    path,
    told: (answer) => (name === "revoke" ? S.revoked(answer.revoked) : S.told[name](known)),
  });
  if (done) context.changed();
}

const ROOM_FIELDS = {
  rate: { name: "room.rate_per_s", key: "rate_per_s", type: "number", step: "any", min: "0" },
  cap: { name: "room.max_active", key: "max_active", type: "number", step: "1", min: "1" },
  message: { name: "room.message", key: "message", element: "textarea", rows: "3", maxlength: "500" },
};

function parsed(what, text) {
  if (what === "message") return text.trim() ? text.trim().replace(/\s+/g, " ") : null;
  return text.trim() ? Number(text) : null;
}

async function room(what, { view, isOld, context }) {
  const known = facts(view, isOld);
  const pace = isOld || view.room.why === "unknown" ? S.pace_not_known : view.room.rate_per_s === null ? view.room.reason : S.pace(rate(view.room.rate_per_s));
  const { key, ...input } = ROOM_FIELDS[what];
  const path = `/ops/sales/${encodeURIComponent(view.sale_id)}`;
  const before = (await get(path)).room[key] ?? null;
  const was = before === null ? S.room[what].unset : what === "message" ? `“${before}”` : number(before);
  const done = await ask({
    title: S.room[what].title(known),
    body: [
      ...S.room[what].means(known, pace).map((text) => h("p", {}, text)),
      h("p", {}, S.now_is(was)),
      field({ ...input, label: S.room[what].label, hint: S.room[what].hint, value: before ?? "" }),
    ],
    yes: S.room[what].yes,
    check: (values) => (parsed(what, values[input.name]) === before ? { [input.name]: S.unchanged } : null),
    run: (values) => call("PATCH", path, { body: { room: { [key]: parsed(what, values[input.name]) } } }),
  });
  if (!done) return;
  const now = done.result.room[key] ?? null;
  announce(S.room[what].told(now === null ? S.room[what].unset : what === "message" ? `“${now}”` : number(now)));
  context.changed();
}

/** The buttons for a sale as it is now; made anew only when other ones are needed, so that none is taken from under a hand. */
export class Steer {
  #shown = "";
  isOld = false;

  constructor(context) {
    this.context = context;
    this.buttons = h("div", { class: "buttons" });
    this.element = h("section", { class: "steer", "aria-labelledby": "steer-title" }, h("h2", { id: "steer-title" }, S.title), this.buttons);
  }

  /** Take how the sale is now. */
  take(view) {
    this.view = view;
    const verbs = ORDER.filter((one) => BY_PHASE[view.phase].includes(one));
    const hasRoom = view.room.mode !== "off" && view.phase !== "closed";
    const wanted = JSON.stringify([view.sale_id, verbs, hasRoom]);
    if (wanted === this.#shown) return;
    this.#shown = wanted;
    this.element.hidden = !verbs.length && !hasRoom;
    const held = document.activeElement?.dataset.steer;
    const button = (name, label, does) => h("button", {
      type: "button", "data-steer": name, class: GRAVE.has(name) ? "danger" : null, onclick: (event) => this.#do(event.target, does),
    }, label);
    const isAdmin = this.context.who.role === "admin";
    fill(this.buttons,
      hasRoom && Object.keys(ROOM_FIELDS).map((what) => button(what, S.room[what].button, () => room(what, this))),
      verbs.filter((one) => isAdmin || !ADMIN.has(one)).map((one) => button(one, S.button[one], () => verb(one, this))),
      hasRoom && isAdmin && button("revoke", S.button.revoke, () => verb("revoke", this)),
      ["scheduled", "open", "hold"].includes(view.phase) && button("check", S.check, () => this.#check()),
      !isAdmin && h("p", { class: "hint" }, S.admin_only));
    if (held) (this.buttons.querySelector(`[data-steer=${held}]`) || this.buttons.querySelector("button"))?.focus();
  }

  /** Say whether what is known is old: the questions name no figure then. */
  age(isOld) {
    this.isOld = isOld;
  }

  async #check() {
    const found = await call("POST", `/ops/sales/${encodeURIComponent(this.view.sale_id)}/prewarm`);
    announce(S.checked(found.go));
    this.context.changed();
  }

  async #do(button, does) {
    button.disabled = true;
    try {
      await does();
    } catch (error) {
      await ask({ title: S.failed, body: [h("p", {}, error.words || T.problems.internal)], yes: S.understood, run: async () => null });
    } finally {
      button.disabled = false;
      if (button.isConnected && document.activeElement === document.body) button.focus();
    }
  }
}
