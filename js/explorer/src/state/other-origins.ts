/** Origins beside the one in view: earlier ones, the one that is pinned, and those that are selected. */

import type { Forecast } from "./row-cache";
import type { Near } from "./sketch";

/** How many forecasts from earlier origins are drawn. */
const PAST = 5;

/** The origins; `changed` is called after every change. */
export class OtherOrigins {
  /** Whether forecasts from earlier origins are drawn. */
  showsPast = false;
  /** The forecast that stays in view while the origin moves. */
  pin: Near | null = null;
  /** The time of its origin in words. */
  pinTime = "";
  /** The first and the last row of the origins that are selected; null for none. */
  selected: readonly [number, number] | null = null;
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** The forecasts from the last few origins that reach the same times, spread over the horizon before a row. */
  past(row: number, horizon: number, forecastAt: (row: number) => Forecast | null): Near[] {
    if (!this.showsPast) return [];
    const step = Math.max(1, Math.round(horizon / (PAST + 1)));
    return Array.from({ length: PAST }, (_, i) => row - (i + 1) * step).flatMap((r) => {
      const forecast = r >= 0 && r + horizon > row ? forecastAt(r) : null;
      return forecast?.filled ? [{ row: r, forecast }] : [];
    });
  }

  togglePast(): void {
    this.showsPast = !this.showsPast;
    this.#changed();
  }

  /** Pins a forecast beside those that follow, or takes the pin away. */
  togglePin(row: number, forecast: Forecast | null, time: string): void {
    this.pinTime = time;
    const isPinned = !this.pin && forecast?.filled;
    // A copy: the cache may drop its rows.
    this.pin = isPinned ? { row, forecast: { ...forecast, ends: forecast.ends.slice() } } : null;
    this.#changed();
  }

  /** Selects the origins from one row to another, in any order, of so many; null for none. */
  select(rows: readonly [number, number] | null, count: number): void {
    const limited = rows?.map((row) => Math.max(0, Math.min(row, count - 1))).sort((a, b) => a - b);
    this.selected = limited ? [limited[0], limited[1]] : null;
    this.#changed();
  }
}
