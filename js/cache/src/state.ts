/** The kernel's cache as its messages describe it. */

import type { CacheEntry, CacheTask, DeviceMessage, Messages, TotalsMessage } from "./messages";

/** Everything that a view shows. */
export class CacheState {
  totals: TotalsMessage | null = null;
  device: DeviceMessage | null = null;
  tasks: readonly CacheTask[] = [];
  readonly entries = new Map<string, CacheEntry>();
  /** Whether the list of entries has come. */
  complete = false;

  receive(message: Messages): void {
    switch (message.kind) {
      case "totals":
        this.totals = message;
        break;
      case "device":
        this.device = message;
        break;
      case "work":
        this.tasks = message.tasks;
        break;
      case "entries": {
        if (message.all) {
          this.complete = true;
          const keys = new Set(message.put.map((entry) => entry.key));
          for (const key of this.entries.keys()) if (!keys.has(key)) this.entries.delete(key);
        }
        for (const key of message.gone) this.entries.delete(key);
        for (const entry of message.put) this.entries.set(entry.key, entry);
        break;
      }
    }
  }

  /** The entries whose results are in this one. */
  viewsOf(entry: CacheEntry): CacheEntry[] {
    return [...this.entries.values()].filter(
      (e) => e.view_of === entry.handle && e.model === entry.model && e.horizon === entry.horizon,
    );
  }
}

/** The title of an entry: its frame's name, else its handle. */
export const titleOf = (e: { name: string | null; handle: string }): string => e.name ?? e.handle.slice(0, 8);
