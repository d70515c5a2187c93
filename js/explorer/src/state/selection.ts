/** What is on the page now: the one value that everything is drawn and described from. */

import type { MetaMessage, ScoresMessage } from "../wire/messages";
import type { Calendar } from "./calendar";
import type { Joint } from "./joint-cache";
import type { OriginStatus } from "./origin-status";
import type { Forecast } from "./row-cache";
import type { Near } from "./sketch";
import type { Surprises } from "./surprises";

/** How forecasts are drawn. */
export type Style = "bands" | "density" | "paths" | "total";

export const STYLES: readonly Style[] = ["bands", "density", "paths", "total"];

/** A style that Python names, or bands. */
export const styleOf = (name: unknown): Style => STYLES.find((style) => style === name) ?? "bands";

/** Most models that are drawn over the main one. */
export const MAX_COMPARED = 5;

/** What a person chooses, besides the origin. */
export interface Settings {
  /** Positions in the meta message. */
  series: number;
  model: number;
  /** The positions of further models that are drawn over the main one, `MAX_COMPARED` at most. */
  compare: readonly number[];
  style: Style;
}

/** The place of a model's colour among those of the models drawn over the main one: it stays when others are hidden. */
export const colourRank = (model: number, main: number): number => (model < main ? model : model - 1) % MAX_COMPARED;

/** The observations of a series. */
export interface History {
  /** Times of the rows, and of the horizon after the last one. */
  time: Float64Array;
  value: Float64Array;
  /** One after the other, each for all times. */
  covariates: Float64Array;
  /** The lowest and the highest value; of one that has grown also those that were corrected. */
  low: number;
  high: number;
  /** What it has grown from: one object for all lengths of a history. */
  origin: object;
  /** The first row that it does not share with the one it has grown from. */
  changed: number;
  /** 10 % and 90 % quantiles and means of equal parts; null where all values are here to take them from. */
  overview: Float32Array | null;
  /** Which windows of rows have come; null where all rows have. */
  windows: Uint8Array | null;
}

/** The origin in view with everything that is known of it, for the main model and those drawn over it. */
export interface Selection {
  meta: MetaMessage;
  calendar: Calendar;
  history: History;
  /** The origin's row, and how many rows the series has. */
  row: number;
  rows: number;
  /** Positions of the models; the lists below have one item for each. */
  models: number[];
  statuses: OriginStatus[];
  /** Null where there is nothing to draw. */
  forecasts: (Forecast | null)[];
  joints: (Joint | null)[];
  scores: (ScoresMessage | null)[];
  /** The main model's forecasts from earlier origins for the same times, the newest first. */
  past: Near[];
  /** The forecast from the origin that is pinned; null for none. */
  pin: Near | null;
  /** The first and the last row of the origins that are selected; null for none. */
  selected: readonly [number, number] | null;
  /** The main model's; null where they have not come. */
  surprises: Surprises | null;
  /** The sketch nearest to the main model's origin, where its own forecast has not come. */
  near: Near | null;
  /** Whether the kernel is gone: what has not come will not come. */
  gone: boolean;
}

/** The place of the colour of the i-th model in view, from 1 on. */
export const rankOf = (s: Pick<Selection, "models">, i: number): number => colourRank(s.models[i], s.models[0]);
