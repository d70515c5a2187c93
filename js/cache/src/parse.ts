/** Checks every message from the kernel: nothing unchecked gets past this file. */

import { fail, finite, flag, integer, list, maybe, record, text, type Fields } from "../../common/src/check";
import type { Device, Entry, Incoming, Priority, Stage, Task, Totals } from "./protocol";

const MOST = 100_000;

type Check = (value: unknown, name: string) => unknown;

const count: Check = (value, name) => Math.max(0, finite(value, name));
const maybeText: Check = (value, name) => (value === null || value === undefined ? null : text(value, name));
const textOrNone: Check = (value, name) => maybeText(value, name) ?? "";
/** An id, of an action or of a task. */
const id: Check = (value, name) => (typeof value === "number" ? value : text(value, name));

const oneOf = <T extends string>(...known: T[]): Check => (value, name) => known.includes(value as T) ? value : fail(`${name} ${String(value).slice(0, 40)}`);

const TOTALS: Record<keyof Totals, Check> = {
  entries: count, origins: count, inferred: count, memory_bytes: count, memory_budget: count, disk_bytes: count,
  disk_budget: count, directory: maybeText, hits: count, misses: count, reused: count,
};
const DEVICE: Record<keyof Device, Check> = { platform: textOrNone, text, memory_bytes: maybe, memory_limit: maybe };
const TASK: Record<keyof Task, Check> = {
  id, key: text, handle: text, name: maybeText, model: text,
  priority: oneOf<Priority>("interactive", "batch", "idle"),
  state: oneOf<Stage>("running", "queued", "calculating", "ending"),
  available: count, inferred: count, calculated: count, rate: maybe, left: maybe, seconds: count, cancellable: flag,
};
const ENTRY: Record<keyof Entry, Check> = {
  key: text, handle: text, name: maybeText, model: text, horizon: count, series: count, origins: count, available: count,
  inferred: count, calculated: count, start: text, end: text, frequency: text, memory_bytes: count, disk_bytes: count,
  hits: count, reused: count, view_of: maybeText, created: finite, used: finite, recomputable: flag, reason: textOrNone,
};

/** The fields of a message that are known, each of which has passed its check. */
function shaped<T extends object>(value: unknown, name: string, checks: Record<keyof T, Check>): T {
  const m = record(value, name);
  return Object.fromEntries(Object.entries<Check>(checks).map(([field, check]) => [field, check(m[field], field)])) as T;
}

const answered = (m: Fields): string => String(id(m.id, "id"));

/** One message, checked; throws `Malformed`. */
export function parse(content: unknown): Incoming {
  const m = record(content, "message");
  switch (m.kind) {
    case "loaded":
      return { kind: "loaded", v: integer(m.v, "v", 0, 1e6), version: text(m.version, "version") };
    case "totals":
      return { kind: "totals", ...shaped<Totals>(m, "totals", TOTALS) };
    case "device":
      return { kind: "device", device: shaped<Device>(m, "device", DEVICE) };
    case "work":
      return { kind: "work", tasks: list(m.tasks, "tasks", MOST).map((task) => shaped<Task>(task, "task", TASK)) };
    case "entries": {
      const gone = list(m.gone, "gone", MOST).map((key) => text(key, "key"));
      return { kind: "entries", put: list(m.put, "put", MOST).map((entry) => shaped<Entry>(entry, "entry", ENTRY)), gone, all: flag(m.all, "all") };
    }
    case "done":
      return { kind: "done", id: answered(m), text: text(m.text, "text") };
    case "fault":
      return { kind: "fault", id: m.id === null || m.id === undefined ? null : answered(m), text: text(m.text, "text") };
    case "queued":
      return { kind: "queued", id: answered(m) };
    case "opened":
      return { kind: "opened", id: answered(m), model_id: m.model_id === null ? null : text(m.model_id, "model_id"), title: text(m.title, "title"), code: text(m.code, "code") };
    default:
      return fail(`unknown kind ${String(m.kind).slice(0, 40)}`);
  }
}
