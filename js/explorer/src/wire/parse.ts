/** Checks every message from the kernel: nothing unchecked gets past this file. */

import { type Fields, fail, finite, flag, integer, list, maybe, record, text } from "../../../common/src/check";
import { ENDS } from "../state/quantiles";
import { aligned, bytes, MAX_SERIES_ROWS, range } from "./fields";
import {
  type CovariateInfo,
  type ExtendMessage,
  type JointMessage,
  type LiveMessage,
  type Messages,
  type MetaMessage,
  MISSING,
  type ModelInfo,
  NARROWER,
  type ProgressMessage,
  type RowsMessage,
  type ScoresMessage,
  type SeriesInfo,
  SHOWN_PATHS,
  SPARK_POINTS,
  type SurprisesMessage,
  UNAVAILABLE,
  VERSION,
} from "./messages";
import { parseLongHistory, parseLongStatus, parseScatteredStatus, parseSketch, parseWindow } from "./parse-long";

function parseMeta(m: Fields): MetaMessage {
  if (m.v !== VERSION) fail(`protocol version ${String(m.v)}`);
  const horizon = integer(m.horizon, "horizon", 1, 100_000);
  const levels = list(m.levels, "levels", ENDS).map((v) => finite(v, "levels"));
  if (levels.length !== ENDS) fail("levels are not seven");
  const series = list(m.series, "series", 1_000_000).map((v): SeriesInfo => {
    const s = record(v, "series");
    return { id: text(s.id, "id"), rows: integer(s.rows, "rows", 0, MAX_SERIES_ROWS) };
  });
  const models = list(m.models, "models", 1000).map((v): ModelInfo => {
    const s = record(v, "model");
    const draws = integer(s.draws, "draws", 1, 100_000);
    const levels = list(s.levels, "levels", 100_000).map((l) => finite(l, "level"));
    if (levels.length !== draws || levels.some((l, i) => i > 0 && l <= levels[i - 1])) fail("levels of draws");
    return { name: text(s.name, "name"), draws, levels, code: text(s.code, "code") };
  });
  if (!series.length || !models.length) fail("no series or no models");
  const covariates = list(m.covariates, "covariates", 100).map((v): CovariateInfo => {
    const s = record(v, "covariate");
    const labels = list(s.labels, "labels", 1000).map((label) => text(label, "label"));
    const [low, high] = [maybe(s.low, "low"), maybe(s.high, "high")];
    return { name: text(s.name, "name"), labels, ahead: flag(s.ahead, "ahead"), low, high };
  });
  const clock = m.clock;
  if (clock !== "utc" && clock !== "wall" && clock !== "number") fail("clock");
  const step = maybe(m.step, "step");
  const precision = maybe(m.precision, "precision");
  const reasons: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [code, why] of Object.entries(record(m.reasons ?? {}, "reasons"))) reasons[code] = text(why, "reason");
  return {
    kind: "meta",
    v: VERSION,
    title: text(m.title ?? "", "title"),
    target: text(m.target ?? "", "target"),
    zone: m.zone === null || m.zone === undefined ? null : text(m.zone, "zone"),
    clock,
    step: step !== null && step > 0 ? step : null,
    precision: precision !== null && precision > 0 ? precision : null,
    slots: m.slots === true,
    frequency: text(m.frequency ?? "", "frequency"),
    seasons: list(m.seasons ?? [], "seasons", 100).map((v) => integer(v, "season", 1, MAX_SERIES_ROWS)),
    horizon,
    levels,
    coverages: list(m.coverages, "coverages", 10).map((v) => finite(v, "coverage")),
    calibrated: m.calibrated === true,
    series,
    models,
    covariates,
    notes: list(m.notes ?? [], "notes", 1000).map((v) => text(v, "note")),
    reasons,
    live: m.live !== false,
  };
}

function parseRows(m: Fields, buffers: readonly unknown[], meta: MetaMessage): RowsMessage {
  const rows = range(m, meta);
  const request = m.request ?? null;
  if (request !== null && typeof request !== "number" && typeof request !== "string") fail("request");
  const cells = rows.count * meta.horizon;
  const draws = new Float32Array(bytes(buffers, 0, cells * meta.models[rows.model].draws * 4, "draws"));
  return { kind: "rows", ...rows, request, draws, ends: new Float32Array(bytes(buffers, 1, cells * ENDS * 4, "ends")) };
}

