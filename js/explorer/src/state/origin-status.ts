/** How far the origins of a series have come with a model, and their scores. */

import { INFERRED, SCORED, type ScatteredStatusMessage, type StatusMessage } from "../wire/messages";
import { grown } from "./growth";
import { quantiles, worstRows } from "./ranking";

/** One number a row. */
export class OriginStatus {
  /** Codes: PENDING, INFERRED, UNSCORED, SCORED or UNAVAILABLE. */
  status: Uint8Array;
  /** Codes of `reasons` in the meta message. */
  reason: Uint8Array;
  /** Mean CRPS over the steps, in the data's unit; NaN where it is not known. */
  score: Float32Array;
  /** The first row whose context is long enough for it to rank among the worst. */
  rankedFrom = 0;
  /** Counts the changes. */
  version = 0;
  #worst: { version: number; distance: number; rows: number[] } | null = null;
  #scale: { version: number; time: number; range: [number, number] | null } | null = null;

  constructor(rows: number) {
    this.status = new Uint8Array(rows);
    this.reason = new Uint8Array(rows);
    this.score = new Float32Array(rows).fill(NaN);
  }

  /** Makes room for rows that are new. */
  grow(rows: number): void {
    const before = this.status.length;
    this.status = grown(this.status, before, rows, 0);
    this.reason = grown(this.reason, before, rows, 0);
    this.score = grown(this.score, before, rows, NaN);
    this.version++;
  }

  receive(message: StatusMessage | ScatteredStatusMessage): void {
    const { status, reason, score } = message;
    this.version++;
    if (message.kind === "status") {
      this.rankedFrom = message.ranked_from;
      this.status.set(status, message.first);
      this.reason.set(reason, message.first);
      this.score.set(score, message.first);
      return;
    }
    message.rows.forEach((row, i) => {
      [this.status[row], this.reason[row], this.score[row]] = [status[i], reason[i], score[i]];
    });
  }

  /** Takes scores without the loss of those of a long series; what an overview shows of them is the same. */
  refine(first: number, score: Float32Array): void {
    const end = Math.min(score.length, this.score.length - first);
    for (let i = 0; i < end; i++) if (!Number.isNaN(score[i])) this.score[first + i] = score[i];
  }

  /** The row nearest to one, at most `reach` rows from it, that has a forecast; null where there is none. */
  nearestForecast(row: number, reach: number): number | null {
    const has = (at: number): boolean => this.status[at] >= INFERRED && this.status[at] <= SCORED;
    for (let d = 0; d <= reach; d++) {
      if (has(row - d)) return row - d;
      if (has(row + d)) return row + d;
    }
    return null;
  }

  /** The worst rows, at least `distance` rows from each other, the worst first. */
  worst(distance: number): number[] {
    if (this.#worst?.version !== this.version || this.#worst.distance !== distance) {
      this.#worst = { version: this.version, distance, rows: worstRows(this.score, distance, this.rankedFrom) };
    }
    return this.#worst.rows;
  }

  /** The scores of the palest and the darkest colour; while a run goes on updated at most once a second. */
  scale(now = performance.now()): [number, number] | null {
    const last = this.#scale;
    if (last && (last.version === this.version || (now - last.time < 1000 && last.range))) return last.range;
    const ends = quantiles(this.score, [0.05, 0.98]);
    const range: [number, number] | null = ends && [ends[0], ends[1] > ends[0] ? ends[1] : ends[0] + 1e-12];
    this.#scale = { version: this.version, time: now, range };
    return range;
  }
}
