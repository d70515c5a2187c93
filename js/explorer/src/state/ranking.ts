/** Worst, next worst, random: which origin to show next, from the scores in the browser. */

import { INFERRED, type PanelMessage, SCORED } from "../wire/messages";

/** How many rows are ranked at most: more bad stretches than anybody visits. */
const MOST_RANKED = 50_000;

/** Rows from the worst (highest) score to the best; equal ones in order of time; those without a score, or with one below `least`, left out. */
export function ranking(score: Float32Array, least = -Infinity): Int32Array {
  const rows: number[] = [];
  for (let i = 0; i < score.length; i++) if (Number.isFinite(score[i]) && score[i] >= least) rows.push(i);
  return Int32Array.from(rows.sort((a, b) => score[b] - score[a] || a - b));
}

/**
 * The worst row of each bad stretch, the worst first, at most `max` of them.
 *
 * Neighbours of a bad origin are bad for the same reason, so rows within `distance` of a worse one are left out.
 * Rows before `from` have too short a context to rank; they do where no other has a score.
 */
export function worstRows(score: Float32Array, distance: number, from = 0, max = 1000): number[] {
  const isNear = new Uint8Array(score.length);
  const rows: number[] = [];
  const later = score.length > MOST_RANKED ? score.subarray(from).filter(Number.isFinite).sort() : null;
  const ranked = ranking(score, later?.[Math.max(0, later.length - MOST_RANKED)]);
  const hasOther = ranked.some((row) => row >= from);
  for (const row of ranked) {
    if (isNear[row] || (hasOther && row < from)) continue;
    rows.push(row);
    if (rows.length >= max) break;
    isNear.fill(1, Math.max(0, row - distance + 1), Math.min(score.length, row + distance));
  }
  return rows;
}

/** The next of the worst rows after `row`; from a row that is none of them, the first that is better; at the end the first again. */
export function nextWorst(worst: readonly number[], score: Float32Array, row: number): number | null {
  if (!worst.length) return null;
  const position = worst.indexOf(row);
  if (position >= 0) return worst[(position + 1) % worst.length];
  const current = score[row];
  if (!Number.isFinite(current)) return worst[0];
  return worst.find((r) => score[r] < current) ?? worst[0];
}

/** A random row among those with a forecast, other than `row` if there is another. */
export function randomRow(status: Uint8Array, row: number, chance: () => number = Math.random): number | null {
  const isIn = (s: number, i: number): boolean => s >= INFERRED && s <= SCORED && i !== row;
  const count = status.reduce((sum, s, i) => sum + Number(isIn(s, i)), 0);
  let left = Math.min(count - 1, Math.floor(chance() * count));
  const found = status.findIndex((s, i) => isIn(s, i) && left-- === 0);
  return found < 0 ? null : found;
}

/** What the series of a panel are sorted by. */
export type SortKey = "name" | "mase" | "coverage" | "worst_time" | "events";

/** The positions of a panel's series, the worst first; those of which nothing is known come last. */
export function sortSeries(panel: PanelMessage | null, key: SortKey, count: number): number[] {
  const all = Array.from({ length: count }, (_, i) => i);
  if (!panel || key === "name") return all;
  const of = (i: number): number => {
    const v = panel[key][i];
    return Number.isNaN(v) ? -Infinity : key === "coverage" ? Math.abs(v - 0.8) : v;
  };
  return all.sort((a, b) => of(b) - of(a) || a - b);
}

/** Values that a scale of colours is taken from; of more an even part, which gives the same colours. */
const SCALE_VALUES = 20_000;

/** The values at the given shares of all finite ones, for the scale of colours. */
export function quantiles(values: Float32Array, shares: readonly number[]): number[] | null {
  const every = Math.ceil(values.length / SCALE_VALUES);
  const sorted = values.filter((v, i) => i % every === 0 && Number.isFinite(v)).sort();
  if (!sorted.length) return null;
  return shares.map((s) => sorted[Math.round(s * (sorted.length - 1))]);
}
