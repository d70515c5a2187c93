/** What the panel and the kernel say to each other, version 1. */

export const VERSION = 1;
/** The comm of JupyterLab's panel, which the kernel opens; in a cell the widget's own carries the same messages. */
export const TARGET = "nbforecast.hub";
export const COMM_ID = "nbforecast-hub";

export interface Totals {
  entries: number;
  origins: number;
  inferred: number;
  memory_bytes: number;
  memory_budget: number;
  disk_bytes: number;
  disk_budget: number;
  /** Null where nothing is written. */
  directory: string | null;
  hits: number;
  misses: number;
  reused: number;
}

export interface Device {
  platform: string;
  text: string;
  memory_bytes: number | null;
  memory_limit: number | null;
}

export type Priority = "interactive" | "batch" | "idle";
export type Stage = "running" | "queued" | "calculating" | "ending";

export interface Task {
  id: string | number;
  /** Of the entry it fills. */
  key: string;
  handle: string;
  name: string | null;
  model: string;
  priority: Priority;
  state: Stage;
  available: number;
  inferred: number;
  calculated: number;
  /** Origins a second. */
  rate: number | null;
  /** Seconds, both. */
  left: number | null;
  seconds: number;
  cancellable: boolean;
}

export interface Entry {
  key: string;
  handle: string;
  name: string | null;
  model: string;
  horizon: number;
  series: number;
  origins: number;
  available: number;
  inferred: number;
  calculated: number;
  start: string;
  end: string;
  frequency: string;
  memory_bytes: number;
  disk_bytes: number;
  hits: number;
  reused: number;
  /** The handle of the longer history in whose entry the results are. */
  view_of: string | null;
  /** Seconds since the epoch, both. */
  created: number;
  used: number;
  recomputable: boolean;
  /** Why not. */
  reason: string;
}

export interface Loaded {
  kind: "loaded";
  v: number;
  version: string;
}

export interface Opened {
  kind: "opened";
  id: string;
  /** Null where only the code was asked for. */
  model_id: string | null;
  title: string;
  code: string;
}

export type Incoming =
  | Loaded
  | Opened
  | ({ kind: "totals" } & Totals)
  | { kind: "device"; device: Device }
  | { kind: "work"; tasks: Task[] }
  | { kind: "entries"; put: Entry[]; gone: string[]; all: boolean }
  | { kind: "done"; id: string; text: string }
  | { kind: "fault"; id: string | null; text: string }
  | { kind: "queued"; id: string };

export type Action =
  | { action: "open"; key: string; widget: boolean }
  | { action: "recompute"; key: string }
  | { action: "drop"; key: string }
  | { action: "save" }
  | { action: "load" }
  | { action: "prune"; max_size?: string; max_age?: string }
  | { action: "flush"; memory: boolean; disk: boolean }
  | { action: "cancel"; task: string | number };

export type Outgoing =
  | { kind: "hello"; v: number; client: string }
  | { kind: "bye"; client: string }
  | { kind: "closed"; model_id: string }
  | ({ kind: "act"; id: string } & Action);
