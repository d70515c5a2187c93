/** The connection to the kernel: connects until it is answered, requests rows one request at a time, and syncs traits sparingly. */

import { Malformed } from "../../../common/src/check";
import { type NeededRows, nextRows, type VisibleRows } from "../state/prefetch";
import type { RowSpan } from "../state/row-cache";
import type { Store } from "../state/store";
import { type Messages, type Requests, VERSION } from "./messages";
import { parse } from "./parse";

/** The part of an anywidget model that is used. */
export interface WidgetModel {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(event: string, callback: (...args: never[]) => void): void;
  off(event: string, callback?: (...args: never[]) => void): void;
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
}

/** The traits that the page and Python share. */
export type Trait = "index" | "series" | "model" | "drawing" | "compare" | "window" | "selected";

/** Equal lists are equal values. */
const keyOf = (value: unknown): unknown => (Array.isArray(value) ? JSON.stringify(value) : value);

const BUSY_AFTER = 1000;
const RECONNECT_AFTER = 2000;
const ANSWER_WITHIN = 3000;
/** Between two requests for rows, ms: more than thirty a second only queue up. */
const REQUEST_PAUSE = 35;
/** Between two requests for rows that only bring finished origins up to date, ms. */
const UPDATE_PAUSE = 400;
const SYNC_PAUSE = 100;
/** For how long the pointer rests before what a sketch shows is requested in detail, ms; and rows from which on it sweeps. */
const REST = 90;
const LEAP = 16;
/** Rows that are requested where nothing is there to be drawn: few, so that they come soon. */
const URGENT_ROWS = 128;
/** For how long a trait's value may be the echo of what this view has set, ms. */
const ECHO_WITHIN = 2000;
/** For how long a person stays on an origin before it is inferred, ms. */
const INFER_AFTER = 150;

/** One view's connection: messages go to the store, requests come from what is in view. */
export class Connection {
  #timers = new Map<string, ReturnType<typeof setTimeout>>();
  #request: (NeededRows & { request: number; time: number }) | null = null;
  #lastRequest = -Infinity;
  #lastLeap = -Infinity;
  #windowRequest: (RowSpan & { series: number; time: number }) | null = null;
  #jointRequest: { request: number; time: number; row: number } | null = null;
  #requests = Math.floor(Math.random() * 1e9);
  #sent = new Map<Trait, Map<unknown, number>>();
  #pending = new Map<Trait, unknown>();
  #lastSync = -Infinity;
  #visible: VisibleRows | null = null;
  #inferring = "";
  readonly #model: WidgetModel;
  readonly #store: Store;
  readonly #signal: AbortSignal;

