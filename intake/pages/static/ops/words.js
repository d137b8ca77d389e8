// Figures as people read them. Owns their form: numbers, money, times, spans.

import { majorUnits } from "./currencies.js";

const NUMBER = new Intl.NumberFormat("en");
const RATE = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

export const number = (value) => NUMBER.format(value);
export const rate = (value) => (value >= 100 ? NUMBER.format(Math.round(value)) : RATE.format(value));

/** A span in its two largest units. */
export function seconds(value) {
  const whole = Math.round(value);
  if (whole < 60) return `${value < 10 && value !== whole ? RATE.format(value) : whole} s`;
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = parts.findIndex(([size]) => whole >= size);
  let left = whole;
  const said = [];
  for (const [size, unit] of parts.slice(first, first + 2)) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count) said.push(`${count} ${unit}`);
  }
  return said.join(" ");
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const MOMENT = new Intl.DateTimeFormat("en-GB", {
  weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
});

/** A time of day where whoever looks is. */
export const clockTime = (at) => CLOCK.format(new Date(at));

/** A moment with its day and zone, where whoever looks is. */
export const moment = (at) => MOMENT.format(new Date(at));

/** A moment in UTC, to be compared with logs. */
export const utc = (at) => `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;

/** An amount of minor units in its currency. */
export function money(amount, currency) {
  const [whole, part] = majorUnits(amount, currency).split(".");
  return `${NUMBER.format(Number(whole))}${part ? `.${part}` : ""} ${currency}`;
}
