/** What is asked before entries go, with counts and bytes. */

import { plural, size } from "../../common/src/format";
import type { Question } from "./ask";
import type { Action, Entry } from "./protocol";
import { titleOf, type State } from "./state";

type Act = (action: Action) => void;

const sum = (entries: Iterable<Entry>, of: (e: Entry) => number): number => [...entries].reduce((total, e) => total + of(e), 0);
const inMemory = (e: Entry): number => e.memory_bytes;
const onDisk = (e: Entry): number => e.disk_bytes;

/** "8.1 MB of memory and 7.4 MB on disk", without what is none. */
function bytes(memory: number, disk: number): string {
  const parts = [memory ? `${size(memory)} of memory` : "", disk ? `${size(disk)} on disk` : ""].filter(Boolean);
  return parts.join(" and ") || "no memory and no file";
}

export function dropping(entry: Entry, state: State, act: Act): Question {
  return {
    title: `Drop ${titleOf(entry)} · ${entry.model}?`,
    words: () => {
      if (entry.view_of !== null) return "It is part of a longer entry, which stays.";
      const views = state.viewsOf(entry).length;
      const also = views ? ` ${plural(views, "shorter entry", "shorter entries")} that read it will be inferred anew when asked for.` : "";
      return `${plural(entry.inferred, "forecast")}, ${bytes(entry.memory_bytes, entry.disk_bytes)}.${also}`;
    },
    confirm: "Drop",
    act: () => act({ action: "drop", key: entry.key }),
  };
}

const entries = (n: number): string => plural(n, "entry", "entries");

export function flushing(state: State, act: Act): Question {
  let where = "memory";
  const held = (): Entry[] => [...state.entries.values()].filter((e) => e.memory_bytes > 0 || e.view_of !== null);
  const saved = (): Entry[] => [...state.entries.values()].filter((e) => e.disk_bytes > 0);
  return {
    title: "Flush the cache?",
    choices: [{
      label: "From",
      options: [["memory", "memory"], ["disk", "disk"], ["both", "memory and disk"]],
      set: (value) => {
        where = value;
      },
    }],
    words: () => {
      const all = state.entries.size;
      if (where === "memory") return `${entries(held().length)}, ${size(sum(held(), inMemory))}. What is not saved yet is saved first; files stay.`;
      if (where === "disk") return `${entries(saved().length)}, ${size(sum(saved(), onDisk))} on disk. What is in memory stays until the kernel ends.`;
      return `All of it, for good: ${entries(all)}, ${bytes(sum(held(), inMemory), sum(saved(), onDisk))}.`;
    },
    confirm: "Flush",
    act: () => act({ action: "flush", memory: where !== "disk", disk: where !== "memory" }),
  };
}

const DAY = 86_400;
const AGES = [["", "any time"], ["1d", "1 day"], ["7d", "7 days"], ["30d", "30 days"], ["90d", "90 days"]] as const;
const SIZES = [["", "any size"], ["100MB", "100 MB"], ["500MB", "500 MB"], ["1GB", "1 GB"], ["2GB", "2 GB"], ["5GB", "5 GB"]] as const;
const UNITS: Record<string, number> = { MB: 1e6, GB: 1e9 };

const parsed = (text: string): number => (text ? parseInt(text, 10) * UNITS[text.slice(-2)] : Infinity);

/** What goes where at most `most` bytes may stay: the last used ones are kept. */
function beyond(entries: readonly Entry[], of: (e: Entry) => number, most: number): Entry[] {
  let kept = 0;
  return entries.filter((e) => of(e) > 0 && (kept += of(e)) > most);
}

export function pruning(state: State, act: Act, now: () => number): Question {
  let age = "";
  let most = "";
  const going = (): { memory: number; disk: number; count: number } => {
    const sorted = [...state.entries.values()].sort((a, b) => b.used - a.used);
    const oldest = age ? now() - parseInt(age, 10) * DAY : -Infinity;
    const old = sorted.filter((e) => e.used < oldest);
    const young = sorted.filter((e) => e.used >= oldest);
    const memory = [...old, ...beyond(young, inMemory, parsed(most))];
    const disk = [...old, ...beyond(young, onDisk, parsed(most))];
    return { memory: sum(memory, inMemory), disk: sum(disk, onDisk), count: new Set([...memory, ...disk]).size };
  };
  return {
    title: "Prune the cache?",
    choices: [
      { label: "Unused for", options: AGES, chosen: "30d", set: (value) => void (age = value) },
      { label: "Keep at most, of each", options: SIZES, set: (value) => void (most = value) },
    ],
    words: () => {
      if (!age && !most) return "The budgets are applied: what was used longest ago goes until both are kept.";
      const { memory, disk, count } = going();
      return count ? `What was used longest ago goes: ${entries(count)}, ${bytes(memory, disk)}.` : "Nothing would go.";
    },
    confirm: "Prune",
    act: () => act({ action: "prune", ...(most && { max_size: most }), ...(age && { max_age: age }) }),
  };
}
