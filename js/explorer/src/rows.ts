/** Forecasts held in the browser: chunks of origins per series and model, the least used dropped first. */

import { ENDS, type RowsMessage } from "./protocol";
import { complete } from "./quantiles";

export const MOST_BYTES = 64 * 1024 * 1024;
const CHUNK_BYTES = 2 * 1024 * 1024;
const MOST_CHUNK = 512;

const NONE = 0;
const FRESH = 1;
/** Drawn as it is, but asked for again: its origin has got further since. */
const STALE = 2;

interface Chunk {
  draws: Float32Array;
  ends: Float32Array;
  have: Uint8Array;
  bytes: number;
}

/** One origin's forecast: views, not copies. */
export interface Row {
  /** (H, Q) */
  draws: Float32Array;
  /** (H, 7) */
  ends: Float32Array;
  /** Whether anything is there; a waiting origin's row is all NaN. */
  filled: boolean;
}

/** Rows of one series and model. */
export interface Span {
  first: number;
  count: number;
}

/** Origins a chunk: as many as fit two megabytes, a power of two, 512 at most. */
export function chunkSize(horizon: number, draws: number): number {
  const room = Math.max(1, Math.floor(CHUNK_BYTES / (horizon * (draws + ENDS) * 4)));
  return Math.min(MOST_CHUNK, 2 ** Math.floor(Math.log2(room)));
}

export class RowCache {
  /** In order of use, the least recent first: a Map keeps the order of insertion. */
  private readonly chunks = new Map<string, Chunk>();
  private used = 0;

  constructor(
    private readonly horizon: number,
    private readonly levels: (model: number) => readonly number[],
    private readonly rows: (series: number) => number,
    private readonly most = MOST_BYTES,
  ) {}

  /** Bytes held. */
  get bytes(): number {
    return this.used;
  }

  private draws(model: number): number {
    return this.levels(model).length;
  }

  size(model: number): number {
    return chunkSize(this.horizon, this.draws(model));
  }

  private key(series: number, model: number, chunk: number): string {
    return `${series}/${model}/${chunk}`;
  }

  private find(series: number, model: number, row: number): [Chunk | undefined, number] {
    const size = this.size(model);
    const at = Math.floor(row / size);
    return [this.chunks.get(this.key(series, model, at)), row - at * size];
  }

  /** An origin's forecast, and null where it has not come yet. */
  row(series: number, model: number, row: number): Row | null {
    const [chunk, at] = this.find(series, model, row);
    if (!chunk || chunk.have[at] === NONE) return null;
    const wide = this.horizon * this.draws(model);
    const narrow = this.horizon * ENDS;
    const ends = chunk.ends.subarray(at * narrow, (at + 1) * narrow);
    const draws = chunk.draws.subarray(at * wide, (at + 1) * wide);
    let filled = false;
    for (let h = 0; h < this.horizon && !filled; h++) filled = Number.isFinite(ends[h * ENDS + 3]);
    return { draws, ends, filled };
  }

  /** Marks a chunk as just used, so that it is dropped last. */
  touch(series: number, model: number, row: number): void {
    const key = this.key(series, model, Math.floor(row / this.size(model)));
    const chunk = this.chunks.get(key);
    if (!chunk) return;
    this.chunks.delete(key);
    this.chunks.set(key, chunk);
  }

  /** Takes in rows from the kernel, whatever range they have. */
  put(message: RowsMessage): void {
    const { series, model } = message;
    complete(message.draws, message.ends, this.levels(model));
    const size = this.size(model);
    const wide = this.horizon * this.draws(model);
    const narrow = this.horizon * ENDS;
    for (let done = 0; done < message.count; ) {
      const row = message.first + done;
      const at = row % size;
      const count = Math.min(size - at, message.count - done);
      const chunk = this.obtain(series, model, Math.floor(row / size));
      chunk.draws.set(message.draws.subarray(done * wide, (done + count) * wide), at * wide);
      chunk.ends.set(message.ends.subarray(done * narrow, (done + count) * narrow), at * narrow);
      chunk.have.fill(FRESH, at, at + count);
      done += count;
    }
    this.shrink();
  }

  private obtain(series: number, model: number, index: number): Chunk {
    const key = this.key(series, model, index);
    const known = this.chunks.get(key);
    if (known) return known;
    const count = Math.min(this.size(model), this.rows(series) - index * this.size(model));
    const draws = new Float32Array(count * this.horizon * this.draws(model));
    const ends = new Float32Array(count * this.horizon * ENDS);
    const chunk = { draws, ends, have: new Uint8Array(count), bytes: draws.byteLength + ends.byteLength + count };
    this.chunks.set(key, chunk);
    this.used += chunk.bytes;
    return chunk;
  }

  private shrink(): void {
    for (const [key, chunk] of this.chunks) {
      if (this.used <= this.most || this.chunks.size <= 1) return;
      this.chunks.delete(key);
      this.used -= chunk.bytes;
    }
  }

  /** These origins have got further: what is held is still shown, but to be asked for again. */
  stale(series: number, model: number, row: number): void {
    const [chunk, at] = this.find(series, model, row);
    if (chunk && chunk.have[at] === FRESH) chunk.have[at] = STALE;
  }

  /** What is missing or stale of the chunk a row lies in; null when all of it is fresh. */
  missing(series: number, model: number, row: number): Span | null {
    const size = this.size(model);
    const start = Math.floor(row / size) * size;
    const count = Math.min(size, this.rows(series) - start);
    if (count <= 0 || row < 0) return null;
    const chunk = this.chunks.get(this.key(series, model, start / size));
    if (!chunk) return { first: start, count };
    let low = 0;
    while (low < count && chunk.have[low] === FRESH) low++;
    if (low === count) return null;
    let high = count;
    while (chunk.have[high - 1] === FRESH) high--;
    return { first: start + low, count: high - low };
  }

  /** Whether nothing at all is held for this origin. */
  absent(series: number, model: number, row: number): boolean {
    const [chunk, at] = this.find(series, model, row);
    return !chunk || chunk.have[at] === NONE;
  }
}
