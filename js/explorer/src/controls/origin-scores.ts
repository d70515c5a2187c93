/** The scores of one origin, from its bands and the observations, and its forecast in words. */

import { ahead, decimal, distinctNumbers, plural } from "../../../common/src/format";
import type { Joint } from "../state/joint-cache";
import type { OriginStatus } from "../state/origin-status";
import { ENDS, MEDIAN } from "../state/quantiles";
import type { Forecast } from "../state/row-cache";
import { type MetaMessage, PENDING, UNAVAILABLE } from "../wire/messages";

/** The scores. */
export interface OriginScores {
  /** Mean absolute error of the median, in the data's unit. */
  mae: number;
  /** Steps inside the 50, 80 and 95 % bands. */
  inside: [number, number, number];
  /** Steps with an observation. */
  steps: number;
}

/** The scores of a forecast from `row`; null where there is no forecast or nothing was observed. */
export function originScores(
  forecast: Forecast | null,
  values: Float64Array,
  row: number,
  horizon: number,
): OriginScores | null {
  if (!forecast?.filled) return null;
  const inside: [number, number, number] = [0, 0, 0];
  let error = 0;
  let steps = 0;
  for (let h = 0; h < horizon; h++) {
    // Forecasts are float32: they are compared with the observation in that precision, as in Python.
    const actual = values[row + h + 1];
    const rounded = Math.fround(actual);
    const ends = forecast.ends.subarray(h * ENDS, (h + 1) * ENDS);
    if (!Number.isFinite(actual) || !Number.isFinite(ends[MEDIAN])) continue;
    steps++;
    error += rounded === ends[MEDIAN] ? 0 : Math.abs(actual - ends[MEDIAN]);
    // Level 2 holds the 50 % band's lower end, level 0 the 95 % band's.
    for (let band = 0; band < 3; band++) if (rounded >= ends[2 - band] && rounded <= ends[4 + band]) inside[band]++;
  }
  return steps ? { mae: error / steps, inside, steps } : null;
}

/** A number of the whole horizon in words: its median, its 80 % band, and what it was; empty where it is not known. */
export interface HorizonNumber {
  median: string;
  band: string;
  observed: string;
}

function horizonNumber(ends: Float32Array | undefined, actual: number): HorizonNumber {
  if (!ends) return { median: "–", band: "–", observed: "" };
  const [median, low, high, observed] = distinctNumbers([...[MEDIAN, 1, 5].map((k) => decimal(ends[k])), actual]);
  return { median, band: `${low} to ${high}`, observed: Number.isFinite(actual) ? observed : "" };
}

/** The total and the peak of an origin's horizon. */
export function horizonNumbers(
  joint: Joint | null,
  values: Float64Array,
  row: number,
  horizon: number,
): { total: HorizonNumber; peak: HorizonNumber } {
  const actual = values.subarray(row + 1, row + 1 + horizon);
  const isKnown = actual.length === horizon && actual.every(Number.isFinite);
  return {
    total: horizonNumber(
      joint?.sums.subarray((horizon - 1) * ENDS),
      isKnown ? actual.reduce((sum, v) => sum + v, 0) : NaN,
    ),
    peak: horizonNumber(joint?.peak, isKnown ? actual.reduce((most, v) => Math.max(most, v), -Infinity) : NaN),
  };
}

/** The forecast of the last step in words, with the unit that the values' name states: its median, and its 80 % band beside the outcome. */
export function forecastWords(
  meta: MetaMessage,
  forecast: Forecast | null,
  values: Float64Array,
  row: number,
): [string, string] {
  const { horizon, step, target } = meta;
  if (!forecast?.filled) return ["–", "–"];
  const ends = forecast.ends.subarray((horizon - 1) * ENDS);
  const numbers = [...[MEDIAN, 1, 5].map((k) => decimal(ends[k])), values[row + horizon] ?? NaN];
  const [median, low, high, observed] = distinctNumbers(numbers);
  const unit = unitOf(target);
  const time = step === null ? plural(horizon, "step") : ahead(horizon, step).slice(1);
  const outcome = Number.isFinite(numbers[3]) ? ` · observed ${observed}` : "";
  return [`${median}${unit && ` ${unit}`} in ${time}`, `80 %: ${low} to ${high}${outcome}`];
}

/** The unit that a name states in brackets at its end: mg/dL of "glucose (mg/dL)"; empty where it states none. */
export const unitOf = (target: string): string => /\(([^()]+)\)$/.exec(target)?.[1] ?? "";

/** Why there is no forecast to show; empty where there is one. */
export function statusText(
  meta: MetaMessage,
  origins: OriginStatus,
  row: number,
  hasForecast: boolean,
  gone = false,
): string {
  const status = origins.status[row];
  if (status === UNAVAILABLE) {
    const reason = meta.reasons[String(origins.reason[row])];
    return reason ? `No forecast: ${reason}` : "No forecast from this origin";
  }
  if (hasForecast) return "";
  if (gone) return "This forecast was not loaded before the kernel went";
  return status === PENDING ? "Waiting for its forecast" : "Loading";
}

/** The forecast of an origin in one sentence: the median from first to last step, the 80 % band at the end, the observation. */
export function describe(
  meta: MetaMessage,
  forecast: Forecast | null,
  values: Float64Array,
  row: number,
  time: string,
  status: string,
): string {
  const index = `index ${row - values.length + 1}`.replace("-", "−");
  if (!forecast?.filled) return `${time}, ${index}. ${status || "No forecast yet"}.`;
  const last = (meta.horizon - 1) * ENDS;
  const actual = values[row + meta.horizon] ?? NaN;
  const ends = [MEDIAN, last + MEDIAN, last + 1, last + 5].map((end) => decimal(forecast.ends[end]));
  const [first, end, low, high, observed] = distinctNumbers([...ends, actual]);
  const outcome = Number.isFinite(actual) ? `, observed ${observed}` : "";
  return `${time}, ${index}. Median ${first} to ${end}, 80 % band at the end ${low} to ${high}${outcome}.`;
}
