/** Checks the messages on series that are too long to be sent whole, and those with sketches of forecasts. */

import { type Fields, fail, finite, integer, maybe } from "../../../common/src/check";
import { ENDS } from "../state/quantiles";
import { aligned, bytes, MAX_SERIES_ROWS } from "./fields";
import {
  type LongHistoryMessage,
  type LongStatusMessage,
  MAX_WINDOWS,
  type MetaMessage,
  type ScatteredStatusMessage,
  type SketchMessage,
  UNAVAILABLE,
  WINDOW,
  type WindowMessage,
} from "./messages";

const seriesOf = (m: Fields, meta: MetaMessage): number => integer(m.series, "series", 0, meta.series.length - 1);
const modelOf = (m: Fields, meta: MetaMessage): number => integer(m.model, "model", 0, meta.models.length - 1);

/** Rows that ascend, within a series. */
function ascending(buffer: ArrayBuffer, rows: number): Int32Array {
  if (buffer.byteLength % 4) fail("rows");
  const values = new Int32Array(buffer);
  if (values.some((v, i) => v < 0 || v >= rows || (i > 0 && v <= values[i - 1]))) fail("rows do not ascend");
  return values;
}

export function parseLongHistory(m: Fields, buffers: readonly unknown[], meta: MetaMessage): LongHistoryMessage {
  const series = seriesOf(m, meta);
  const buffer = aligned(buffers[0]);
  if (buffer.byteLength % 16) fail("steps");
  const steps = new Float64Array(buffer);
  let count = 0;
  steps.forEach((v, i) => {
    if (!(v > 0) || (i % 2 && !Number.isInteger(v))) fail("steps");
    if (i % 2) count += v;
  });
  if (count !== meta.series[series].rows + meta.horizon - 1) fail("steps do not end with the series");
  const overview = aligned(buffers[1]);
  if (overview.byteLength % 12) fail("overview");
  const [low, high] = [maybe(m.low, "low"), maybe(m.high, "high")];
  const start = finite(m.start, "start");
  return { kind: "long_history", series, start, steps, low, high, overview: new Float32Array(overview) };
}

export function parseLongStatus(m: Fields, buffers: readonly unknown[], meta: MetaMessage): LongStatusMessage {
  const series = seriesOf(m, meta);
  const { rows } = meta.series[series];
  const buffer = aligned(buffers[0]);
  if (buffer.byteLength % 12) fail("runs");
  const runs = new Int32Array(buffer);
  let count = 0;
  for (let i = 0; i < runs.length; i += 3) {
    if (!(runs[i] >= 0 && runs[i] <= UNAVAILABLE && runs[i + 1] >= 0 && runs[i + 1] < 256 && runs[i + 2] > 0))
      fail("runs");
    count += runs[i + 2];
  }
  if (count !== rows) fail("runs do not end with the series");
  const worst = ascending(aligned(buffers[2]), rows);
  return {
    kind: "long_status",
    series,
    model: modelOf(m, meta),
    ranked_from: integer(m.ranked_from, "ranked_from", 0, MAX_SERIES_ROWS),
    runs,
    lowest: finite(m.lowest, "lowest"),
    ratio: finite(m.ratio, "ratio"),
    codes: new Uint8Array(aligned(buffers[1])),
    worst,
    worst_score: new Float32Array(bytes(buffers, 3, worst.byteLength, "worst_score")),
  };
}

export function parseScatteredStatus(
  m: Fields,
  buffers: readonly unknown[],
  meta: MetaMessage,
): ScatteredStatusMessage {
  const series = seriesOf(m, meta);
  const rows = ascending(aligned(buffers[0]), meta.series[series].rows);
  const status = new Uint8Array(bytes(buffers, 1, rows.length, "status"));
  if (status.some((s) => s > UNAVAILABLE)) fail("an unknown status");
  return {
    kind: "scattered_status",
    series,
    model: modelOf(m, meta),
    rows,
    status,
    reason: new Uint8Array(bytes(buffers, 2, rows.length, "reason")),
    score: new Float32Array(bytes(buffers, 3, rows.byteLength, "score")),
  };
}

export function parseWindow(m: Fields, buffers: readonly unknown[], meta: MetaMessage): WindowMessage {
  const series = seriesOf(m, meta);
  const rows = meta.series[series].rows + meta.horizon;
  const first = integer(m.first, "first", 0, rows);
  const count = integer(m.count, "count", 0, Math.min(rows - first, MAX_WINDOWS * WINDOW));
  return {
    kind: "window",
    series,
    model: modelOf(m, meta),
    first,
    count,
    value: new Float64Array(bytes(buffers, 0, count * 8, "value")),
    covariates: new Float64Array(bytes(buffers, 1, meta.covariates.length * count * 8, "covariates")),
    score: new Float32Array(bytes(buffers, 2, count * 4, "score")),
  };
}

export function parseSketch(m: Fields, buffers: readonly unknown[], meta: MetaMessage): SketchMessage {
  const series = seriesOf(m, meta);
  const rows = ascending(aligned(buffers[0]), meta.series[series].rows);
  return {
    kind: "sketch",
    series,
    model: modelOf(m, meta),
    rows,
    limits: new Float32Array(bytes(buffers, 1, rows.length * 8, "limits")),
    codes: new Uint16Array(bytes(buffers, 2, rows.length * meta.horizon * ENDS * 2, "codes")),
  };
}
