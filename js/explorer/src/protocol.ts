/** The wire protocol, version 1: the types of every message. */

export const VERSION = 1;
/** Most origins one `want` may ask for. */
export const MOST_WANTED = 4096;
/** Quantiles of the bands, fixed by the protocol: 2.5, 10, 25, 50, 75, 90, 97.5 %. */
export const ENDS = 7;

export const PENDING = 0;
export const INFERRED = 1;
export const UNSCORED = 2;
export const SCORED = 3;
export const UNAVAILABLE = 4;

export type Clock = "utc" | "wall" | "number";
export type Style = "bands" | "density";

export interface SeriesInfo {
  id: string;
  rows: number;
}

export interface ModelInfo {
  name: string;
  /** Q: draws, or quantiles at `levels`, of one horizon step. */
  draws: number;
  levels: number[];
}

export interface Meta {
  kind: "meta";
  title: string;
  target: string;
  zone: string | null;
  clock: Clock;
  /** Seconds between rows; null where steps are calendar ones (months). */
  step: number | null;
  frequency: string;
  /** In steps. */
  seasons: number[];
  horizon: number;
  levels: number[];
  coverages: number[];
  calibrated: boolean;
  series: SeriesInfo[];
  models: ModelInfo[];
  notes: string[];
  reasons: Record<string, string>;
  /** Whether a kernel answers. */
  live: boolean;
}

export interface HistoryMessage {
  kind: "history";
  series: number;
  /** ms since the epoch, or plain numbers. */
  time: Float64Array;
  value: Float64Array;
}

export interface StatusMessage {
  kind: "status";
  series: number;
  model: number;
  first: number;
  count: number;
  status: Uint8Array;
  reason: Uint8Array;
  score: Float32Array;
}

export interface RowsMessage {
  kind: "rows";
  series: number;
  model: number;
  first: number;
  count: number;
  request: number | string | null;
  /** (count, H, Q) */
  draws: Float32Array;
  /** (count, H, 7) */
  ends: Float32Array;
}

export interface Overall {
  mae: number | null;
  crps: number | null;
  mase: number | null;
  coverage_50: number | null;
  coverage_80: number | null;
  coverage_95: number | null;
  n: number | null;
}

export interface ScoresMessage {
  kind: "scores";
  series: number;
  model: number;
  overall: Overall;
  horizon: { mae: (number | null)[]; crps: (number | null)[]; coverage_80: (number | null)[] };
}

export interface ProgressMessage {
  kind: "progress";
  model: number;
  available: number;
  inferred: number;
  calculated: number;
  reused: number;
  /** Origins a second. */
  rate: number | null;
  /** Seconds. */
  left: number | null;
  done: boolean;
  cancelled: boolean;
  error: string | null;
  /** What is to be said beside a run that is done. */
  note: string;
}

export interface FaultMessage {
  kind: "fault";
  text: string;
}

export type Incoming =
  | Meta
  | HistoryMessage
  | StatusMessage
  | RowsMessage
  | ScoresMessage
  | ProgressMessage
  | FaultMessage;

export type Outgoing =
  | { kind: "hello"; v: number }
  | { kind: "want"; series: number; model: number; first: number; count: number; request: number }
  | { kind: "open"; series: number; model: number }
  | { kind: "cancel"; model: number }
  | { kind: "infer"; series: number; model: number; row: number };

/** What a host hands over as binary: JupyterLab gives DataViews, others buffers or typed arrays. */
export type Bytes = DataView | ArrayBuffer | ArrayBufferView;
