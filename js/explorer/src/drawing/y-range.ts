/** The range of the value axis: it widens when it must, narrows only when much is empty, and glides there. Pure arithmetic. */

import { decimal } from "../../../common/src/format";
import { ENDS, MEDIAN } from "../state/quantiles";
import type { Selection, Style } from "../state/selection";

/** The lowest and the highest value of the axis. */
export type YRange = [number, number];

/** Shares of a value: narrower ranges are none, or may be the rounding of single precision. */
const CONSTANT = 1e-9;
const NOISE = 1e-6;
/** Share of the axis in use below which it narrows. */
const SLACK = 0.5;
/** Share of the way that a frame glides. */
const SPEED = 0.3;

/** The range of an axis that shows all values between two, by the rule of the static charts: never empty, not below zero for data that never are. */
export function paddedRange(low: number, high: number): YRange {
  const largest = Math.max(Math.abs(low), Math.abs(high));
  if (high - low <= Math.max(largest * CONSTANT, 1e-150)) {
    const margin = largest > 1e-150 ? largest * 0.1 : 1;
    return [low - margin, high + margin];
  }
  const margin = (high - low) * 0.06;
  return [low >= 0 ? Math.max(low - margin, 0) : low - margin, high + margin];
}

/** The next range on the way to the one that is needed, and whether there is further to go. */
export function nextRange(
  now: YRange | null,
  need: YRange | null,
  glide: boolean,
): { range: YRange; gliding: boolean } {
  if (!need) return { range: now ?? [0, 1], gliding: false };
  const target = paddedRange(...need);
  if (!now) return { range: target, gliding: false };
  const span = now[1] - now[0];
  const least = now[0] === 0 && need[0] >= 0 ? 0 : now[0] + span * 0.01;
  const isInside = need[0] >= least && need[1] <= now[1] - span * 0.01;
  if (isInside && need[1] - need[0] > span * SLACK) return { range: now, gliding: false };
  if (!glide) return { range: target, gliding: false };
  const next: YRange = [now[0] + (target[0] - now[0]) * SPEED, now[1] + (target[1] - now[1]) * SPEED];
  const distance = Math.abs(target[0] - next[0]) + Math.abs(target[1] - next[1]);
  return distance < (target[1] - target[0]) * 0.004
    ? { range: target, gliding: false }
    : { range: next, gliding: true };
}

/** The lowest and the highest of the values in view and the fans, whose bands are never cut. */
export function extent(
  { history, forecasts, near, joints, pin }: Pick<Selection, "history" | "forecasts" | "near" | "joints" | "pin">,
  style: Style,
  first: number,
  last: number,
): YRange | null {
  const of = (round: (v: number) => number): YRange => {
    let low = Infinity;
    let high = -Infinity;
    const take = (v: number): void => {
      if (v < low) low = v;
      if (v > high) high = v;
    };
    for (let i = first; i <= last; i++) take(history.value[i]);
    for (const forecast of near && style !== "total" ? [...forecasts, near.forecast] : forecasts) {
      if (!forecast?.filled) continue;
      // Densities reach somewhat beyond the outermost quantiles.
      const stretch = style === "density" && forecast === forecasts[0] ? 1.3 : 1;
      for (let i = 0; i < forecast.ends.length; i++) {
        const median = round(forecast.ends[i - (i % ENDS) + MEDIAN]);
        take(median + (round(forecast.ends[i]) - median) * stretch);
      }
    }
    if (pin && style !== "total")
      for (let i = 0; i < pin.forecast.ends.length; i++) {
        // Its outline is that of the 80 % band.
        if (i % ENDS > 0 && i % ENDS < ENDS - 1) take(round(pin.forecast.ends[i]));
      }
    if (style === "paths") for (const v of joints[0]?.limits ?? []) take(round(v));
    return [low, high];
  };
  const [low, high] = of((v) => v);
  if (!(high >= low)) return null;
  const largest = Math.max(Math.abs(low), Math.abs(high));
  if (high - low >= NOISE * largest) return [low, high];
  const written = of(decimal);
  return written[1] - written[0] <= CONSTANT * largest ? written : [low, high];
}
