/** Checks every message from the kernel: nothing unchecked gets past this file. */

import { type Fields, fail, finite, flag, integer, list, maybe, record, text } from "../../common/src/check";
import type { CacheEntry, CacheTask, DeviceMessage, Messages, TotalsMessage } from "./messages";

const MAX_ITEMS = 100_000;

type Check = (value: unknown, name: string) => unknown;
type Checks<T> = Record<Exclude<keyof T, "kind">, Check>;

const count: Check = (value, name) => Math.max(0, finite(value, name));
const maybeText: Check = (value, name) => (value === null || value === undefined ? null : text(value, name));
const textOrEmpty: Check = (value, name) => maybeText(value, name) ?? "";

const oneOf =
  <T extends string>(...names: T[]): Check =>
  (value, name) =>
    names.includes(value as T) ? value : fail(`${name} ${String(value).slice(0, 40)}`);

const TOTALS: Checks<TotalsMessage> = {
  entries: count,
  origins: count,
  inferred: count,
  memory_bytes: count,
  memory_budget: count,
  disk_bytes: count,
  disk_budget: count,
  directory: maybeText,
  hits: count,
  misses: count,
  reused: count,
};
const DEVICE: Checks<DeviceMessage> = { platform: maybeText, text, memory_bytes: maybe, memory_limit: maybe };
const TASK: Checks<CacheTask> = {
  id: count,
  key: text,
  handle: text,
  name: maybeText,
  model: text,
  priority: oneOf<CacheTask["priority"]>("interactive", "batch", "idle"),
  state: oneOf<CacheTask["state"]>("running", "queued", "calculating", "ending"),
  available: count,
  inferred: count,
  calculated: count,
  rate: maybe,
  eta_seconds: maybe,
  seconds: count,
  cancellable: flag,
};
const ENTRY: Checks<CacheEntry> = {
  key: text,
  handle: text,
  name: maybeText,
  model: text,
  horizon: count,
  series: count,
  origins: count,
  available: count,
  inferred: count,
  calculated: count,
  start: text,
  end: text,
  frequency: text,
  memory_bytes: count,
  disk_bytes: count,
  hits: count,
  reused: count,
  view_of: maybeText,
  created: finite,
  used: finite,
  recomputable: flag,
  reason: textOrEmpty,
};

/** The fields of a message that are in the schema, each of which has passed its check. */
function fields<T extends object>(value: unknown, name: string, checks: Checks<T>): Omit<T, "kind"> {
  const m = record(value, name);
  return Object.fromEntries(
    Object.entries<Check>(checks).map(([field, check]) => [field, check(m[field], field)]),
  ) as Omit<T, "kind">;
}

/** The id of an action. */
const idOf = (m: Fields): number | string => (typeof m.id === "number" ? m.id : text(m.id, "id"));

/** One message, checked; throws `Malformed`. */
export function parse(content: unknown): Messages {
  const m = record(content, "message");
  switch (m.kind) {
    case "loaded":
      return { kind: "loaded", v: integer(m.v, "v", 0, 1e6), version: text(m.version, "version") };
    case "totals":
      return { kind: "totals", ...fields(m, "totals", TOTALS) };
    case "device":
      return { kind: "device", ...fields(m, "device", DEVICE) };
    case "work":
      return {
        kind: "work",
        tasks: list(m.tasks, "tasks", MAX_ITEMS).map((task) => fields<CacheTask>(task, "task", TASK)),
      };
    case "entries": {
      const gone = list(m.gone, "gone", MAX_ITEMS).map((key) => text(key, "key"));
      const put = list(m.put, "put", MAX_ITEMS).map((entry) => fields<CacheEntry>(entry, "entry", ENTRY));
      return { kind: "entries", put, gone, all: flag(m.all, "all") };
    }
    case "done":
      return { kind: "done", id: idOf(m), text: text(m.text, "text") };
    case "fault":
      return { kind: "fault", id: m.id === null || m.id === undefined ? null : idOf(m), text: text(m.text, "text") };
    case "queued":
      return { kind: "queued", id: idOf(m) };
    case "opened": {
      const model_id = m.model_id === null ? null : text(m.model_id, "model_id");
      return { kind: "opened", id: idOf(m), model_id, title: text(m.title, "title"), code: text(m.code, "code") };
    }
    default:
      return fail(`unknown kind ${String(m.kind).slice(0, 40)}`);
  }
}
