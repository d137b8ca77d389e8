// Which view is shown, by what stands behind # in the address. Owns the way from one view to the next and the focus.

import { fill, h } from "./dom.js";
import { T } from "./texts.js";

/** Begin to show views: each has a `path` like `/orders/:order`, and `show`, which gets root, params, query and signal. */
export function route(root, views, context, moved) {
  const patterns = views.map((view) => {
    const names = [];
    const source = view.path.replace(/:(\w+)/g, (_, name) => (names.push(name), "([^/]+)"));
    return { view, names, pattern: new RegExp(`^${source}$`) };
  });
  let ending = new AbortController();
  let isFirst = true;

  async function go() {
    ending.abort();
    ending = new AbortController();
    const [path, query = ""] = (location.hash.slice(1) || context.first).split("?");
    const found = patterns.map((one) => ({ ...one, match: one.pattern.exec(path) })).find((one) => one.match);
    const signal = ending.signal;
    const given = found ? Object.fromEntries(found.names.map((name, at) => [name, decoded(found.match[at + 1])])) : {};
    document.title = `${found ? found.view.title(given) : T.not_found} · ${T.house}`;
    moved(found?.view);
    const place = h("div", { class: "view" });
    fill(root, place);
    if (found) await shown(found.view, { ...context, root: place, params: given, query: new URLSearchParams(query), signal });
    else fill(place, h("h1", {}, T.not_found));
    if (!isFirst && !signal.aborted) root.focus();
    isFirst = false;
  }

  addEventListener("hashchange", go);
  return go();
}

async function shown(view, context) {
  try {
    await view.show(context);
  } catch (error) {
    if (context.signal.aborted) return;
    fill(context.root, h("h1", {}, view.title(context.params)), trouble(error, () => location.reload()));
  }
}

/** What went wrong, in words, and a way to try again. */
export function trouble(error, again) {
  if (!error.words) console.error(error);
  return h("div", { class: "notice bad", role: "alert" },
    h("p", {}, error.words || T.problems.internal),
    again && h("button", { type: "button", onclick: again }, T.again));
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