function parseJoint(m: Fields, buffers: readonly unknown[], meta: MetaMessage): JointMessage {
  const rows = range(m, meta);
  const request = m.request ?? null;
  if (request !== null && typeof request !== "number" && typeof request !== "string") fail("request");
  const cells = rows.count * meta.horizon;
  const floats = (position: number, length: number, name: string): Float32Array =>
    new Float32Array(bytes(buffers, position, length * 4, name));
  return {
    kind: "joint",
    ...rows,
    request,
    limits: floats(0, cells * 2, "limits"),
    codes: new Uint8Array(bytes(buffers, 1, cells * SHOWN_PATHS, "codes")),
    sums: floats(2, cells * ENDS, "sums"),
    peaks: floats(3, rows.count * ENDS, "peaks"),
  };
}

function parseScores(m: Fields, meta: MetaMessage): ScoresMessage {
  const overall = record(m.overall ?? {}, "overall");
  const horizon = record(m.horizon ?? {}, "horizon");
  const steps = (name: string): (number | null)[] =>
    list(horizon[name] ?? [], name, meta.horizon).map((v) => maybe(v, name));
  return {
    kind: "scores",
    series: integer(m.series, "series", 0, meta.series.length - 1),
    model: integer(m.model, "model", 0, meta.models.length - 1),
    overall: {
      mae: maybe(overall.mae, "mae"),
      crps: maybe(overall.crps, "crps"),
      mase: maybe(overall.mase, "mase"),
      coverage_50: maybe(overall.coverage_50, "coverage_50"),
      coverage_80: maybe(overall.coverage_80, "coverage_80"),
      coverage_95: maybe(overall.coverage_95, "coverage_95"),
      n: maybe(overall.n, "n"),
    },
    horizon: { mae: steps("mae"), crps: steps("crps"), coverage_80: steps("coverage_80") },
  };
}

function parseProgress(m: Fields, meta: MetaMessage): ProgressMessage {
  const count = (name: string): number => Math.max(0, maybe(m[name], name) ?? 0);
  return {
    kind: "progress",
    model: integer(m.model, "model", 0, meta.models.length - 1),
    available: count("available"),
    inferred: count("inferred"),
    calculated: count("calculated"),
    reused: count("reused"),
    rate: maybe(m.rate, "rate"),
    eta_seconds: maybe(m.eta_seconds, "eta_seconds"),
    done: flag(m.done, "done"),
    cancelled: flag(m.cancelled, "cancelled"),
    error: m.error === null || m.error === undefined ? null : text(m.error, "error"),
    note: m.note ? text(m.note, "note") : "",
  };
}

function parseSurprises(m: Fields, buffers: readonly unknown[], meta: MetaMessage): SurprisesMessage {
  const series = integer(m.series, "series", 0, meta.series.length - 1);
  const { rows } = meta.series[series];
  const sized = buffers.map(aligned);
  const [count, changes] = [sized[0]?.byteLength / 4, sized[9]?.byteLength / 4];
  const integers = (position: number, length: number, name: string, most: number): Int32Array => {
    const values = new Int32Array(bytes(sized, position, length * 4, name));
    return values.some((v) => v < 0 || v > most) ? fail(name) : values;
  };
  const codes = (position: number, length: number, name: string, most: number): Uint8Array => {
    const values = new Uint8Array(bytes(sized, position, length, name));
    return values.some((v) => v > most) ? fail(name) : values;
  };
  const floats = (position: number, name: string): Float64Array =>
    new Float64Array(bytes(sized, position, count * 8, name));
  const row = integers(0, count, "row", rows - 1);
  if (row.some((v, i) => i > 0 && v <= row[i - 1])) fail("rows do not ascend");
  return {
    kind: "surprises",
    series,
    model: integer(m.model, "model", 0, meta.models.length - 1),
    rate: finite(m.rate, "rate"),
    row,
    event: integers(1, count, "event", rows),
    lead: integers(2, count, "lead", meta.horizon),
    what: codes(3, count, "what", MISSING),
    p: floats(4, "p"),
    expected: floats(5, "expected"),
    low: floats(6, "low"),
    high: floats(7, "high"),
    rank: integers(8, count, "rank", rows),
    alarm: integers(9, changes, "alarm", rows - 1),
    since: integers(10, changes, "since", rows - 1),
    direction: codes(11, changes, "direction", NARROWER),
    value: floats(12, "value"),
  };
}

