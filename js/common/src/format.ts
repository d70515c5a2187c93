/** Numbers, counts and durations as text. What `nbforecast/text.py` has too reads the same: `tests/golden/wording.json` is checked on both sides. */

/** Replaces hyphens by minus signs, which are as wide as digits. */
const minus = (text: string): string => text.replace(/-/g, "−");

/** Decimals that tell values apart over a span; 0 for whole numbers of a hundred or more. */
export function decimalsFor(span: number): number {
  if (!(span > 0) || !Number.isFinite(span)) return 0;
  return Math.max(0, Math.min(12, Math.ceil(2 - Math.log10(span))));
}

/** A value, with thousands separated; very large and very small ones in powers of ten. */
export function value(v: number | null | undefined, decimals: number): string {
  if (v === null || v === undefined || !Number.isFinite(v)) return "–";
  const size = Math.abs(v);
  if (size >= 1e9 || (size > 0 && size < 10 ** -Math.min(decimals + 1, 8) && size < 1e-4))
    return minus(v.toExponential(2));
  const text = v.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return minus(/^-0(\.0*)?$/.test(text) ? text.slice(1) : text);
}

/** A number with a few significant digits: 8.243, 0.4241, 1,204; integer digits are never cut. */
export function number(v: number | null | undefined, digits: number): string {
  if (v === null || v === undefined || !Number.isFinite(v)) return "–";
  if (v === 0) return "0";
  const power = v.toExponential(digits - 1);
  const exponent = Number(power.split("e")[1]);
  if (exponent <= -5 || exponent >= 12) return power.replace(/e([+-])(\d)$/, "e$10$2");
  const decimals = Math.max(0, digits - 1 - exponent);
  return minus(v.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));
}

/** A score, with four significant digits. */
export const score = (v: number | null | undefined): string => number(v, 4);

/** A count: 1,234. */
export function integer(n: number): string {
  return minus(Math.round(n).toLocaleString("en-US"));
}

/** 51.3 %, of a share 0 .. 1. */
export function percent(share: number | null | undefined, decimals = 1): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return "–";
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
