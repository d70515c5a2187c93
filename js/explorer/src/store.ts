/** Everything the kernel has sent, per series and model. Knows nothing of elements or of asking. */

import type { HistoryMessage, Incoming, Meta, ProgressMessage, ScoresMessage, StatusMessage } from "./protocol";
import { quantile, worst } from "./order";
import { RowCache } from "./rows";

export interface History {
  time: Float64Array;
  value: Float64Array;
  /** Lowest and highest value. */
  low: number;
  high: number;
}

/** How far each origin has come, one entry a row. */
export class Standing {
  readonly status: Uint8Array;
  readonly reason: Uint8Array;
  /** Mean CRPS of the origin, in the data's unit; NaN unknown. */
  readonly score: Float32Array;
  /** Counts up with every change. */
  version = 0;
  private ranked: { version: number; apart: number; list: number[] } | null = null;
  private scaled: { version: number; at: number; scale: [number, number] | null } | null = null;

  constructor(rows: number) {
    this.status = new Uint8Array(rows);
    this.reason = new Uint8Array(rows);
    this.score = new Float32Array(rows).fill(NaN);
  }

  /** The worst rows, at least `apart` rows from each other. */
  worst(apart: number): number[] {
    if (this.ranked?.version !== this.version || this.ranked.apart !== apart) {
      this.ranked = { version: this.version, apart, list: worst(this.score, apart) };
    }
    return this.ranked.list;
  }

  /** Scores for the palest and the darkest colour; while a run goes on renewed once a second at most. */
  scale(now = performance.now()): [number, number] | null {
    const old = this.scaled;
    if (old && (old.version === this.version || (now - old.at < 1000 && old.scale))) return old.scale;
    const ends = quantile(this.score, [0.05, 0.98]);
    const scale: [number, number] | null = ends && [ends[0], ends[1] > ends[0] ? ends[1] : ends[0] + 1e-12];
    this.scaled = { version: this.version, at: now, scale };
    return scale;
  }
}

export class Store {
  meta: Meta | null = null;
  rows: RowCache | null = null;
  fault = "";
  private histories = new Map<number, History>();
  private standings = new Map<string, Standing>();
  private scores = new Map<string, ScoresMessage>();
  private runs = new Map<number, ProgressMessage>();

  history(series: number): History | null {
    return this.histories.get(series) ?? null;
  }

  /** Never null: before anything came, all origins wait. */
  standing(series: number, model: number): Standing {
    const key = `${series}/${model}`;
    let found = this.standings.get(key);
    if (!found) {
      found = new Standing(this.meta?.series[series]?.rows ?? 0);
      this.standings.set(key, found);
    }
    return found;
  }

  score(series: number, model: number): ScoresMessage | null {
    return this.scores.get(`${series}/${model}`) ?? null;
  }

  progress(model: number): ProgressMessage | null {
    return this.runs.get(model) ?? null;
  }

  /** Takes in a checked message. */
  take(message: Incoming): void {
    switch (message.kind) {
      case "meta":
        this.begin(message);
        break;
      case "history":
        this.histories.set(message.series, measured(message));
        break;
      case "status":
        this.advance(message);
        break;
      case "rows":
        this.rows?.put(message);
        break;
      case "scores":
        this.scores.set(`${message.series}/${message.model}`, message);
        break;
      case "progress":
        this.runs.set(message.model, message);
        break;
      case "fault":
        this.fault = message.text;
        break;
    }
  }

  /** A repeated meta (another view said hello) leaves what is held; a different one starts afresh. */
  private begin(meta: Meta): void {
    const same = this.meta !== null && shape(this.meta) === shape(meta);
    this.meta = meta;
    if (same) return;
    this.histories.clear();
    this.standings.clear();
    this.scores.clear();
    this.runs.clear();
    this.rows = new RowCache(
      meta.horizon,
      (model) => meta.models[model].levels,
      (series) => meta.series[series].rows,
    );
  }

  private advance(message: StatusMessage): void {
    const standing = this.standing(message.series, message.model);
    for (let i = 0; i < message.count; i++) {
      const row = message.first + i;
      // Forecast or its bands have come since the row was fetched.
      if (message.status[i] !== standing.status[row] && standing.status[row] < 2) {
        this.rows?.stale(message.series, message.model, row);
      }
    }
    standing.status.set(message.status, message.first);
    standing.reason.set(message.reason, message.first);
    standing.score.set(message.score, message.first);
    standing.version++;
  }
}

function shape(meta: Meta): string {
  return JSON.stringify([meta.horizon, meta.clock, meta.series, meta.models.map((m) => [m.name, m.draws])]);
}

function measured({ time, value }: HistoryMessage): History {
  let low = Infinity;
  let high = -Infinity;
  for (const v of value) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return high >= low ? { time, value, low, high } : { time, value, low: 0, high: 1 };
}