  constructor(model: WidgetModel, store: Store, signal: AbortSignal) {
    this.#model = model;
    this.#store = store;
    this.#signal = signal;
    const receive = (content: unknown, buffers: unknown): void => this.#receive(content, buffers);
    // JupyterLab says so where a kernel restarts or its connection is lost: an answer shows that it is still there.
    const check = (): void => {
      store.setGone(true);
      this.send({ kind: "connect", v: VERSION });
    };
    model.on("msg:custom", receive);
    model.on("comm_live_update", check);
    signal.addEventListener("abort", () => {
      this.flush();
      model.off("msg:custom", receive);
      model.off("comm_live_update", check);
      for (const timer of this.#timers.values()) clearTimeout(timer);
      this.#timers.clear();
    });
  }

  /** Requests the kernel's messages, and repeats that until it answers. */
  open(): void {
    const connect = (): void => {
      this.send({ kind: "connect", v: VERSION });
      this.#later("connect", RECONNECT_AFTER, connect);
    };
    this.#later("busy", BUSY_AFTER, () => this.#store.setBusy(true));
    connect();
  }

  /** Requests the series of some models; a kernel that owes it for a while is busy. */
  openSeries(series: number, models: readonly number[]): void {
    for (const model of models) this.send({ kind: "open_series", series, model });
    if (!this.#store.hasHistory) this.#later("busy", BUSY_AFTER, () => this.#store.setBusy(true));
  }

  send(message: Requests): void {
    try {
      this.#model.send(message);
    } catch (error) {
      // A widget whose kernel is gone throws; what is in the browser still works.
      console.warn("nbforecast:", error);
    }
  }

  #later(name: string, wait: number, job: () => void): void {
    clearTimeout(this.#timers.get(name));
    if (this.#signal.aborted) return;
    this.#timers.set(name, setTimeout(job, wait));
  }

  #receive(content: unknown, buffers: unknown): void {
    let message: Messages;
    try {
      message = parse(content, Array.isArray(buffers) ? buffers : [], this.#store.meta);
    } catch (error) {
      if (!(error instanceof Malformed) && !(error instanceof RangeError)) throw error;
      console.warn("nbforecast: ignored a message:", error.message);
      return;
    }
    if (this.#store.gone) this.#store.setGone(false);
    if (message.kind === "meta") clearTimeout(this.#timers.get("connect"));
    if (message.kind === "rows" && message.request === this.#request?.request) this.#request = null;
    if (message.kind === "joint" && message.request === this.#jointRequest?.request) this.#jointRequest = null;
    if (message.kind === "window") this.#windowRequest = null;
    this.#store.receive(message);
    // Who is not at the newest origin has another index now.
    if (message.kind === "extend") this.sync("index", this.#store.index);
    if (message.kind === "meta" || (message.kind === "history" && this.#store.hasHistory)) {
      clearTimeout(this.#timers.get("busy"));
      if (this.#store.busy) this.#store.setBusy(false);
    }
    this.#requestAll();
  }

  /** Sets what is in view; rows around it are requested as needed. */
  setVisible(visible: VisibleRows): void {
    const before = this.#visible;
    if (before && Math.abs(before.row - visible.row) >= LEAP) this.#lastLeap = performance.now();
    this.#visible = visible;
    this.#requestAll();
  }

  #requestAll(): void {
    this.#requestWindows();
    this.#requestRows();
    this.#requestJoint();
  }

  /** Requests the values in view of a long series, one request at a time. */
  #requestWindows(): void {
    const visible = this.#visible;
    const span = this.#store.missingWindows;
    if (!span || !visible || this.#signal.aborted) return;
    const now = performance.now();
    const last = this.#windowRequest;
    const pause = (last?.time ?? -Infinity) + (last ? ANSWER_WITHIN : 0) - now;
    if (pause > 0) {
      this.#later("windows", pause, () => this.#requestWindows());
      return;
    }
    this.#windowRequest = { ...span, series: visible.series, time: now };
    this.send({ kind: "window_request", series: visible.series, model: visible.models[0], ...span });
    this.#later("windows", ANSWER_WITHIN, () => this.#requestWindows());
  }

  #requestRows(): void {
    const cache = this.#store.rows;
    const visible = this.#visible;
    if (!cache || !visible || this.#signal.aborted) return;
    const next = nextRows(cache, visible);
    if (!next) return;
    const needed = next.urgent ? { ...next, ...around(next, visible.row) } : next;
    const again = (wait: number): void => this.#later("rows", wait, () => this.#requestRows());
    const now = performance.now();
    const last = this.#request;
    if (last && now - last.time < ANSWER_WITHIN && !(needed.urgent && !covers(last, needed, visible.row))) {
      again(ANSWER_WITHIN);
      return;
    }
    // A sketch is there for what a sweep passes; the rows follow where it rests.
    const rest = this.#lastLeap + REST - now;
    if (this.#store.held && rest > 0 && this.#store.sketch.nearest(visible.row)) {
      again(rest);
      return;
    }
    const isNew = needed.urgent || needed.count >= cache.chunkRows(needed.model);
    const pause = this.#lastRequest + (isNew ? REQUEST_PAUSE : UPDATE_PAUSE) - now;
    if (pause > 0) {
      again(pause);
      return;
    }
    this.#lastRequest = now;
    const request = ++this.#requests;
    this.#request = { ...needed, request, time: now };
    const { series, model, first, count } = needed;
    this.send({ kind: "rows_request", series, model, first, count, request });
    again(ANSWER_WITHIN);
  }

  /** Requests the joint forecasts around the origin in view, and those ahead of it while it moves. */
  #requestJoint(): void {
    const { joints, rows: cache } = this.#store;
    const visible = this.#visible;
    if (!joints || !cache || !visible || this.#signal.aborted) return;
    const { series, row, rows, direction } = visible;
    const again = (wait: number): void => this.#later("joint", wait, () => this.#requestJoint());
    for (const place of [row, row + direction * joints.chunk]) {
      for (const model of visible.models) {
        const span = cache.forecast(series, model, place)?.filled && joints.missing(series, model, place, rows);
        if (!span) continue;
        const now = performance.now();
        const last = this.#jointRequest;
        if (last && now - last.time < ANSWER_WITHIN && (place !== row || inChunk(last.row, row, joints.chunk))) {
          again(ANSWER_WITHIN);
          return;
        }
        const pause = (last?.time ?? -Infinity) + REQUEST_PAUSE - now;
        if (pause > 0) {
          again(pause);
          return;
        }
        const request = ++this.#requests;
        this.#jointRequest = { request, time: now, row: place };
        this.send({ kind: "joint_request", series, model, ...span, request });
        again(ANSWER_WITHIN);
        return;
      }
    }
  }

  /** Sets a trait for Python to see: every 100 ms at most, the last value always. */
  sync(trait: Trait, value: unknown): void {
    this.#pending.set(trait, value);
    const wait = this.#lastSync + SYNC_PAUSE - performance.now();
    if (wait <= 0) this.flush();
    else this.#later("sync", wait, () => this.flush());
  }

  /** Sends what is pending now; at the end of a drag. */
  flush(): void {
    clearTimeout(this.#timers.get("sync"));
    if (!this.#pending.size) return;
    const now = performance.now();
    this.#lastSync = now;
    const values = [...this.#pending].filter(([trait, value]) => keyOf(this.#model.get(trait)) !== keyOf(value));
    this.#pending.clear();
    for (const [trait, value] of values) {
      const sent = this.#sent.get(trait) ?? new Map<unknown, number>();
      for (const [old, time] of sent) if (now - time > ECHO_WITHIN) sent.delete(old);
      this.#sent.set(trait, sent.set(keyOf(value), now));
      this.#model.set(trait, value);
    }
    if (values.length) this.#model.save_changes();
  }

  /** Whether a trait's value is the echo of what this view itself has set a moment ago. */
  #isEcho(trait: Trait, value: unknown): boolean {
    if (this.#pending.has(trait)) return true;
    const time = this.#sent.get(trait)?.get(keyOf(value));
    return time !== undefined && performance.now() - time < ECHO_WITHIN;
  }

  /** Calls `act` when Python sets a trait, unless this view is being moved by hand. */
  follow(trait: Trait, isFree: () => boolean, act: (value: unknown) => void): void {
    const changed = (): void => {
      const value = this.#model.get(trait);
      if (isFree() && !this.#isEcho(trait, value)) act(value);
    };
    this.#model.on(`change:${trait}`, changed);
    this.#signal.addEventListener("abort", () => this.#model.off(`change:${trait}`, changed));
  }

  /** Requests the forecast of an origin once a person has stayed on it for a moment; null for none. */
  infer(origin: { series: number; model: number; row: number } | null): void {
    // Once for each stay: repaints of a run that goes on neither delay nor repeat it.
    const key = JSON.stringify(origin);
    if (key === this.#inferring) return;
    this.#inferring = key;
    clearTimeout(this.#timers.get("infer"));
    if (origin) this.#later("infer", INFER_AFTER, () => this.send({ kind: "infer_origin", ...origin }));
  }
}

const inChunk = (a: number, b: number, chunk: number): boolean => Math.floor(a / chunk) === Math.floor(b / chunk);

/** The part of some rows that is next to one of them. */
function around({ first, count }: RowSpan, row: number): RowSpan {
  const from = Math.max(first, row - URGENT_ROWS / 2);
  return { first: from, count: Math.min(first + count - from, URGENT_ROWS) };
}

function covers(request: NeededRows, needed: NeededRows, row: number): boolean {
  return (
    request.series === needed.series &&
    request.model === needed.model &&
    row >= request.first &&
    row < request.first + request.count
  );
}
