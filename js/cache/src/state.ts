/** What is known of the kernel's cache. */

import type { Device, Entry, Incoming, Task, Totals } from "./protocol";

export class State {
  totals: Totals | null = null;
  device: Device | null = null;
  tasks: readonly Task[] = [];
  readonly entries = new Map<string, Entry>();
  /** Whether the list of entries has come. */
  complete = false;

  take(message: Incoming): void {
    switch (message.kind) {
      case "totals": {
        const { kind: _, ...totals } = message;
        this.totals = totals;
        break;
      }
      case "device":
        this.device = message.device;
        break;
      case "work":
        this.tasks = message.tasks;
        break;
      case "entries": {
        if (message.all) {
          this.complete = true;
          const there = new Set(message.put.map((entry) => entry.key));
          for (const key of this.entries.keys()) if (!there.has(key)) this.entries.delete(key);
        }
        for (const key of message.gone) this.entries.delete(key);
        for (const entry of message.put) this.entries.set(entry.key, entry);
        break;
      }
    }
  }

  /** The entries whose results lie in this one. */
  viewsOf(entry: Entry): Entry[] {
    return [...this.entries.values()].filter(
      (e) => e.view_of === entry.handle && e.model === entry.model && e.horizon === entry.horizon,
    );
  }
}

/** What an entry is called: by its frame's name, else by its handle. */
export const titleOf = (e: { name: string | null; handle: string }): string => e.name ?? e.handle.slice(0, 8);
