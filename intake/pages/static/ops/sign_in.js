// The form to sign in. Owns it; keeps no key anywhere.

import { Problem, call, operator } from "./api.js";
import { say } from "./dom.js";
import { T } from "./texts.js";

const form = document.getElementById("sign-in");
const problem = document.getElementById("problem");
const why = document.getElementById("why");
const button = form.querySelector("button");
const { key, totp } = form.elements;

function show(input, text) {
  const place = document.getElementById(`${input.id}-problem`);
  say(place, text);
  place.hidden = !text;
  input.toggleAttribute("aria-invalid", Boolean(text));
  if (text) input.focus();
}

function missing() {
  show(totp, "");
  show(key, "");
  if (!key.value.trim()) return show(key, T.key_missing), true;
  const digits = totp.value.replace(/\s/g, "");
  if (!totp.closest(".field").hidden && !/^\d{6}$/.test(digits)) return show(totp, T.totp_missing), true;
  return false;
}

async function signIn() {
  const digits = totp.value.replace(/\s/g, "");
  const body = digits ? { key: key.value.trim(), totp: digits } : { key: key.value.trim() };
  try {
    await call("POST", "/ops/session", { body });
    operator.set(form.elements.operator.value.trim());
    sessionStorage.removeItem("doorbuster-why");
    location.reload();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.code === "totp_required" || error.code === "totp_invalid") {
      totp.closest(".field").hidden = false;
      show(totp, error.code === "totp_required" ? T.problems.totp_required : error.message);
      return;
    }
    say(problem, error.code === "ops_key_required" ? T.problems.ops_key_required : error.words);
    problem.hidden = false;
    key.focus();
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.hidden = true;
  if (missing()) return;
  button.disabled = true;
  try {
    await signIn();
  } finally {
    button.disabled = false;
  }
});

form.elements.operator.value = operator.get();
const told = sessionStorage.getItem("doorbuster-why");
if (told) {
  say(why, told);
  why.hidden = false;
  sessionStorage.removeItem("doorbuster-why");
}
key.focus();
