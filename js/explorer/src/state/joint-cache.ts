/** Joint forecasts in the browser: paths, running totals and peaks of the origins that were last in view. */

import { type JointMessage, MAX_JOINT_ROWS, SHOWN_PATHS } from "../wire/messages";
import { ENDS, MEDIAN } from "./quantiles";
import type { RowSpan } from "./row-cache";

/** Bytes of all joint forecasts. */
export const MAX_JOINT_BYTES = 16 * 1024 * 1024;
/** Values of a path that a request brings at most: what a kernel calculates within a frame or two. */
const REQUEST_VALUES = 64 * 24;

/** One origin's joint forecast. */
export interface Joint {
  /** The least and the largest value of the paths at each step, (H, 2). */
  limits: Float32Array;
  /** The paths between these, (SHOWN_PATHS, H). */
  codes: Uint8Array;
  /** Quantiles of the sum of the first steps, (H, 7). */
  sums: Float32Array;
  /** Quantiles of the largest value, (7). */
  peak: Float32Array;
  /** Whether it has values. */
  filled: boolean;
}

/** The cache. */
export class JointCache {
  /** In the order of use, the least recent first. */
  readonly #joints = new Map<string, Joint>();
  readonly #stale = new Set<string>();
  readonly #horizon: number;
  readonly #most: number;
  /** Origins that are requested together, a power of two. */
  readonly chunk: number;

  constructor(horizon: number) {
    this.#horizon = horizon;
    this.chunk = Math.min(MAX_JOINT_ROWS, 2 ** Math.max(0, Math.floor(Math.log2(REQUEST_VALUES / horizon))));
    this.#most = Math.max(2 * this.chunk, Math.floor(MAX_JOINT_BYTES / (horizon * (2 * 4 + SHOWN_PATHS + ENDS * 4))));
  }

  #key(series: number, model: number, row: number): string {
    return `${series}/${model}/${row}`;
  }

  /** An origin's joint forecast; null where it has not come yet. */
  get(series: number, model: number, row: number): Joint | null {
    const joint = this.#joints.get(this.#key(series, model, row));
    return joint?.filled ? joint : null;
  }

  /** Takes rows from the kernel. */
  put(message: JointMessage): void {
    const { series, model, first, count } = message;
    const horizon = this.#horizon;
    const part = <T extends Float32Array | Uint8Array>(values: T, i: number, width: number): T =>
      values.subarray(i * width, (i + 1) * width) as T;
    for (let i = 0; i < count; i++) {
      const key = this.#key(series, model, first + i);
      const sums = part(message.sums, i, horizon * ENDS);
      this.#joints.delete(key);
      this.#joints.set(key, {
        limits: part(message.limits, i, horizon * 2),
        codes: part(message.codes, i, horizon * SHOWN_PATHS),
        sums,
        peak: part(message.peaks, i, ENDS),
        filled: Number.isFinite(sums[MEDIAN]),
      });
      this.#stale.delete(key);
    }
    for (const key of this.#joints.keys()) {
      if (this.#joints.size <= this.#most) break;
      this.#joints.delete(key);
      this.#stale.delete(key);
    }
  }

  /** Marks those of some rows that have come further: what there is of them is still drawn, but requested again. */
  markStale(series: number, model: number, first: number, end: number, isStale: (row: number) => boolean): void {
    const prefix = `${series}/${model}/`;
    for (const key of this.#joints.keys()) {
      if (!key.startsWith(prefix)) continue;
      const row = Number(key.slice(prefix.length));
      if (row >= first && row < end && isStale(row)) this.#stale.add(key);
    }
  }

  /** Marks all origins: past forecasts that their dependence rests on have come. */
  markAllStale(): void {
    for (const key of this.#joints.keys()) this.#stale.add(key);
  }

  /** The rows to request for an origin that is missing or stale; null where it is neither. */
  missing(series: number, model: number, row: number, rows: number): RowSpan | null {
    const key = this.#key(series, model, row);
    if (row < 0 || row >= rows || (this.#joints.has(key) && !this.#stale.has(key))) return null;
    const first = row - (row % this.chunk);
    return { first, count: Math.min(this.chunk, rows - first) };
  }
}
