// Figures as people read them. Owns their form: numbers, money, times, spans.

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
