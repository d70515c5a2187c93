/** The view as text: its rows as CSV, its origin as a line of Python and as a link. */

import { decimal } from "../../../common/src/format";
import { indexOf } from "../state/origin-state";
import { ENDS, MEDIAN } from "../state/quantiles";
import type { Selection, Style } from "../state/selection";
import type { Viewport } from "../state/viewport";

const quoted = (text: string): string => JSON.stringify(text);
const cell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
const plain = (v: number | undefined): string => (v === undefined || !Number.isFinite(v) ? "" : String(v));
const seriesOf = (s: Selection, series: number): string => s.meta.series[series].id;

/** The columns of a model's forecast after its name, and the places of their quantiles. */
const COLUMNS: readonly [string, number][] = [
  ["", MEDIAN],
  ["-lo-50", 2],
  ["-hi-50", 4],
  ["-lo-80", 1],
  ["-hi-80", 5],
  ["-lo-95", 0],
  ["-hi-95", 6],
];

/** The rows in view as CSV: observations, and at the steps of the horizon the forecasts; the columns are those of `run.latest()`. */
export function csvOf(s: Selection, series: number, { start, span }: Viewport): string {
  const { history, row, meta, calendar } = s;
  const first = Math.max(0, Math.ceil(start));
  const last = Math.min(history.time.length - 1, Math.max(Math.floor(start + span), row));
  const names = s.models.flatMap((m) => COLUMNS.map(([suffix]) => meta.models[m].name + suffix));
  const lines = [["unique_id", "cutoff", "ds", "y", ...names]];
  const cutoff = calendar.iso(history.time[row]);
  for (let r = first; r <= last; r++) {
    const from = (r - row - 1) * ENDS;
    const isAhead = r > row && r <= row + meta.horizon;
    // Nothing is known of what comes after the horizon and the observations.
    if (r >= s.rows && !isAhead) break;
    const numbers = s.forecasts.flatMap((f) =>
      COLUMNS.map(([, k]) => (isAhead && f?.filled ? plain(decimal(f.ends[from + k])) : "")),
    );
    lines.push([seriesOf(s, series), cutoff, calendar.iso(history.time[r]), plain(history.value[r]), ...numbers]);
  }
  return `${lines.map((line) => line.map(cell).join(",")).join("\n")}\n`;
}

/** The line of Python that draws the forecast in view; it names the origin by its time, which stays true as data grow. */
export function codeOf(s: Selection, series: number, style: Style): string {
  const { meta, calendar, history, row } = s;
  const origin = meta.clock === "number" ? String(indexOf(row, s.rows)) : quoted(calendar.iso(history.time[row]));
  const names = meta.series.length > 1 ? [origin, quoted(seriesOf(s, series))] : [origin];
  const drawn = style === "bands" || style === "total" ? "" : `style=${quoted(style)}`;
  return `${meta.models[s.models[0]].code}.at(${names.join(", ")}).plot(${drawn})`;
}

/** What a link names. */
export interface Link {
  series: string | null;
  model: string | null;
  time: string | null;
}

/** The part of a page's address that leads to the origin in view. */
export function linkOf(s: Selection, series: number): string {
  const { meta, calendar, history, row, models } = s;
  const names: [string, string][] = [["time", calendar.iso(history.time[row]).replace(" ", "T")]];
  if (meta.models.length > 1) names.unshift(["model", meta.models[models[0]].name]);
  if (meta.series.length > 1) names.unshift(["series", seriesOf(s, series)]);
  return `#${names.map(([name, value]) => `${name}=${encodeURIComponent(value).replace(/%3A/g, ":")}`).join("&")}`;
}

/** What the part of an address after # names; null where it is about something else. */
export function readLink(hash: string): Link | null {
  const names = new URLSearchParams(hash.replace(/^#/, ""));
  const link = { series: names.get("series"), model: names.get("model"), time: names.get("time") };
  return link.series === null && link.time === null ? null : link;
}
