/** Series that are too long to be sent whole: times, statuses and the overview come at once, values by windows of rows. */

import {
  type LongHistoryMessage,
  type LongStatusMessage,
  MAX_WINDOWS,
  type MetaMessage,
  SCORED,
  type StatusMessage,
  type SurprisesMessage,
  WINDOW,
  type WindowMessage,
} from "../wire/messages";
import type { RowSpan } from "./row-cache";
import type { History } from "./selection";

/** A history without values yet. */
export function longHistory(message: LongHistoryMessage, meta: MetaMessage): History {
  const { series, start, steps, low, high, overview } = message;
  const { rows } = meta.series[series];
  const time = new Float64Array(rows + meta.horizon);
  time[0] = start;
  let at = 0;
  for (let i = 0; i < steps.length; i += 2) {
    const from = time[at];
    for (let k = 1; k <= steps[i + 1]; k++) time[at + k] = from + k * steps[i];
    at += steps[i + 1];
  }
  return {
    time,
    value: new Float64Array(rows).fill(NaN),
    covariates: new Float64Array(meta.covariates.length * time.length).fill(NaN),
    low: low ?? 0,
    high: high ?? 1,
    origin: {},
    changed: 0,
    overview,
    windows: new Uint8Array(Math.ceil(rows / WINDOW)),
  };
}

/** Takes values that have come: another history in the same memory, so that it is drawn again, but not in the overview. */
export function withWindow(history: History, { first, count, value, covariates }: WindowMessage): History {
  const rows = history.value.length;
  history.value.set(value.subarray(0, Math.max(0, rows - first)), first);
  const strips = covariates.length / count;
  for (let c = 0; c < strips; c++)
    history.covariates.set(covariates.subarray(c * count, (c + 1) * count), c * history.time.length + first);
  history.windows?.fill(1, Math.ceil(first / WINDOW), Math.ceil(Math.min(first + count, rows) / WINDOW));
  return { ...history, changed: rows };
}

/** Takes the odd observations of a long series, whose marks in the overview show on which side of their bands they are. */
export function fillOdd(history: History | undefined, { row, value }: SurprisesMessage): void {
  if (!history?.windows) return;
  row.forEach((at, i) => {
    history.value[at] = value[i];
  });
}

/** What to request of a history of which some rows are in view; null where they have come. */
export function missingWindows({ windows, value, time }: History, from: number, to: number): RowSpan | null {
  if (!windows) return null;
  let low = Math.max(0, Math.floor(from / WINDOW));
  let high = Math.min(windows.length - 1, Math.floor(to / WINDOW));
  while (low <= high && windows[low]) low++;
  while (high >= low && windows[high]) high--;
  if (high < low) return null;
  high = Math.min(high, low + MAX_WINDOWS - 2);
  const end = high === windows.length - 1 ? Math.min(time.length, (high + 2) * WINDOW) : (high + 1) * WINDOW;
  return low * WINDOW < value.length ? { first: low * WINDOW, count: end - low * WINDOW } : null;
}

/** Statuses and scores row by row. */
export function expandStatus(message: LongStatusMessage, rows: number): StatusMessage {
  const { series, model, ranked_from, runs, codes, lowest, ratio, worst, worst_score } = message;
  const status = new Uint8Array(rows);
  const reason = new Uint8Array(rows);
  const score = new Float32Array(rows).fill(NaN);
  const scores = Float32Array.from({ length: 256 }, (_, code) => (code ? lowest * ratio ** (code - 1) : NaN));
  let row = 0;
  let scored = 0;
  for (let i = 0; i < runs.length; i += 3) {
    const end = row + runs[i + 2];
    status.fill(runs[i], row, end);
    reason.fill(runs[i + 1], row, end);
    if (runs[i] === SCORED) while (row < end) score[row++] = scores[codes[scored++] ?? 0];
    row = end;
  }
  worst.forEach((row, i) => {
    score[row] = worst_score[i];
  });
  return { kind: "status", series, model, first: 0, count: rows, ranked_from, status, reason, score };
}
