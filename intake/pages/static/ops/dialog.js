// Questions before something is done. Owns the dialog: focus stays in it and goes back where it was; one is open at a time.

import { Problem, call } from "./api.js";
import { announce, fill, h } from "./dom.js";
import { T } from "./texts.js";

let count = 0;

/** A labelled field of a form; `name` is how the server calls it, so that its complaints stand beside it. */
export function field({ name, label, hint, ...input }) {
  const id = `field-${++count}`;
  const { options, element = options ? "select" : "input", ...props } = input;
  const made = h(element, { id, name, ...props, "aria-describedby": `${id}-hint ${id}-problem` },
    options?.map(([value, text]) => h("option", { value, selected: value === props.value }, text)));
  if (options && props.value !== undefined) made.value = props.value;
  return h("div", { class: "field" },
    h("label", { for: id }, label),
    made,
    h("span", { class: "hint", id: `${id}-hint`, hidden: !hint }, hint || ""),
    h("span", { class: "problem", id: `${id}-problem`, hidden: true }));
}

/** Say what is wrong with a field, or that nothing is; return whether there is such a field. */
export function complain(form, name, text) {
  const input = form.elements.namedItem(name);
  if (!input) return false;
  const one = input.length && !input.tagName ? input[0] : input;
  const place = document.getElementById(`${one.id}-problem`);
  if (!place) return false;
  place.textContent = text || "";
  place.hidden = !text;
  one.toggleAttribute("aria-invalid", Boolean(text));
  return true;
}

/** Show a Problem in a form: what it says of fields beside them, the rest in `place`; the first wrong field has the focus. */
export function showProblem(form, place, error) {
  for (const one of form.elements) if (one.name) complain(form, one.name, "");
  const rest = (error.errors || []).filter((one) => !complain(form, one.field, one.problem));
  const isNamed = error.errors?.length > rest.length;
  const said = rest.map((one) => `${one.field} ${one.problem}`);
  if (!isNamed || rest.length) said.unshift(error.words || T.problems.internal);
  fill(place, said.map((text) => h("p", {}, text)));
  place.hidden = !said.length;
  if (error instanceof Error && !error.words) console.error(error);
  (form.querySelector("[aria-invalid]") || place).focus();
}

/**
 * Ask, and do it when the answer is yes. `body` are paragraphs and fields; `run` gets the form's fields as an object and
 * the headers to send, and what it throws is shown in the dialog, which stays open. Resolves to what it returned, or null.
 */
export function ask({ title, body, yes, isGrave = false, secondKey = false, check = () => null, run }) {
  const id = `dialog-${++count}`;
  const problem = h("div", { class: "notice bad", role: "alert", tabindex: "-1", hidden: true });
  const button = h("button", { type: "submit", class: isGrave ? "main danger" : "main" }, yes);
  const second = secondKey && field({
    name: "second_key", label: T.steer.second_key, hint: T.steer.second_key_hint, type: "password", required: true,
    autocomplete: "off", spellcheck: "false",
  });
  const form = h("form", { method: "dialog", novalidate: true },
    h("h2", { id }, title), body, second, problem,
    h("div", { class: "buttons" }, button, h("button", { type: "button", onclick: () => dialog.close() }, T.steer.no)));
  const dialog = h("dialog", { "aria-labelledby": id }, form);
  document.body.append(dialog);
  return new Promise((resolve) => {
    let done = null;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const values = Object.fromEntries(new FormData(form));
      const wrong = check(values) || (secondKey && !values.second_key?.trim() && { second_key: T.steer.second_key_missing });
      if (wrong) return showProblem(form, problem, { errors: Object.entries(wrong).map(([name, text]) => ({ field: name, problem: text })) });
      button.disabled = true;
      try {
        const headers = secondKey ? { "Ops-Second-Key": values.second_key.trim() } : {};
        done = { result: await run(values, headers) };
        dialog.close();
      } catch (error) {
        showProblem(form, problem, asSecondKey(error, form));
      } finally {
        button.disabled = false;
      }
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(done);
    });
    dialog.showModal();
  });
}

// The server's refusal of the second key stands beside it.
function asSecondKey(error, form) {
  if (error.code !== "second_key_required" || !form.elements.namedItem("second_key")) return error;
  return { errors: [{ field: "second_key", problem: error.message }] };
}

/** Ask, call the server when the answer is yes, and say that it is done; resolves to whether it was. */
export async function askAndCall({ method = "POST", path, send = () => undefined, headers: own = {}, told, ...question }) {
  const done = await ask({
    ...question,
    run: (values, headers) => call(method, path, { body: send(values), headers: { ...own, ...headers } }),
  });
  if (done) announce(typeof told === "function" ? told(done.result) : told);
  return done;
}

export { Problem };
