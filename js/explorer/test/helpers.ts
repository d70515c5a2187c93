/** Messages for tests, and a model in place of a kernel's. */

import type { WidgetModel } from "../src/wire/connection";
import type { MetaMessage, RowsMessage, StatusMessage } from "../src/wire/messages";

export const RAW = {
  kind: "meta",
  v: 4,
  title: "Load",
  target: "MW",
  zone: null,
  clock: "utc",
  step: 3600,
  precision: 3600,
  slots: false,
  frequency: "1 h",
  seasons: [24],
  horizon: 3,
  levels: [0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975],
  coverages: [50, 80, 95],
  calibrated: false,
  series: [
    { id: "a", rows: 2000 },
    { id: "b", rows: 10 },
  ],
  models: [
    { name: "m", draws: 4, levels: [0.125, 0.375, 0.625, 0.875], code: "run" },
    { name: "n", draws: 2, levels: [0.25, 0.75], code: "runs[1]" },
  ],
  covariates: [],
  notes: [],
  reasons: { 1: "too little history" },
};

export const META: MetaMessage = { ...RAW, kind: "meta", clock: "utc", live: true };

export function rows(
  first: number,
  count: number,
  fill: (row: number) => number = (r) => r,
  series = 0,
  model = 0,
): RowsMessage {
  const { horizon } = META;
  const { draws: q } = META.models[model];
  const draws = new Float32Array(count * horizon * q);
  const ends = new Float32Array(count * horizon * 7);
  for (let i = 0; i < count; i++) {
    draws.fill(fill(first + i), i * horizon * q, (i + 1) * horizon * q);
    ends.fill(fill(first + i), i * horizon * 7, (i + 1) * horizon * 7);
  }
  return { kind: "rows", series, model, first, count, request: null, draws, ends };
}

export function status(first: number, values: number[], scores?: number[]): StatusMessage {
  const score = Float32Array.from(scores ?? values.map(() => NaN));
  const count = values.length;
  return {
    kind: "status",
    series: 0,
    model: 0,
    first,
    count,
    ranked_from: 0,
    status: Uint8Array.from(values),
    reason: new Uint8Array(count),
    score,
  };
}

type Sent = { kind: string } & Record<string, unknown>;

/** A model that keeps the requests it receives, and sends the messages of a test. */
export class FakeModel implements WidgetModel {
  readonly sent: Sent[] = [];
  readonly traits: Record<string, unknown> = { index: -5, series: 0, model: 0, drawing: "bands" };
  readonly handlers = new Map<string, Set<(...args: never[]) => void>>();
  saves = 0;

  get(name: string): unknown {
    return this.traits[name];
  }

  set(name: string, value: unknown): void {
    if (this.traits[name] === value) return;
    this.traits[name] = value;
    this.emit(`change:${name}`);
  }

  save_changes(): void {
    this.saves++;
  }

  on(event: string, callback: (...args: never[]) => void): void {
    const callbacks = this.handlers.get(event) ?? new Set();
    this.handlers.set(event, callbacks.add(callback));
  }

  off(event: string, callback?: (...args: never[]) => void): void {
    if (callback) this.handlers.get(event)?.delete(callback);
  }

  send(content: unknown): void {
    this.sent.push(content as Sent);
  }

  emit(event: string, ...args: unknown[]): void {
    for (const callback of [...(this.handlers.get(event) ?? [])]) (callback as (...a: unknown[]) => void)(...args);
  }

  receive(content: unknown, ...buffers: ArrayBufferView[]): void {
    this.emit(
      "msg:custom",
      content,
      buffers.map((b) => new DataView(b.buffer, b.byteOffset, b.byteLength)),
    );
  }

  /** Sends a parsed message as it comes from a kernel: fields beside buffers. */
  receiveParsed(message: StatusMessage | RowsMessage): void {
    const { kind, series, model, first, count } = message;
    const ranked_from = message.kind === "status" ? message.ranked_from : undefined;
    const buffers =
      message.kind === "rows" ? [message.draws, message.ends] : [message.status, message.reason, message.score];
    this.receive({ kind, series, model, first, count, ranked_from }, ...buffers);
  }

  get listeners(): number {
    return [...this.handlers.values()].reduce((n, s) => n + s.size, 0);
  }

  kinds(kind: string): Sent[] {
    return this.sent.filter((m) => m.kind === kind);
  }
}
