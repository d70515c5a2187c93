/** A stand-in for a kernel: keeps the requests it receives, and sends the messages of a test. */

import { Connection } from "../src/connection";
import type { ActionRequest, CacheEntry, CacheTask, OpenedMessage, Requests } from "../src/messages";
import { View } from "../src/view";

export const NOW = 1_800_000_000;

export const entry = (n: number, more: Partial<CacheEntry> = {}): CacheEntry => ({
  key: `key${n}`,
  handle: `${String(n).padStart(8, "0")}${"ab".repeat(12)}`,
  name: `frame ${n}`,
  model: "auto",
  horizon: 12,
  series: 1,
  origins: 110,
  available: 100,
  inferred: 100,
  calculated: 100,
  start: "2024-01-01",
  end: "2024-02-01",
  frequency: "1 h",
  memory_bytes: 1e6,
  disk_bytes: 5e5,
  hits: 0,
  reused: 0,
  view_of: null,
  created: NOW - 1000,
  used: NOW - 60 * n,
  recomputable: true,
  reason: "",
  ...more,
});

export const task = (id: number, more: Partial<CacheTask> = {}): CacheTask => ({
  id,
  key: `key${id}`,
  handle: "0".repeat(32),
  name: `frame ${id}`,
  model: "auto",
  priority: "batch",
  state: "running",
  available: 1000,
  inferred: 250,
  calculated: 200,
  rate: 50,
  eta_seconds: 15,
  seconds: 5,
  cancellable: true,
  ...more,
});

export const TOTALS = {
  kind: "totals",
  entries: 2,
  origins: 220,
  inferred: 200,
  memory_bytes: 5e8,
  memory_budget: 2e9,
  disk_bytes: 1e9,
  disk_budget: 1e10,
  directory: "/cache",
  hits: 3,
  misses: 1,
  reused: 40,
};

export class Kernel {
  readonly sent: Requests[] = [];
  readonly opened: [OpenedMessage, boolean][] = [];
  readonly end = new AbortController();
  readonly view = new View(
    { open: (message, inCell) => void this.opened.push([message, inCell]), hasCells: true },
    this.end.signal,
  );
  readonly connection = new Connection((message) => void this.sent.push(message), this.view);

  constructor() {
    this.view.use(this.connection);
    document.body.append(this.view.root);
  }

  send(message: unknown): void {
    this.connection.receive(message);
  }

  /** Its whole list of entries. */
  list(...entries: CacheEntry[]): void {
    this.send({ kind: "entries", put: entries, gone: [], all: true });
  }

  /** The last request for an action. */
  get request(): ActionRequest | undefined {
    return this.sent.filter((m) => m.kind === "action_request").at(-1);
  }

  find<E extends HTMLElement = HTMLElement>(selector: string): E {
    return this.view.root.querySelector(selector) as E;
  }

  get rows(): HTMLElement[] {
    return [...this.view.root.querySelectorAll<HTMLElement>(".nbf-row")];
  }

  get names(): string[] {
    return this.rows.map((row) => row.querySelector(".nbf-name")?.textContent ?? "");
  }

  button(text: string): HTMLButtonElement {
    const button = [...this.view.root.querySelectorAll("button")].find(
      (b) => (b.getAttribute("aria-label") ?? b.textContent) === text,
    );
    if (!button) throw new Error(`no button ${text}`);
    return button;
  }

  press(el: Element, key: string): void {
    el.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  }
}
