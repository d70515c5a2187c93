/** What is looked at, and what hovering it tells. */

import type { Cell } from "./cells";
import { count, decimalsFor, score, value } from "../../common/src/format";
import { indexOf } from "./keys";
import { standingText } from "./origin";
import { SCORED, ENDS, UNAVAILABLE, PENDING, type Meta } from "./protocol";
import type { Row } from "./rows";
import type { History, Store } from "./store";
import type { Calendar } from "./time";

export interface Sight {
  meta: Meta;
  store: Store;
  calendar: Calendar;
  history: History;
  series: number;
  /** The main model, and the second one if there is one. */
  models: number[];
  /** The origin's. */
  row: number;
  /** How many the series has. */
  rows: number;
}

/** What there is to draw of a model at the origin; nothing where its forecast is unavailable. */
export function forecast(s: Sight, model: number): Row | null {
  if (s.store.standing(s.series, model).status[s.row] === UNAVAILABLE) return null;
  return s.store.rows?.row(s.series, model, s.row) ?? null;
}

/** Lines on a cell of the strip: time, index, score or why there is none. */
export function cellText(s: Sight, cell: Cell): string[] {
  const standing = s.store.standing(s.series, s.models[0]);
  const scored = Number.isFinite(cell.score);
  const state =
    scored ? `CRPS ${score(cell.score)}`
    : cell.status === UNAVAILABLE ? standingText(s.meta, standing, cell.row, false)
    : cell.status === PENDING ? "pending"
    : cell.status === SCORED ? "nothing observed to score by" : "not scored yet";
  const lines = [s.calendar.text(s.history.time[cell.row]), `index ${count(indexOf(cell.row, s.rows))} · ${state}`];
  return scored && cell.count > 1 ? [...lines, `the worst of ${cell.count} origins; mean ${score(cell.mean)}`] : lines;
}

/** Lines on a point of the zoomed view: time, observation, and what the forecasts say of it. */
export function pointText(s: Sight, row: number): string[] {
  const { time, value: values, low, high } = s.history;
  const last = time.length - 1;
  const pace = s.meta.step !== null ? s.meta.step * 1000 : last > 0 ? time[last] - time[last - 1] : 1;
  const lines = [s.calendar.text(row <= last ? time[row] : time[last] + (row - last) * pace)];
  const decimals = decimalsFor((high - low) / 4);
  if (Number.isFinite(values[row])) lines.push(`observed ${value(values[row], decimals)}`);
  const at = (row - s.row - 1) * ENDS;
  for (const model of s.models) {
    const found = forecast(s, model);
    if (at < 0 || row - s.row > s.meta.horizon || !found?.filled) continue;
    const [least, middle, most] = [1, 3, 5].map((q) => value(found.ends[at + q], decimals));
    lines.push(`${s.models.length > 1 ? s.meta.models[model].name : "median"} ${middle} · 80 % ${least} to ${most}`);
  }
  return lines;
}
