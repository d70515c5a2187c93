/** Ticks of an axis of values and their labels, by the rule of the static charts: nbforecast/charts/ticks.py, checked by tests/golden/shown.json. */

import { decimal, fixed, minus, number } from "../../../common/src/format";

const SCALES = [
  [1e12, "T"],
  [1e9, "B"],
  [1e6, "M"],
  [1e3, "k"],
] as const;

/** Ticks, and the texts of values. */
export interface ValueAxis {
  /** Ticks from low to high, and their labels. */
  ticks: number[];
  labels: string[];
  /** A value between ticks, to a tenth of their distance; one that is nearly nothing on this axis has digits of its own. */
  exact(value: number): string;
}

/** The 1, 2 or 5 (times a power of ten) that comes closest to dividing a span into so many steps. */
export function niceStep(span: number, count: number): number {
  const raw = span / Math.max(count, 1);
  const power = powerOfTen(Number(raw.toExponential().split("e")[1]));
  const squared = (raw / power) ** 2;
  return power * (squared < 2 ? 1 : squared < 10 ? 2 : squared < 50 ? 5 : 10);
}

/** About `count` ticks within two values, both finite and low < high. */
export function valueAxis(low: number, high: number, count = 5): ValueAxis {
  const largest = Math.max(Math.abs(low), Math.abs(high));
  const step = niceStep(Math.max(high - low, largest * 1e-12), count);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  const ticks = Array.from({ length: Math.max(0, last - first + 1) }, (_, k) => (first + k) * step);
  const [scale, suffix] = scaleOf(largest, step);
  const write = (value: number, decimals: number): string => {
    const text = minus(fixed(value / scale, decimals));
    return /^0(\.0*)?$/.test(text) && (suffix || value) ? "0" : text + suffix;
  };
  const exact = (value: number): string => {
    const short = decimal(value);
    const shown = Math.abs(short - value) <= step / 10 ? short : value;
    const text = write(shown, decimalsOf(step / 10 / scale));
    return shown && text === "0" ? number(shown, 3) : text;
  };
  return { ticks, labels: ticks.map((t) => write(t, decimalsOf(step / scale))), exact };
}

/** Whole numbers within two values, so few that their labels fit `width` pixels. */
export function countTicks(low: number, high: number, width: number): number[] {
  for (let count = Math.max(1, Math.floor(width / 60)); ; count--) {
    const step = Math.max(1, Math.round(niceStep(Math.max(high - low, 1), count)));
    const first = Math.ceil(low / step);
    const ticks = Array.from(
      { length: Math.max(0, Math.floor(high / step) - first + 1) },
      (_, k) => (first + k) * step,
    );
    const longest = ticks.reduce((most, t) => Math.max(most, fixed(t, 0).length), 0);
    if (count <= 1 || (longest * 7 + 16) * (ticks.length - 1) <= width) return ticks;
  }
}

/** What the numbers of an axis are divided by, and the text behind them. */
function scaleOf(largest: number, step: number): [number, string] {
  if (largest >= 1e15 || largest < 1e-3) {
    const exponent = Math.floor(Math.log10(largest) + 1e-9);
    return [powerOfTen(exponent), `×10${superscript(exponent)}`];
  }
  const found = SCALES.find(([scale]) => largest >= scale * (1 - 1e-9));
  return !found || largest < 1e5 || decimalsOf(step / found[0]) > 2 ? [1, ""] : [...found];
}

const powerOfTen = (exponent: number): number => Number(`1e${exponent}`);

const decimalsOf = (step: number): number => Math.min(15, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)));

function superscript(n: number): string {
  return String(n).replace(/./g, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)]));
}
