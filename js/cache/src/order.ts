/** Which entries are shown, and in what order. */

import type { Entry } from "./protocol";
import { titleOf } from "./state";

export type OrderName = "used" | "name" | "done" | "memory" | "disk" | "hits" | "reused";

interface Order {
  label: string;
  compare: (a: Entry, b: Entry) => number;
}

const by = (of: (e: Entry) => number) => (a: Entry, b: Entry) => of(b) - of(a) || b.used - a.used || (a.key < b.key ? -1 : 1);
const byName = (a: Entry, b: Entry): number =>
  titleOf(a).localeCompare(titleOf(b)) || a.model.localeCompare(b.model) || b.used - a.used || (a.key < b.key ? -1 : 1);

/** Each begins with what a person looks for: the latest, the largest. */
export const ORDERS: Record<OrderName, Order> = {
  used: { label: "Last used", compare: by((e) => e.used) },
  name: { label: "Name", compare: byName },
  done: { label: "Origins", compare: by((e) => e.inferred) },
  memory: { label: "Memory", compare: by((e) => e.memory_bytes) },
  disk: { label: "Disk", compare: by((e) => e.disk_bytes) },
  hits: { label: "Hits", compare: by((e) => e.hits) },
  reused: { label: "Reused", compare: by((e) => e.reused) },
};

/** Whether all words are found in the entry's name, model, handle or the one it is part of. */
export function matches(entry: Entry, words: string): boolean {
  const text = `${entry.name ?? ""} ${entry.model} ${entry.handle} ${entry.view_of ?? ""}`.toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}
