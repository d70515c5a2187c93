/** Sketches: the bands of some origins all over a series, so that a pointer that sweeps over it waits for no message. */

import type { SketchMessage } from "../wire/messages";
import { drawsOf, ENDS } from "./quantiles";
import type { Forecast } from "./row-cache";

/** The sketched origin that is nearest to another one. */
export interface Near {
  row: number;
  forecast: Forecast;
}

/** The sketches of one series by one model. */
export class Sketch {
  #rows = new Int32Array(0);
  readonly #forecasts = new Map<number, Forecast>();

  /** Takes origins from the kernel; `levels` are those of the model's draws. */
  put({ rows, limits, codes }: SketchMessage, levels: readonly number[]): void {
    const size = rows.length ? codes.length / rows.length : 0;
    rows.forEach((row, i) => {
      const [low, high] = [limits[2 * i], limits[2 * i + 1]];
      const ends = Float32Array.from(
        codes.subarray(i * size, (i + 1) * size),
        (code) => low + (code / 65535) * (high - low),
      );
      let draws: Float32Array | null = null;
      this.#forecasts.set(row, {
        ends,
        filled: true,
        isSketch: true,
        get draws() {
          draws ??= drawsOf(ends, ends.length / ENDS, levels);
          return draws;
        },
      });
    });
    this.#rows = Int32Array.from(this.#forecasts.keys()).sort();
  }

  /** Forgets all: what they were forecast from has changed. */
  clear(): void {
    this.#rows = new Int32Array(0);
    this.#forecasts.clear();
  }

  /** An origin's bands; null where it is not sketched. */
  get(row: number): Forecast | null {
    return this.#forecasts.get(row) ?? null;
  }

  /** The nearest sketched origin; null where there is none. */
  nearest(row: number): Near | null {
    const rows = this.#rows;
    let from = 0;
    let to = rows.length - 1;
    if (to < 0) return null;
    while (from < to) {
      const middle = (from + to + 1) >> 1;
      if (rows[middle] <= row) from = middle;
      else to = middle - 1;
    }
    const next = rows[from + 1] - row < Math.abs(row - rows[from]) ? rows[from + 1] : rows[from];
    const forecast = this.get(next);
    return forecast && { row: next, forecast };
  }
}
