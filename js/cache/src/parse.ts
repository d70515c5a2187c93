/** Checks every message from the kernel: nothing unchecked gets past this file. */

import { fail, finite, flag, integer, list, maybe, record, text, type Fields } from "../../common/src/check";
import type { Device, Entry, Incoming, Priority, Stage, Task, Totals } from "./protocol";

const MOST = 100_000;
const PRIORITIES: readonly string[] = ["interactive", "batch", "idle"] satisfies Priority[];
const STAGES: readonly string[] = ["running", "queued", "calculating", "ending"] satisfies Stage[];

const count = (m: Fields, name: string): number => Math.max(0, finite(m[name], name));
const words = (m: Fields, name: string): string => text(m[name], name);
const maybeWords = (m: Fields, name: string): string | null => (m[name] === null || m[name] === undefined ? null : words(m, name));

function oneOf(m: Fields, name: string, known: readonly string[]): string {
  const found = words(m, name);
  return known.includes(found) ? found : fail(`${name} ${found.slice(0, 40)}`);
}

/** An id of ours: text. */
function answered(m: Fields): string {
  return typeof m.id === "number" ? String(m.id) : words(m, "id");
}

function parseTotals(m: Fields): Totals {
  return {
    entries: count(m, "entries"),
    origins: count(m, "origins"),
    inferred: count(m, "inferred"),
    memory_bytes: count(m, "memory_bytes"),
    memory_budget: count(m, "memory_budget"),
    disk_bytes: count(m, "disk_bytes"),
    disk_budget: count(m, "disk_budget"),
    directory: maybeWords(m, "directory"),
    hits: count(m, "hits"),
    misses: count(m, "misses"),
    reused: count(m, "reused"),
  };
}

function parseDevice(m: Fields): Device {
  return {
    platform: maybeWords(m, "platform") ?? "",
    text: words(m, "text"),
    memory_bytes: maybe(m.memory_bytes, "memory_bytes"),
    memory_limit: maybe(m.memory_limit, "memory_limit"),
  };
}

function parseTask(value: unknown): Task {
  const m = record(value, "task");
  if (typeof m.id !== "number" && typeof m.id !== "string") fail("id of a task");
  return {
    id: m.id as number | string,
    key: words(m, "key"),
    handle: words(m, "handle"),
    name: maybeWords(m, "name"),
    model: words(m, "model"),
    priority: oneOf(m, "priority", PRIORITIES) as Priority,
    state: oneOf(m, "state", STAGES) as Stage,
    available: count(m, "available"),
    inferred: count(m, "inferred"),
    calculated: count(m, "calculated"),
    rate: maybe(m.rate, "rate"),
    left: maybe(m.left, "left"),
    seconds: count(m, "seconds"),
    cancellable: flag(m.cancellable, "cancellable"),
  };
}

function parseEntry(value: unknown): Entry {
  const m = record(value, "entry");
  return {
    key: words(m, "key"),
    handle: words(m, "handle"),
    name: maybeWords(m, "name"),
    model: words(m, "model"),
    horizon: count(m, "horizon"),
    series: count(m, "series"),
    origins: count(m, "origins"),
    available: count(m, "available"),
    inferred: count(m, "inferred"),
    calculated: count(m, "calculated"),
    start: words(m, "start"),
    end: words(m, "end"),
    frequency: words(m, "frequency"),
    memory_bytes: count(m, "memory_bytes"),
    disk_bytes: count(m, "disk_bytes"),
    hits: count(m, "hits"),
    reused: count(m, "reused"),
    view_of: maybeWords(m, "view_of"),
    created: finite(m.created, "created"),
    used: finite(m.used, "used"),
    recomputable: flag(m.recomputable, "recomputable"),
    reason: maybeWords(m, "reason") ?? "",
  };
}

/** One message, checked; throws `Malformed`. */
export function parse(content: unknown): Incoming {
  const m = record(content, "message");
  switch (m.kind) {
    case "loaded":
      return { kind: "loaded", v: integer(m.v, "v", 0, 1e6), version: words(m, "version") };
    case "totals":
      return { kind: "totals", ...parseTotals(m) };
    case "device":
      return { kind: "device", device: parseDevice(m) };
    case "work":
      return { kind: "work", tasks: list(m.tasks, "tasks", MOST).map(parseTask) };
    case "entries": {
      const gone = list(m.gone, "gone", MOST).map((key) => text(key, "key"));
      return { kind: "entries", put: list(m.put, "put", MOST).map(parseEntry), gone, all: flag(m.all, "all") };
    }
    case "done":
      return { kind: "done", id: answered(m), text: words(m, "text") };
    case "fault":
      return { kind: "fault", id: m.id === null || m.id === undefined ? null : answered(m), text: words(m, "text") };
    case "queued":
      return { kind: "queued", id: answered(m) };
    case "opened":
      return { kind: "opened", id: answered(m), model_id: maybeWords(m, "model_id"), title: words(m, "title"), code: words(m, "code") };
    default:
      return fail(`unknown kind ${String(m.kind).slice(0, 40)}`);
  }
}
