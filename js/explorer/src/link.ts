/** The line to the kernel: says hello until answered, asks for rows one request at a time, syncs traits sparingly. */

import { Malformed } from "../../common/src/check";
import { parse } from "./parse";
import { VERSION, type Incoming, type Outgoing } from "./protocol";
import { nextWant, type Look, type Want } from "./prefetch";
import type { Store } from "./store";

/** What is used of an anywidget model. */
export interface WidgetModel {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(event: string, callback: (...args: never[]) => void): void;
  off(event: string, callback?: (...args: never[]) => void): void;
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
}

export type Trait = "index" | "series" | "model" | "drawing";

const BUSY_AFTER = 1000;
const HELLO_AGAIN = 2000;
const ANSWER_WITHIN = 3000;
/** Between two requests for rows, ms: more than thirty a second only pile up. */
const ASK_PAUSE = 35;
/** Between two requests for rows that only bring finished origins up to date, ms. */
const RENEW_PAUSE = 400;
const SYNC_PAUSE = 100;

export class Link {
  private timers = new Map<string, ReturnType<typeof setTimeout>>();
  private asked: (Want & { request: number; at: number }) | null = null;
  private lastAsk = -Infinity;
  private requests = Math.floor(Math.random() * 1e9);
  private sent = new Map<Trait, Map<unknown, number>>();
  private pending = new Map<Trait, unknown>();
  private lastSync = -Infinity;
  private look: Look | null = null;
  private inferring = "";
  private closed = false;

  /** `changed` hears of every message taken in, `busy` whether the kernel owes an answer. */
  constructor(
    private readonly model: WidgetModel,
    private readonly store: Store,
    private readonly changed: (message: Incoming) => void,
    private readonly busy: (busy: boolean) => void,
    private readonly signal: AbortSignal,
  ) {
    const receive = (content: unknown, buffers: unknown): void => this.receive(content, buffers);
    model.on("msg:custom", receive);
    signal.addEventListener("abort", () => {
      this.closed = true;
      this.flush();
      model.off("msg:custom", receive);
      for (const timer of this.timers.values()) clearTimeout(timer);
      this.timers.clear();
    });
  }

  open(): void {
    const hello = (): void => {
      this.send({ kind: "hello", v: VERSION });
      this.later("hello", HELLO_AGAIN, hello);
    };
    this.later("busy", BUSY_AFTER, () => this.busy(true));
    hello();
  }

  send(message: Outgoing): void {
    try {
      this.model.send(message);
    } catch (error) {
      // A widget whose kernel is gone throws; what the browser holds still works.
      console.warn("nbforecast:", error);
    }
  }

  private later(name: string, wait: number, job: () => void): void {
    clearTimeout(this.timers.get(name));
    if (this.closed) return;
    this.timers.set(name, setTimeout(job, wait));
  }

  private receive(content: unknown, buffers: unknown): void {
    let message: Incoming;
    try {
      message = parse(content, Array.isArray(buffers) ? buffers : [], this.store.meta);
    } catch (error) {
      if (!(error instanceof Malformed) && !(error instanceof RangeError)) throw error;
      console.warn("nbforecast: ignored a message:", error.message);
      return;
    }
    if (message.kind === "meta") {
      clearTimeout(this.timers.get("hello"));
      clearTimeout(this.timers.get("busy"));
      this.busy(false);
    }
    this.store.take(message);
    if (message.kind === "rows" && this.asked && message.request === this.asked.request) this.asked = null;
    this.changed(message);
    this.ask();
  }

  /** Says what is looked at; rows around it are asked for as needed. */
  see(look: Look): void {
    this.look = look;
    this.ask();
  }

  private ask(): void {
    const cache = this.store.rows;
    if (!cache || !this.look || this.closed) return;
    const want = nextWant(cache, this.look);
    if (!want) return;
    const now = performance.now();
    const waiting = this.asked !== null && now - this.asked.at < ANSWER_WITHIN;
    if (waiting && !(want.urgent && !covers(this.asked, want, this.look.row))) {
      this.later("ask", ANSWER_WITHIN, () => this.ask());
      return;
    }
    const fresh = want.urgent || want.count >= cache.size(want.model);
    const pause = this.lastAsk + (fresh ? ASK_PAUSE : RENEW_PAUSE) - now;
    if (pause > 0) {
      this.later("ask", pause, () => this.ask());
      return;
    }
    this.lastAsk = now;
    this.asked = { ...want, request: ++this.requests, at: now };
    const { series, model, first, count } = want;
    this.send({ kind: "want", series, model, first, count, request: this.requests });
    this.later("ask", ANSWER_WITHIN, () => this.ask());
  }

  /** Sets a trait for Python to see: every 100 ms at most, the last value always. */
  sync(trait: Trait, value: unknown): void {
    this.pending.set(trait, value);
    const wait = this.lastSync + SYNC_PAUSE - performance.now();
    if (wait <= 0) this.flush();
    else this.later("sync", wait, () => this.flush());
  }

  /** Sends what is pending now; at the end of a drag. */
  flush(): void {
    clearTimeout(this.timers.get("sync"));
    if (!this.pending.size) return;
    this.lastSync = performance.now();
    let some = false;
    const values = [...this.pending];
    this.pending.clear();
    for (const [trait, value] of values) {
      if (this.model.get(trait) === value) continue;
      this.remember(trait, value);
      this.model.set(trait, value);
      some = true;
    }
    if (some) this.model.save_changes();
  }

  private remember(trait: Trait, value: unknown): void {
    const values = this.sent.get(trait) ?? new Map<unknown, number>();
    const now = performance.now();
    for (const [old, at] of values) if (now - at > 2000) values.delete(old);
    this.sent.set(trait, values.set(value, now));
  }

  /** Whether a trait's value is the echo of what this view itself sent a moment ago. */
  private own(trait: Trait, value: unknown): boolean {
    if (this.pending.has(trait)) return true;
    const at = this.sent.get(trait)?.get(value);
    return at !== undefined && performance.now() - at < 2000;
  }

  /** Has a trait that Python sets followed while this view is free to. */
  follow(trait: Trait, free: () => boolean, act: (value: unknown) => void): void {
    const changed = (): void => {
      const now = this.model.get(trait);
      if (free() && !this.own(trait, now)) act(now);
    };
    this.model.on(`change:${trait}`, changed);
    this.signal.addEventListener("abort", () => this.model.off(`change:${trait}`, changed));
  }

  /** One origin to be inferred now; told when the person has stayed on it for 150 ms. */
  infer(series: number, model: number, row: number): void {
    // Once for each stay: repaints of a run that goes on neither delay nor repeat it.
    const key = `${series}/${model}/${row}`;
    if (key === this.inferring) return;
    this.inferring = key;
    this.later("infer", 150, () => this.send({ kind: "infer", series, model, row }));
  }

  /** Nothing is to be inferred after all. */
  leave(): void {
    this.inferring = "";
    clearTimeout(this.timers.get("infer"));
  }
}

function covers(asked: Want | null, want: Want, row: number): boolean {
  if (!asked || asked.series !== want.series || asked.model !== want.model) return false;
  return row >= asked.first && row < asked.first + asked.count;
}
