/** Scores of one origin, from its bands and what was observed; and its forecast in words. */

import { ENDS, UNAVAILABLE, PENDING, type Meta } from "./protocol";
import type { Row } from "./rows";
import type { Standing } from "./store";
import { decimalsFor, value } from "../../common/src/format";

export interface OriginScores {
  /** Mean absolute error of the median, in the data's unit. */
  mae: number;
  /** Steps inside the 50, 80 and 95 % bands. */
  inside: [number, number, number];
  /** Steps with an observation. */
  known: number;
}

/** Null where nothing is known yet. */
export function originScores(row: Row | null, values: Float64Array, at: number, horizon: number): OriginScores | null {
  if (!row?.filled) return null;
  const inside: [number, number, number] = [0, 0, 0];
  let error = 0;
  let known = 0;
  for (let h = 0; h < horizon; h++) {
    const actual = values[at + h + 1];
    const ends = row.ends.subarray(h * ENDS, (h + 1) * ENDS);
    if (!Number.isFinite(actual) || !Number.isFinite(ends[3])) continue;
    known++;
    error += Math.abs(actual - ends[3]);
    // Level 2 holds the 50 % band's lower end, level 0 the 95 % band's.
    for (let band = 0; band < 3; band++) if (actual >= ends[2 - band] && actual <= ends[4 + band]) inside[band]++;
  }
  return known ? { mae: error / known, inside, known } : null;
}

/** How an origin stands, where there is no forecast to show; empty where there is one. */
export function standingText(meta: Meta, standing: Standing, row: number, shown: boolean): string {
  const status = standing.status[row];
  if (status === UNAVAILABLE) {
    const why = meta.reasons[String(standing.reason[row])];
    return why ? `No forecast: ${why}` : "No forecast from this origin";
  }
  if (shown) return "";
  return status === PENDING ? "Waiting for its forecast" : "Loading";
}

/** The forecast of an origin in one sentence: median from first to last, the 80 % band at the end, the observation. */
export function words(meta: Meta, row: Row | null, values: Float64Array, at: number, time: string, standing: string): string {
  const index = `index ${at - values.length + 1}`.replace("-", "−");
  if (!row?.filled) return `${time}, ${index}. ${standing || "No forecast yet"}.`;
  const last = (meta.horizon - 1) * ENDS;
  const decimals = decimalsFor(Math.max(Math.abs(row.ends[last + 6] - row.ends[last]), 1e-9));
  const say = (v: number): string => value(v, decimals);
  const end = `80 % band at the end ${say(row.ends[last + 1])} to ${say(row.ends[last + 5])}`;
  const actual = values[at + meta.horizon];
  const seen = Number.isFinite(actual) ? `, observed ${say(actual)}` : "";
  return `${time}, ${index}. Median ${say(row.ends[3])} to ${say(row.ends[last + 3])}, ${end}${seen}.`;
}
