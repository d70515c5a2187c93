/** The observations of a series that its forecasts made improbable, and the times at which it changed. */

import type { SurprisesMessage } from "../wire/messages";

/** One odd observation. */
export interface Surprise {
  row: number;
  /** Neighbours are one event. */
  event: number;
  /** The longest horizon at which it was odd already, in steps. */
  lead: number;
  /** A code of the kinds in the messages. */
  what: number;
  p: number;
  expected: number;
  low: number;
  high: number;
  /** The place in the order of strangeness, 0 the strangest. */
  rank: number;
}

/** A time from which on the series no longer behaved as forecast. */
export interface Change {
  alarm: number;
  since: number;
  direction: number;
}

/** The surprises of one series by one model, ascending in time. */
export class Surprises {
  readonly rate: number;
  readonly all: readonly Surprise[];
  readonly changes: readonly Change[];
  #events: Surprise[] | null = null;
  #visited = -1;

  constructor(message: SurprisesMessage) {
    const { row, event, lead, what, p, expected, low, high, rank, alarm, since, direction } = message;
    this.rate = message.rate;
    this.all = Array.from(row, (row, i) => ({
      row,
      event: event[i],
      lead: lead[i],
      what: what[i],
      p: p[i],
      expected: expected[i],
      low: low[i],
      high: high[i],
      rank: rank[i],
    }));
    this.changes = Array.from(alarm, (alarm, i) => ({ alarm, since: since[i], direction: direction[i] }));
  }

  /** The surprises from row `first` up to and without `end`. */
  between(first: number, end: number): readonly Surprise[] {
    return this.all.slice(lowerBound(this.all, first), lowerBound(this.all, end));
  }

  /** The strangest surprise from row `first` up to and without `end`. */
  strangest(first: number, end: number): Surprise | null {
    return this.between(first, end).reduce<Surprise | null>((best, s) => (best && best.rank < s.rank ? best : s), null);
  }

  /** The changes whose alarm is from row `first` up to and without `end`. */
  changesBetween(first: number, end: number): readonly Change[] {
    return this.changes.filter(({ alarm }) => alarm >= first && alarm < end);
  }

  /** The change whose alarm is in a row. */
  changeAt(row: number): Change | null {
    return this.changes.find((c) => c.alarm === row) ?? null;
  }

  /** How many events there are. */
  get events(): number {
    return this.#ranked.length;
  }

  /** Each event's strangest observation, that of the strangest event first. */
  get #ranked(): Surprise[] {
    if (!this.#events) {
      const first = new Map<number, Surprise>();
      for (const s of [...this.all].sort((a, b) => a.rank - b.rank)) if (!first.has(s.event)) first.set(s.event, s);
      this.#events = [...first.values()];
    }
    return this.#events;
  }

  /**
   * The origin from which the next strangest event was odd already; the strangest one's after the last, and from an origin that this
   * has not led to.
   */
  next(origin: number): number | null {
    const ranked = this.#ranked;
    if (!ranked.length) return null;
    const isThere = this.#visited >= 0 && originOf(ranked[this.#visited]) === origin;
    this.#visited = isThere ? (this.#visited + 1) % ranked.length : 0;
    return originOf(ranked[this.#visited]);
  }
}

/** The earliest origin whose forecast found an observation odd. */
export const originOf = ({ row, lead }: Surprise): number => Math.max(row - lead, 0);

/** The first position whose row is at least `row`. */
function lowerBound(surprises: readonly Surprise[], row: number): number {
  let from = 0;
  let to = surprises.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (surprises[middle].row < row) from = middle + 1;
    else to = middle;
  }
  return from;
}
