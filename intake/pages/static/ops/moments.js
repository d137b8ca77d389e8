// Moments that people type: in their own zone, with UTC beside. Owns the fields for them.

import { field } from "./dialog.js";
import { T } from "./texts.js";
import { utc } from "./words.js";

const zone = () => {
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (at) => {
    const parts = new Intl.DateTimeFormat("en-GB", { timeZoneName: "shortOffset" }).formatToParts(at);
    return `${name}, ${parts.find((part) => part.type === "timeZoneName").value}`;
  };
};

const two = (value) => String(value).padStart(2, "0");

/** How a moment stands in a field of the browser: its own zone, to the second. */
export function localText(at) {
  if (!at) return "";
  const date = new Date(at);
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}${date.getSeconds() ? `:${two(date.getSeconds())}` : ""}`;
}

/** The moment of such a text, as the server takes it; null for an empty one. */
export function momentOf(text) {
  if (!text) return null;
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** A field for a moment; beside it stand the zone, and the same in UTC. */
export function momentField({ value, hint, ...props }) {
  const made = field({ ...props, type: "datetime-local", step: "1", value: localText(value), hint: " " });
  const input = made.querySelector("input");
  const place = made.querySelector(".hint");
  const saysZone = zone();
  const show = () => {
    const at = momentOf(input.value);
    place.textContent = at ? `${saysZone(new Date(at))}; ${utc(at)}` : [hint, T.moments.zone(saysZone(new Date()))].filter(Boolean).join(" ");
  };
  input.addEventListener("input", show);
  show();
  return made;
}
