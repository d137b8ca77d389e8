// Calls to the server. Owns the page's token, what a refusal looks like here, and what happens when nobody is signed in.

import { T } from "./texts.js";

const TIMEOUT_MS = 15_000;
const OPERATOR = "doorbuster-operator";
let csrf = "";

/** A call that was refused, or that nobody answered: `code` is the contract's, or `unreachable`. */
export class Problem extends Error {
  constructor(status, document_, retryAfter = null) {
    super(document_.detail || document_.title || T.problems.internal);
    this.status = status;
    this.code = document_.code || "internal";
    this.title = document_.title || "";
    this.errors = document_.errors || [];
    this.document = document_;
    this.retryAfter = retryAfter;
  }

  /** What to tell people: our words for the code, and what the server says of the matter. */
  get words() {
    const ours = T.problems[this.code];
    return [ours, this.message].filter((part, index, all) => part && all.indexOf(part) === index).join(" ");
  }

  /** What is said of one field, null if nothing is. */
  of(field) {
    return this.errors.find((one) => one.field === field)?.problem ?? null;
  }
}

/** How whoever sits here wants to be named in the change log; of this tab alone. */
export const operator = {
  get: () => sessionStorage.getItem(OPERATOR) || "",
  set: (name) => sessionStorage.setItem(OPERATOR, name),
};

// Headers hold bytes: a name goes as the bytes of its UTF-8, which is how the server reads it.
const bytesOf = (text) => String.fromCharCode(...new TextEncoder().encode(text));

function headersOf(method, body, more) {
  const headers = { Accept: "application/json", ...more };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET") {
    headers["X-CSRF-Token"] = csrf;
    if (operator.get()) headers["X-Operator"] = bytesOf(operator.get());
  }
  return headers;
}

async function answerOf(path, init) {
  try {
    const answer = await fetch(path, init);
    return [answer, await answer.text()]; // whose end may be as late as its beginning
  } catch (error) {
    if (init.given?.aborted) throw error;
    throw new Problem(0, { code: "unreachable", detail: T.problems.unreachable });
  }
}

/** Ask for a text. */
export async function getText(path, { signal } = {}) {
  return call("GET", path, { signal, headers: { Accept: "text/*" }, isText: true });
}

/** Call the server; return what it answers as an object, null if that is nothing. Throws a Problem, or an AbortError. */
export async function call(method, path, { body, headers = {}, signal, isText = false } = {}) {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const [answer, text] = await answerOf(path, {
    method,
    headers: headersOf(method, body, headers),
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    given: signal,
    credentials: "same-origin",
    redirect: "error",
    cache: "no-store",
  });
  const isJson = (answer.headers.get("Content-Type") || "").includes("json");
  if (answer.ok && isText) return text;
  if (answer.ok) return text && isJson ? JSON.parse(text) : null;
  const problem = new Problem(answer.status, isJson ? JSON.parse(text) : {}, answer.headers.get("Retry-After"));
  if (problem.code === "ops_key_required" && path !== "/ops/session") signedOut();
  throw problem;
}

export const get = (path, options) => call("GET", path, options);

/** Every page of a list, up to `most` items. */
export async function all(path, { signal, most = 1000 } = {}) {
  const items = [];
  for (let cursor = null; ; ) {
    const url = new URL(path, location.href);
    if (cursor) url.searchParams.set("cursor", cursor);
    const page = await get(url.pathname + url.search, { signal });
    items.push(...page.items);
    cursor = page.next_cursor;
    if (!cursor || items.length >= most) return items;
  }
}

/** Return who is signed in; from then on calls that change something carry the page's token. */
export async function session() {
  const found = await get("/ops/session");
  csrf = found.csrf || "";
  return found;
}

/** Show the form to sign in again; where one was is kept in the address. */
export function signedOut() {
  sessionStorage.setItem("doorbuster-why", T.session_over);
  location.reload();
}
