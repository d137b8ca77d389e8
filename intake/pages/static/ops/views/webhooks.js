// Webhooks: which systems are told, how that goes, and what each was sent. Owns these two views.

import { all, call, get } from "../api.js";
import { ask, askAndCall, field } from "../dialog.js";
import { fill, h } from "../dom.js";
import { momentField, momentOf } from "../moments.js";
import { O } from "../order_texts.js";
import { head, paged, scrolling } from "../paged.js";
import { T } from "../texts.js";
import { moment, number } from "../words.js";

const S = O.webhooks;
const TYPES = [
  "order.pending", "order.confirmed", "order.processing", "order.shipped", "order.delivered", "order.cancelled", "order.refunded", "order.line_cancelled",
  "order.shipment", "order.refund", "payment.action_required", "sale.prewarm", "sale.opened", "sale.sold_out", "sale.closed", "product.changed",
];
const pathOf = (hook) => `/ops/webhooks/${hook.webhook_id}`;

const shownOnce = (secret) => ask({
  title: S.made, body: [h("p", {}, S.once), h("p", {}, h("code", { class: "secret" }, secret))], yes: T.steer.understood, run: async () => null,
});

async function make(again) {
  let chosen = [];
  const done = await ask({
    title: S.make, yes: S.make,
    body: [
      field({ name: "url", label: S.url, hint: S.url_hint, type: "url", maxlength: "2048", autocomplete: "off", spellcheck: "false" }),
      field({ name: "description", label: S.description, maxlength: "200", autocomplete: "off" }),
      h("fieldset", {}, h("legend", {}, S.events), h("p", { class: "hint" }, S.events_hint), TYPES.map((type) => h("label", { class: "choice" },
        h("input", { type: "checkbox", name: `event:${type}` }), h("code", {}, type)))),
    ],
    check: (values) => {
      chosen = TYPES.filter((type) => values[`event:${type}`]);
      return null;
    },
    run: (values) => call("POST", "/ops/webhooks", {
      body: { url: values.url.trim(), ...(chosen.length ? { events: chosen } : {}), ...(values.description.trim() ? { description: values.description.trim() } : {}) },
    }),
  });
  if (!done) return;
  await shownOnce(done.result.secret);
  again();
}

const ACTS = {
  test: (hook) => askAndCall({ title: `${S.test}: ${hook.url}`, body: [], yes: S.test, path: `${pathOf(hook)}/test`, told: S.test_told }),
  again: (hook) => askAndCall({ title: S.again_ask(hook.url), body: [h("p", {}, S.again_means)], yes: S.again, path: `${pathOf(hook)}/resume`, told: S.again_told }),
  replay: (hook) => askAndCall({
    title: S.replay_ask(hook.url), yes: S.replay, path: `${pathOf(hook)}/replay`, told: S.replay_told,
    body: [h("p", {}, S.replay_means), momentField({ name: "since", label: S.since }), momentField({ name: "until", label: S.until })],
    check: (values) => (momentOf(values.since) ? null : { since: S.since_missing }),
    send: (values) => ({ since: momentOf(values.since), ...(momentOf(values.until) ? { until: momentOf(values.until) } : {}) }),
  }),
  rotate: async (hook) => {
    const done = await ask({ title: S.rotate_ask(hook.url), body: [h("p", {}, S.rotate_means)], yes: S.rotate, run: () => call("POST", `${pathOf(hook)}/rotate`) });
    if (done) await shownOnce(done.result.secret);
    return done;
  },
  remove: (hook) => askAndCall({
    title: S.remove_ask(hook.url), body: [h("p", {}, S.remove_means)], yes: S.remove, isGrave: true, method: "DELETE", path: pathOf(hook), told: S.remove_told,
  }),
};

function row(hook, may, again) {
  const button = (name) => h("button", {
    type: "button", class: name === "remove" ? "plain danger" : "plain", "aria-label": `${S[name]}: ${hook.url}`,
    onclick: async () => (await ACTS[name](hook)) && again(),
  }, S[name]);
  const names = ["test", ...(hook.state === "active" ? [] : ["again"]), "replay", "rotate", "remove"];
  return h("tr", {},
    h("th", { scope: "row" }, h("a", { href: `#/webhooks/${hook.webhook_id}` }, hook.url), hook.description && h("span", { class: "hint" }, hook.description)),
    h("td", {}, h("span", { class: hook.state === "active" ? "good" : "bad" }, S.states[hook.state]), hook.reason && h("span", { class: "hint" }, hook.reason),
      hook.failures ? h("span", { class: "hint" }, S.failures(number(hook.failures))) : ""),
    h("td", {}, hook.events ? hook.events.join(", ") : S.all_events), h("td", {}, may && h("div", { class: "buttons" }, names.map(button))));
}

async function show(context) {
  const { root, signal, who } = context;
  const may = who.role === "admin";
  const again = () => signal.aborted || show(context);
  const found = await all("/ops/webhooks?limit=200", { signal });
  fill(root,
    h("div", { class: "top" }, h("h1", {}, S.title), may && h("button", { type: "button", onclick: () => make(again) }, S.make)),
    h("p", { class: "quiet" }, S.about),
    found.length
      ? scrolling(S.title, head([S.url, O.state, S.events, { text: O.does, unseen: true }]), h("tbody", {}, found.map((hook) => row(hook, may, again))))
      : h("p", { class: "quiet" }, S.none));
}

export const webhooks = { path: "/webhooks", menu: "webhooks", title: () => S.title, show };

const delivery = (one) => h("tr", {},
  h("th", { scope: "row" }, one.type, " ", h("code", {}, one.event_id)), h("td", {}, S.delivery_states[one.state], one.error && h("span", { class: "hint" }, one.error)),
  h("td", { class: "n" }, number(one.attempts)), h("td", {}, one.status_code ?? ""), h("td", {}, moment(one.at)), h("td", {}, one.next_try_at ? moment(one.next_try_at) : ""));

async function showOne({ root, params, signal }) {
  const path = `/ops/webhooks/${encodeURIComponent(params.webhook)}`;
  const hook = await get(path, { signal });
  const place = h("div");
  fill(root, h("div", { class: "top" }, h("h1", {}, S.of(hook.url)), h("p", { class: "links" }, h("a", { href: "#/webhooks" }, S.title))), place);
  await paged({
    place, label: S.deliveries, path: `${path}/deliveries`, row: delivery, none: S.no_deliveries, signal,
    columns: [S.event, O.state, { text: S.tries, n: true }, S.answered, O.when, S.next],
  });
}

export const webhook = { path: "/webhooks/:webhook", under: "webhooks", title: () => S.deliveries, show: showOne };
