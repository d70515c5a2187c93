/** Numbers, counts and durations as text. What `nbforecast/text.py` has too reads the same: `tests/golden/wording.json` is checked on both sides. */

/** Replaces hyphens by minus signs, which are as wide as digits. */
export const minus = (text: string): string => text.replace(/-/g, "−");

/** A value that is not known. */
const UNKNOWN = "–";

/** A number with a fixed count of decimals and thousands separated; ties go to the even digit, as in Python. */
export function fixed(v: number, decimals: number): string {
  let text = v.toFixed(decimals);
  // A tie is a double that ends in a five right behind the last decimal; toFixed rounds all of them up.
  const exact = v.toFixed(Math.min(100, decimals + 40)).slice(decimals ? text.length : text.length + 1);
  if (/^50*$/.test(exact) && /[13579]$/.test(text)) {
    text = `${v < 0 ? "-" : ""}${(Math.abs(Number(text)) - 10 ** -decimals).toFixed(decimals)}`;
  }
  if (/^-[0.]*$/.test(text)) text = text.slice(1);
  const [whole, part] = text.split(".");
  const thousands = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return part === undefined ? thousands : `${thousands}.${part}`;
}

/** A number in powers of ten, the exponent with two digits at least: 2.50e-09. */
function exponential(v: number, digits: number): string {
  return v.toExponential(digits - 1).replace(/e([+-])(\d)$/, "e$10$2");
}

/** The exponent of the first digit of a number that is not zero. */
const exponentOf = (v: number): number => Number(v.toExponential().split("e")[1]);

/** A number with a few significant digits: 8.243, 0.4241, 1,204; integer digits are never cut. */
export function number(v: number | null | undefined, digits: number): string {
  if (v === null || v === undefined || !Number.isFinite(v)) return UNKNOWN;
  if (v === 0) return "0";
  const power = exponential(v, digits);
  const exponent = Number(power.split("e")[1]);
  if (exponent <= -5 || exponent >= 12) return power;
  return minus(fixed(v, Math.max(0, digits - 1 - exponent)));
}

/** Numbers written alike, with as many decimals as it takes to tell them apart, and `digits` of the largest at least. */
export function distinctNumbers(values: readonly number[], digits = 3): string[] {
  const known = values.filter(Number.isFinite);
  const largest = known.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  if (largest === 0) return values.map((v) => (v === 0 ? "0" : UNKNOWN));
  const spread = Math.max(...known) - Math.min(...known);
  if (spread > largest * 1e-11) digits = Math.max(digits, 2 + Math.ceil(Math.log10(largest / spread)));
  const isPlain = largest >= 1e-4 && largest < 1e15;
  const decimals = Math.max(0, digits - 1 - exponentOf(largest));
  return values.map((v) => {
    if (!Number.isFinite(v)) return UNKNOWN;
    if (!isPlain) return exponential(v, digits);
    return v || decimals === 0 ? minus(fixed(v, decimals)) : "0";
  });
}

/** The number that a single-precision value is written as: the shortest decimal one, 0.1 instead of 0.10000000149. */
export function decimal(v: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(v.toPrecision(digits));
    if (Math.fround(short) === v) return short;
  }
  return v;
}

/** A score, with four significant digits. */
export const score = (v: number | null | undefined): string => number(v, 4);

/** A count: 1,234. */
export function integer(n: number): string {
  return minus(fixed(Math.round(n), 0));
}

/** 51.3 %, of a share 0 .. 1. */
export function percent(share: number | null | undefined, decimals = 1): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return UNKNOWN;
  return `${(share * 100).toFixed(decimals)} %`;
}

/** A length of time in seconds: 8 s, 3 min, 1 h 20 min. */
export function duration(seconds: number): string {
  if (seconds < 1) return "under 1 s";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `${Math.round(hours / 24)} days`;
  return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
}

/** Origins a second. */
export function rate(perSecond: number): string {
  return perSecond >= 10 ? `${integer(perSecond)} origins/s` : `${perSecond.toFixed(1)} origins/s`;
}

/** A count with its noun. */
export function plural(n: number, name: string, many = `${name}s`): string {
  return `${integer(n)} ${n === 1 ? name : many}`;
}

/** How far ahead a step (from 1) is: +35 min, +12 h, +3 d; without a calendar +7. */
export function ahead(step: number, seconds: number | null): string {
  if (seconds === null) return `+${step}`;
  const total = step * seconds;
  for (const [size, name] of [
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ] as const) {
    if (total >= size && total % size === 0) return `+${integer(total / size)} ${name}`;
  }
  return `+${step}`;
}

/** A number of bytes: 480 B, 12.3 MB, 2 GB. */
export function byteSize(bytes: number): string {
  let size = bytes;
  let unit = "B";
  for (unit of ["B", "kB", "MB", "GB"]) {
    if (size < 999.5 || unit === "GB") break;
    size /= 1000;
  }
  return `${size < 99.5 && unit !== "B" ? Number(size.toPrecision(3)) : Math.round(size)} ${unit}`;
}

/** How long ago a moment is, both in seconds: just now, 3 min ago, 2 days ago. */
export function ago(then: number, now: number): string {
  const minutes = (now - then) / 60;
  if (minutes < 0.75) return "just now";
  if (minutes < 59.5) return `${Math.round(minutes)} min ago`;
  return minutes < 48 * 60 ? `${Math.round(minutes / 60)} h ago` : `${Math.round(minutes / 1440)} days ago`;
}
