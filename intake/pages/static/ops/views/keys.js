// Ops keys and their second factors. Owns this view; a key and a secret are shown once, and kept nowhere.

import { all, call } from "../api.js";
import { ask, askAndCall, field } from "../dialog.js";
import { fill, h, svg } from "../dom.js";
import { momentField, momentOf } from "../moments.js";
import { T } from "../texts.js";
import { moment } from "../words.js";

const K = T.keys;
const MARGIN = 4;

/** Draw a QR code of rows of 0 and 1. */
function qr(rows) {
  const size = rows.length + 2 * MARGIN;
  const path = rows.flatMap((row, y) => [...row].map((dot, x) => (dot === "1" ? `M${x + MARGIN} ${y + MARGIN}h1v1h-1z` : ""))).join("");
  return svg("svg", { viewBox: `0 0 ${size} ${size}`, class: "qr", role: "img", "aria-label": K.qr },
    svg("rect", { width: size, height: size, fill: "#fff" }), svg("path", { d: path, fill: "#000" }));
}

async function make(again) {
  const done = await ask({
    title: K.make,
    body: [
      field({ name: "name", label: K.name, hint: K.name_hint, maxlength: "100", autocomplete: "off" }),
      field({ name: "role", label: K.role, value: "view", options: Object.entries(K.roles) }),
      momentField({ name: "expires_at", label: K.expires, hint: K.expires_hint }),
    ],
    yes: K.make,
    run: ({ name, role, expires_at: at }) => call("POST", "/ops/keys", { body: { name: name.trim(), role, ...(at ? { expires_at: momentOf(at) } : {}) } }),
  });
  if (!done) return;
  await ask({
    title: K.made(done.result.name),
    body: [h("p", {}, K.once), h("p", {}, h("code", { class: "secret" }, done.result.key))],
    yes: T.steer.understood, run: async () => null,
  });
  again();
}

async function factor(key, again) {
  const made = await askAndCall({
    title: K.factor_ask(key.name), body: [h("p", {}, K.factor_means), key.totp === "on" && h("p", {}, K.factor_again)].filter(Boolean),
    yes: K.factor_make, path: `/ops/keys/${key.key_id}/totp`, told: K.factor_made,
  });
  if (!made) return;
  const { secret, qr: rows } = made.result;
  await askAndCall({
    title: K.factor_scan(key.name),
    body: [
      h("p", {}, K.factor_how), qr(rows), h("p", {}, K.factor_type, " ", h("code", { class: "secret" }, secret.replace(/(.{4})/g, "$1 ").trim())),
      field({ name: "code", label: K.code, inputmode: "numeric", autocomplete: "one-time-code", maxlength: "7" }),
    ],
    yes: K.confirm, path: `/ops/keys/${key.key_id}/totp/confirm`, send: ({ code }) => ({ code: code.replace(/\s/g, "") }), told: K.factor_on(key.name),
  });
  again();
}

async function remove(key, again) {
  const done = await askAndCall({
    title: K.factor_off_ask(key.name), body: [h("p", {}, K.factor_off_means)], yes: K.factor_off, isGrave: true,
    method: "DELETE", path: `/ops/keys/${key.key_id}/totp`, told: K.factor_off_told(key.name),
  });
  if (done) again();
}

async function revoke(key, again) {
  const done = await askAndCall({
    title: K.revoke_ask(key.name), body: [h("p", {}, K.revoke_means)], yes: K.revoke, isGrave: true,
    method: "DELETE", path: `/ops/keys/${key.key_id}`, told: K.revoked(key.name),
  });
  if (done) again();
}

function row(key, isAdmin, again) {
  const does = (label, run, isGrave) => h("button", { type: "button", class: isGrave ? "plain danger" : "plain", "aria-label": `${label}: ${key.name}`, onclick: () => run(key, again) }, label);
  const isGood = key.state === "active";
  return h("tr", {},
    h("th", { scope: "row" }, key.name, " ", h("code", {}, key.key_id)), h("td", {}, K.roles[key.role]),
    h("td", {}, K.states[key.state], key.expires_at && isGood ? h("span", { class: "hint" }, K.until(moment(key.expires_at))) : ""),
    h("td", {}, K.totp[key.totp]), h("td", {}, moment(key.created_at), h("span", { class: "hint" }, K.by(key.created_by))),
    h("td", {}, isAdmin && isGood && h("div", { class: "buttons" }, does(K.factor, factor), key.totp !== "off" && does(K.factor_off_short, remove), does(K.revoke_short, revoke, true))));
}

async function show(context) {
  const { root, signal, who } = context;
  const isAdmin = who.role === "admin";
  const keys = await all("/ops/keys?limit=200", { signal });
  const again = () => signal.aborted || show(context);
  const head = (text) => h("th", { scope: "col" }, text);
  fill(root,
    h("div", { class: "top" }, h("h1", {}, K.title), isAdmin && h("button", { type: "button", onclick: () => make(again) }, K.make)),
    h("p", { class: "quiet" }, K.about, isAdmin ? "" : ` ${K.admin_only}`),
    keys.length
      ? h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": K.title }, h("table", {}, h("thead", {}, h("tr", {},
        head(K.name), head(K.role), head(K.state), head(K.factor), head(K.made_at), head(h("span", { class: "unseen" }, K.does)))),
      h("tbody", {}, keys.map((key) => row(key, isAdmin, again)))))
      : h("p", {}, K.none));
}

export const keys = { path: "/keys", menu: "keys", title: () => K.title, show };
