/** The questions before entries are removed, with counts and bytes. */

import { byteSize, plural } from "../../common/src/format";
import type { Question } from "./confirm-dialog";
import type { Action, CacheEntry } from "./messages";
import { type CacheState, titleOf } from "./state";

type Act = (action: Action) => void;

const sum = (entries: Iterable<CacheEntry>, of: (e: CacheEntry) => number): number =>
  [...entries].reduce((total, e) => total + of(e), 0);
const inMemory = (e: CacheEntry): number => e.memory_bytes;
const onDisk = (e: CacheEntry): number => e.disk_bytes;

/** "8.1 MB of memory and 7.4 MB on disk"; a part that is zero is left out. */
function bytes(memory: number, disk: number): string {
  const parts = [memory ? `${byteSize(memory)} of memory` : "", disk ? `${byteSize(disk)} on disk` : ""].filter(
    Boolean,
  );
  return parts.join(" and ") || "no memory and no file";
}

const RESULTS = [
  ["", "everything"],
  ["quantiles", "quantiles and scores"],
  ["scores", "scores"],
  ["density", "densities"],
] as const;

/** Before an entry, or part of its results, is dropped. */
export function dropQuestion(entry: CacheEntry, state: CacheState, act: Act): Question {
  let only = "";
  let index = "";
  return {
    title: `Drop ${titleOf(entry)} · ${entry.model}?`,
    focusesButton: true,
    choices: [
      {
        label: "What",
        options: RESULTS,
        set: (value) => {
          only = value;
        },
      },
      {
        label: "Of the origins",
        placeholder: "all, or a range such as -24:0",
        set: (value) => {
          index = value;
        },
      },
    ],
    describe: () => {
      if (only || index) {
        const what = RESULTS.find(([value]) => value === only)?.[1] ?? only;
        const made = only ? "They are calculated anew when asked for." : "They are inferred anew when asked for.";
        return `${what[0].toUpperCase()}${what.slice(1)} of ${index ? `the origins ${index}` : "all origins"}. ${made}`;
      }
      if (entry.view_of !== null) return "It is part of a longer entry, which stays.";
      const views = state.viewsOf(entry).length;
      const also = views
        ? ` ${plural(views, "shorter entry", "shorter entries")} that read it will be inferred anew when asked for.`
        : "";
      return `${plural(entry.inferred, "forecast")}, ${bytes(entry.memory_bytes, entry.disk_bytes)}.${also}`;
    },
    confirm: "Drop",
    act: () => act({ name: "drop", key: entry.key, ...(index && { index }), ...(only && { only }) }),
  };
}

/** Where to save to, or to load from. */
export function placeQuestion(name: "save" | "load", act: Act): Question {
  let path = "";
  return {
    title: name === "save" ? "Save into which folder?" : "Load from which folder or file?",
    choices: [
      {
        label: name === "save" ? "Folder" : "Folder or file",
        placeholder: "a path of the kernel's machine",
        set: (value) => {
          path = value;
        },
      },
    ],
    describe: () =>
      path
        ? name === "save"
          ? "Every entry is copied into it."
          : "Its entries are loaded into memory."
        : "Name a place.",
    confirm: name === "save" ? "Save" : "Load",
    harmless: true,
    act: () => {
      if (path) act({ name, path });
    },
  };
}

const entries = (n: number): string => plural(n, "entry", "entries");

/** Before the cache is flushed. */
export function flushQuestion(state: CacheState, act: Act): Question {
  let where = "memory";
  const inMemoryNow = (): CacheEntry[] =>
    [...state.entries.values()].filter((e) => e.memory_bytes > 0 || e.view_of !== null);
  const onDiskNow = (): CacheEntry[] => [...state.entries.values()].filter((e) => e.disk_bytes > 0);
  return {
    title: "Flush the cache?",
    choices: [
      {
        label: "From",
        options: [
          ["memory", "memory"],
          ["disk", "disk"],
          ["both", "memory and disk"],
        ],
        set: (value) => {
          where = value;
        },
      },
    ],
    describe: () => {
      const all = state.entries.size;
      if (where === "memory")
        return `${entries(inMemoryNow().length)}, ${byteSize(sum(inMemoryNow(), inMemory))}. What is not saved yet is saved first; files stay.`;
      if (where === "disk")
        return `${entries(onDiskNow().length)}, ${byteSize(sum(onDiskNow(), onDisk))} on disk. What is in memory stays until the kernel ends.`;
      return `All of it, for good: ${entries(all)}, ${bytes(sum(inMemoryNow(), inMemory), sum(onDiskNow(), onDisk))}.`;
    },
    confirm: "Flush",
    act: () => act({ name: "flush", memory: where !== "disk", disk: where !== "memory" }),
  };
}

const DAY = 86_400;
const AGES = [
  ["", "any time"],
  ["1d", "1 day"],
  ["7d", "7 days"],
  ["30d", "30 days"],
  ["90d", "90 days"],
] as const;
const SIZES = [
  ["", "any size"],
  ["100MB", "100 MB"],
  ["500MB", "500 MB"],
  ["1GB", "1 GB"],
  ["2GB", "2 GB"],
  ["5GB", "5 GB"],
] as const;
const UNITS: Record<string, number> = { MB: 1e6, GB: 1e9 };

const bytesOf = (text: string): number => (text ? parseInt(text, 10) * UNITS[text.slice(-2)] : Infinity);

/** The entries beyond a limit in bytes, from entries in the order of use, the latest first. */
function beyond(entries: readonly CacheEntry[], of: (e: CacheEntry) => number, limit: number): CacheEntry[] {
  let total = 0;
  return entries.filter((e) => {
    total += of(e);
    return of(e) > 0 && total > limit;
  });
}

/** Before the cache is pruned. */
export function pruneQuestion(state: CacheState, act: Act, now: () => number): Question {
  let age = "";
  let limit = "";
  const removed = (): { memory: number; disk: number; count: number } => {
    const sorted = [...state.entries.values()].sort((a, b) => b.used - a.used);
    const oldest = age ? now() - parseInt(age, 10) * DAY : -Infinity;
    const unused = sorted.filter((e) => e.used < oldest);
    const recent = sorted.filter((e) => e.used >= oldest);
    const memory = [...unused, ...beyond(recent, inMemory, bytesOf(limit))];
    const disk = [...unused, ...beyond(recent, onDisk, bytesOf(limit))];
    return { memory: sum(memory, inMemory), disk: sum(disk, onDisk), count: new Set([...memory, ...disk]).size };
  };
  return {
    title: "Prune the cache?",
    choices: [
      {
        label: "Unused for",
        options: AGES,
        initial: "30d",
        set: (value) => {
          age = value;
        },
      },
      {
        label: "Keep at most, of each",
        options: SIZES,
        set: (value) => {
          limit = value;
        },
      },
    ],
    describe: () => {
      if (!age && !limit) return "The budgets are applied: what was used longest ago goes until both are kept.";
      const { memory, disk, count } = removed();
      return count ? `What was used longest ago goes: ${entries(count)}, ${bytes(memory, disk)}.` : "Nothing would go.";
    },
    confirm: "Prune",
    act: () => act({ name: "prune", ...(limit && { max_size: limit }), ...(age && { max_age: age }) }),
  };
}
