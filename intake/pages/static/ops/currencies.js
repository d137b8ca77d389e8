// Digits behind the point of an amount in major units (ISO 4217), where there are not two. Owns that list; a test holds it
// to the server's, since browsers count some currencies otherwise.

const DIGITS = {
  0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
  3: "BHD IQD JOD KWD LYD OMR TND",
  4: "CLF UYW",
};
const BY_CODE = new Map(Object.entries(DIGITS).flatMap(([digits, codes]) => codes.split(" ").map((code) => [code, Number(digits)])));

export const digitsOf = (currency) => BY_CODE.get(currency) ?? 2;

/** Read an amount as people write it, in minor units; null if it is none, or has more digits than the currency. */
export function minorUnits(text, currency) {
  const match = /^(\d{1,12})(?:[.,](\d+))?$/.exec(text.trim());
  const digits = digitsOf(currency);
  if (!match || (match[2] || "").length > digits) return null;
  return Number(match[1]) * 10 ** digits + Number((match[2] || "").padEnd(digits, "0") || 0);
}

/** The other way round, without the currency's code. */
export function majorUnits(amount, currency) {
  const digits = digitsOf(currency);
  const text = String(amount).padStart(digits + 1, "0");
  return digits ? `${text.slice(0, -digits)}.${text.slice(-digits)}` : text;
}