function parseExtend(m: Fields, buffers: readonly unknown[], meta: MetaMessage): ExtendMessage {
  const series = integer(m.series, "series", 0, meta.series.length - 1);
  const rows = integer(m.rows, "rows", meta.series[series].rows, MAX_SERIES_ROWS);
  const first = integer(m.first, "first", 0, Math.min(rows, meta.series[series].rows));
  const sized = buffers.map(aligned);
  const isCount = sized[0]?.byteLength === 0;
  const [added, times] = isCount ? [0, 0] : [rows - first, rows - first + meta.horizon];
  return {
    kind: "extend",
    series,
    rows,
    first,
    time: new Float64Array(bytes(sized, 0, times * 8, "time")),
    value: new Float64Array(bytes(sized, 1, added * 8, "value")),
    covariates: new Float64Array(bytes(sized, 2, meta.covariates.length * times * 8, "covariates")),
  };
}

const STATES: readonly LiveMessage["state"][] = ["waiting", "live", "late", "failed", "stopped"];

function parseLive(m: Fields): LiveMessage {
  const state = STATES.find((s) => s === m.state) ?? fail("state");
  return { kind: "live", state, since: maybe(m.since, "since"), text: text(m.text, "text") };
}

/**
 * One message from the kernel, checked against the meta message; throws `Malformed`.
 *
 * Before the meta message (null) only that one and faults are allowed.
 */
export function parse(content: unknown, buffers: readonly unknown[], meta: MetaMessage | null): Messages {
  const m = record(content, "message");
  if (m.kind === "meta") return parseMeta(m);
  if (m.kind === "fault") return { kind: "fault", text: text(m.text, "text") };
  if (meta === null) return fail(`${String(m.kind)} before meta`);
  switch (m.kind) {
    case "history": {
      const series = integer(m.series, "series", 0, meta.series.length - 1);
      const { rows } = meta.series[series];
      const time = new Float64Array(bytes(buffers, 0, (rows + meta.horizon) * 8, "time"));
      for (let i = 0; i < time.length; i++) {
        if (!(time[i] > (i ? time[i - 1] : -Infinity))) fail("times do not ascend");
      }
      const covariates = new Float64Array(bytes(buffers, 2, meta.covariates.length * time.byteLength, "covariates"));
      meta.covariates.forEach(({ labels }, i) => {
        const codes = labels.length ? covariates.subarray(i * time.length, (i + 1) * time.length) : [];
        if (codes.some((c) => !Number.isNaN(c) && (!Number.isInteger(c) || c < -1 || c >= labels.length)))
          fail("a category");
      });
      return {
        kind: "history",
        series,
        time,
        value: new Float64Array(bytes(buffers, 1, rows * 8, "value")),
        covariates,
      };
    }
    case "status": {
      const rows = range(m, meta);
      const status = new Uint8Array(bytes(buffers, 0, rows.count, "status"));
      if (status.some((s) => s > UNAVAILABLE)) fail("an unknown status");
      const reason = new Uint8Array(bytes(buffers, 1, rows.count, "reason"));
      return {
        kind: "status",
        ...rows,
        ranked_from: integer(m.ranked_from, "ranked_from", 0, MAX_SERIES_ROWS),
        status,
        reason,
        score: new Float32Array(bytes(buffers, 2, rows.count * 4, "score")),
      };
    }
    case "long_history":
      return parseLongHistory(m, buffers, meta);
    case "long_status":
      return parseLongStatus(m, buffers, meta);
    case "scattered_status":
      return parseScatteredStatus(m, buffers, meta);
    case "window":
      return parseWindow(m, buffers, meta);
    case "sketch":
      return parseSketch(m, buffers, meta);
    case "rows":
      return parseRows(m, buffers, meta);
    case "joint":
      return parseJoint(m, buffers, meta);
    case "scores":
      return parseScores(m, meta);
    case "surprises":
      return parseSurprises(m, buffers, meta);
    case "panel": {
      const count = meta.series.length;
      const floats = (k: number, name: string): Float64Array => new Float64Array(bytes(buffers, k, count * 8, name));
      const integers = (k: number, name: string): Int32Array => new Int32Array(bytes(buffers, k, count * 4, name));
      const worst = integers(2, "worst");
      if (worst.some((row, i) => row < -1 || row >= meta.series[i].rows)) fail("worst");
      return {
        kind: "panel",
        model: integer(m.model, "model", 0, meta.models.length - 1),
        mase: floats(0, "mase"),
        coverage: floats(1, "coverage"),
        worst,
        worst_time: floats(3, "worst_time"),
        events: integers(4, "events"),
        sparks: new Uint8Array(bytes(buffers, 5, count * SPARK_POINTS, "sparks")),
      };
    }
    case "progress":
      return parseProgress(m, meta);
    case "extend":
      return parseExtend(m, buffers, meta);
    case "live":
      return parseLive(m);
    default:
      return fail(`unknown kind ${String(m.kind).slice(0, 40)}`);
  }
}
