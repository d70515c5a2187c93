/** The selection as running totals: what has come together since the origin, and in each horizon's length before it. */

import type { Forecast } from "./row-cache";
import type { Selection } from "./selection";

/** Values that add up from 0 after each horizon's length, counted from the origin; NaN from a gap to the next length. */
export function runningTotals(
  value: Float64Array,
  row: number,
  horizon: number,
  first: number,
  last: number,
  into: Float64Array,
): void {
  const start = row + 1 - Math.ceil(Math.max(row + 1 - first, 0) / horizon) * horizon;
  let sum = start < 0 ? NaN : 0; // a length that begins before the data has no total
  for (let i = Math.max(start, 0); i <= last; i++) {
    if ((i - start) % horizon === 0) sum = 0;
    sum += value[i];
    into[i] = i <= row + horizon ? sum : NaN;
  }
}

/** The selection with totals in place of values. Forecasts without a joint one are left out. */
export function asTotals(selection: Selection, first: number, last: number, into: Float64Array): Selection {
  const { history, row, meta, forecasts, joints } = selection;
  runningTotals(history.value, row, meta.horizon, first, last, into);
  const totals = forecasts.map((forecast, i): Forecast | null => {
    const joint = joints[i];
    return forecast?.filled && joint ? { draws: forecast.draws, ends: joint.sums, filled: true } : null;
  });
  return { ...selection, history: { ...history, value: into }, forecasts: totals };
}
