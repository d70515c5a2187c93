/** Forecasts in the browser: chunks of origins for each series and model; the least recently used are dropped first. */

import type { RowsMessage } from "../wire/messages";
import { ENDS, fillEnds, MEDIAN } from "./quantiles";

/** Bytes of all chunks. */
export const MAX_BYTES = 64 * 1024 * 1024;
const CHUNK_BYTES = 2 * 1024 * 1024;
const MAX_CHUNK = 512;

const MISSING = 0;
const FRESH = 1;
/** Drawn as it is, but requested again: its origin has come further since. */
const STALE = 2;

interface Chunk {
  draws: Float32Array;
  ends: Float32Array;
  states: Uint8Array;
  bytes: number;
}

/** One origin's forecast: views, not copies. */
export interface Forecast {
  /** (H, Q) */
  draws: Float32Array;
  /** (H, 7) */
  ends: Float32Array;
  /** Whether it has values; a pending origin's forecast is all NaN. */
  filled: boolean;
  /** Whether it is as exact as a pixel only. */
  isSketch?: boolean;
}

/** Rows of one series and model. */
export interface RowSpan {
  first: number;
  count: number;
}

/** Origins in a chunk: as many as fit two megabytes, a power of two, 512 at most. */
export function chunkSize(horizon: number, draws: number): number {
  const room = Math.max(1, Math.floor(CHUNK_BYTES / (horizon * (draws + ENDS) * 4)));
  return Math.min(MAX_CHUNK, 2 ** Math.floor(Math.log2(room)));
}

/** The cache; `levels` and `rows` give the probabilities of a model's draws and the length of a series. */
export class RowCache {
  /** In the order of use, the least recent first: a Map keeps the order of insertion. */
  readonly #chunks = new Map<string, Chunk>();
  #bytes = 0;
  readonly #horizon: number;
  readonly #levels: (model: number) => readonly number[];
  readonly #rows: (series: number) => number;
  readonly #maxBytes: number;

  constructor(
    horizon: number,
    levels: (model: number) => readonly number[],
    rows: (series: number) => number,
    maxBytes = MAX_BYTES,
  ) {
    this.#horizon = horizon;
    this.#levels = levels;
    this.#rows = rows;
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  #draws(model: number): number {
    return this.#levels(model).length;
  }

  /** Origins in a chunk of a model. */
  chunkRows(model: number): number {
    return chunkSize(this.#horizon, this.#draws(model));
  }

  #key(series: number, model: number, row: number): string {
    return `${series}/${model}/${Math.floor(row / this.chunkRows(model))}`;
  }

  #find(series: number, model: number, row: number): [Chunk | undefined, number] {
    return [this.#chunks.get(this.#key(series, model, row)), row % this.chunkRows(model)];
  }

  /** An origin's forecast; null where it has not come yet. */
  forecast(series: number, model: number, row: number): Forecast | null {
    const [chunk, i] = this.#find(series, model, row);
    if (!chunk || chunk.states[i] === MISSING) return null;
    const wide = this.#horizon * this.#draws(model);
    const narrow = this.#horizon * ENDS;
    const ends = chunk.ends.subarray(i * narrow, (i + 1) * narrow);
    const draws = chunk.draws.subarray(i * wide, (i + 1) * wide);
    let filled = false;
    for (let h = 0; h < this.#horizon && !filled; h++) filled = Number.isFinite(ends[h * ENDS + MEDIAN]);
    return { draws, ends, filled };
  }

  /** Marks a chunk as just used, so that it is dropped last. */
  touch(series: number, model: number, row: number): void {
    const key = this.#key(series, model, row);
    const chunk = this.#chunks.get(key);
    if (!chunk) return;
    this.#chunks.delete(key);
    this.#chunks.set(key, chunk);
  }

  /** Takes rows from the kernel, of any range. */
  put(message: RowsMessage): void {
    const { series, model } = message;
    fillEnds(message.draws, message.ends, this.#levels(model));
    const size = this.chunkRows(model);
    const wide = this.#horizon * this.#draws(model);
    const narrow = this.#horizon * ENDS;
    for (let copied = 0; copied < message.count; ) {
      const row = message.first + copied;
      const i = row % size;
      const count = Math.min(size - i, message.count - copied);
      const chunk = this.#obtain(series, model, row);
      chunk.draws.set(message.draws.subarray(copied * wide, (copied + count) * wide), i * wide);
      chunk.ends.set(message.ends.subarray(copied * narrow, (copied + count) * narrow), i * narrow);
      chunk.states.fill(FRESH, i, i + count);
      copied += count;
    }
    this.#shrink();
  }

  #obtain(series: number, model: number, row: number): Chunk {
    const key = this.#key(series, model, row);
    const existing = this.#chunks.get(key);
    if (existing) return existing;
    const size = this.chunkRows(model);
    // Whole chunks also at the end of a series, which may grow.
    const draws = new Float32Array(size * this.#horizon * this.#draws(model));
    const ends = new Float32Array(size * this.#horizon * ENDS);
    const chunk = { draws, ends, states: new Uint8Array(size), bytes: draws.byteLength + ends.byteLength + size };
    this.#chunks.set(key, chunk);
    this.#bytes += chunk.bytes;
    return chunk;
  }

  #shrink(): void {
    for (const [key, chunk] of this.#chunks) {
      if (this.#bytes <= this.#maxBytes || this.#chunks.size <= 1) return;
      this.#chunks.delete(key);
      this.#bytes -= chunk.bytes;
    }
  }

  /** Marks those of some rows that have come further: they are still drawn, but requested again. */
  markStale(series: number, model: number, first: number, end: number, isStale: (row: number) => boolean): void {
    const size = this.chunkRows(model);
    const prefix = `${series}/${model}/`;
    for (const [key, { states }] of this.#chunks) {
      if (!key.startsWith(prefix)) continue;
      const start = Number(key.slice(prefix.length)) * size;
      for (let i = Math.max(0, first - start); i < Math.min(size, end - start); i++)
        if (states[i] === FRESH && isStale(start + i)) states[i] = STALE;
    }
  }

  /** What is missing or stale of the chunk that a row lies in; null when all of it is fresh. */
  missing(series: number, model: number, row: number): RowSpan | null {
    const size = this.chunkRows(model);
    const start = Math.floor(row / size) * size;
    const count = Math.min(size, this.#rows(series) - start);
    if (count <= 0 || row < 0) return null;
    const chunk = this.#chunks.get(this.#key(series, model, row));
    if (!chunk) return { first: start, count };
    let low = 0;
    while (low < count && chunk.states[low] === FRESH) low++;
    if (low === count) return null;
    let high = count;
    while (chunk.states[high - 1] === FRESH) high--;
    return { first: start + low, count: high - low };
  }

  /** Drops all rows of a series by a model: what they were forecast from has changed. */
  drop(series: number, model: number): void {
    for (const [key, chunk] of this.#chunks) {
      if (!key.startsWith(`${series}/${model}/`)) continue;
      this.#chunks.delete(key);
      this.#bytes -= chunk.bytes;
    }
  }

  /** Whether anything is there for an origin. */
  has(series: number, model: number, row: number): boolean {
    const [chunk, i] = this.#find(series, model, row);
    return chunk !== undefined && chunk.states[i] !== MISSING;
  }
}
