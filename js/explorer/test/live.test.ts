/** V1: live data in the browser: rows that are new, origins that are followed or not, and the badge. */

import { describe, expect, test } from "vitest";
import { badgeText, LiveBadge } from "../src/controls/live-badge";
import { extended, grown } from "../src/state/growth";
import { Store } from "../src/state/store";
import type { ExtendMessage } from "../src/wire/messages";
import { parse } from "../src/wire/parse";
import { META, rows, status } from "./helpers";

const HORIZON = META.horizon;

function history(count: number): { time: Float64Array; value: Float64Array } {
  const time = Float64Array.from({ length: count + HORIZON }, (_, i) => i * 3600e3);
  return { time, value: Float64Array.from({ length: count }, (_, i) => i % 7) };
}

function extension(first: number, count: number, series = 0): ExtendMessage {
  const { time, value } = history(count);
  return {
    kind: "extend",
    series,
    rows: count,
    first,
    time: time.subarray(first),
    value: value.subarray(first).map((v) => v + 100),
    covariates: new Float64Array(0),
  };
}

function store(index = 0): Store {
  const store = new Store();
  store.width = 800;
  store.start({ series: 1 }, index);
  store.receive(META);
  store.receive({ kind: "history", series: 1, ...history(10), covariates: new Float64Array(0) });
  return store;
}

describe("a series that grows", () => {
  test("keeps what it had, and shares its memory", () => {
    const a = grown(Float64Array.of(1, 2, 3), 3, 4, NaN);
    expect([...a]).toEqual([1, 2, 3, NaN]);
    const b = grown(a, 4, 5, 0);
    expect(b.buffer).toBe(a.buffer);
    expect([...grown(new Uint8Array(2), 2, 3, 7)]).toEqual([0, 0, 7]);
  });

  test("has the new rows and the horizon after them, covariate by covariate", () => {
    const before = { ...history(4), covariates: Float64Array.from({ length: 14 }, (_, i) => i), low: 0, high: 3 };
    const added = { ...extension(4, 6), covariates: Float64Array.of(-1, -2, -3, -4, -5, -6, -7, -8, -9, -10) };
    const after = extended({ ...before, origin: before, changed: 0, overview: null, windows: null }, added);
    expect([...after.value]).toEqual([0, 1, 2, 3, 104, 105]);
    expect(after.time.length).toBe(9);
    expect([...after.time]).toEqual([...history(6).time]);
    expect([...after.covariates]).toEqual([0, 1, 2, 3, -1, -2, -3, -4, -5, 7, 8, 9, 10, -6, -7, -8, -9, -10]);
    expect([after.low, after.high, after.changed]).toEqual([0, 105, 4]);
    expect(after.origin).toBe(before);
  });

  test("is followed by who is at its newest origin, and by nobody else", () => {
    const newest = store();
    newest.receive(extension(10, 12, 1));
    expect([newest.rowCount, newest.origin.row, newest.index]).toEqual([12, 11, 0]);
    const elsewhere = store(-3);
    elsewhere.receive(extension(10, 12, 1));
    expect([elsewhere.origin.row, elsewhere.index]).toEqual([6, -5]);
    const held = store();
    held.setHeld(true);
    held.receive(extension(10, 11, 1));
    expect(held.origin.row).toBe(9);
  });

  test("takes statuses and forecasts of its new rows, and drops those that rested on corrected ones", () => {
    const it = store();
    it.receive({ ...status(0, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]), series: 1 });
    it.receive(rows(0, 10, (r) => r, 1));
    it.receive(extension(10, 11, 1));
    it.receive({ ...status(10, [2]), series: 1 });
    it.receive(rows(10, 1, (r) => r, 1));
    expect([...it.statusOf(1, 0).status].slice(8)).toEqual([1, 1, 2]);
    expect(it.rows?.forecast(1, 0, 10)?.ends[0]).toBe(10);
    expect(it.selection?.forecasts[0]?.filled).toBe(true);
    it.receive(extension(4, 11, 1));
    expect(it.rows?.has(1, 0, 10)).toBe(false);
    expect(it.selection?.history.value[4]).toBe(104);
  });

  test("grows in number alone where no page has opened it", () => {
    const it = store();
    const message = {
      ...extension(9, 9),
      rows: 2005,
      first: 2000,
      time: new Float64Array(0),
      value: new Float64Array(0),
    };
    it.receive(message);
    expect([it.meta?.series[0].rows, it.rowCount]).toEqual([2005, 10]);
    it.receive({ ...META, series: [{ id: "a", rows: 2005 }, META.series[1]] });
    expect(it.hasHistory).toBe(true);
  });
});

describe("messages of live data", () => {
  const raw = { kind: "extend", series: 1, rows: 12, first: 10 };
  const { time, value, covariates } = extension(10, 12, 1);

  test("are checked", () => {
    expect(parse(raw, [time.slice(), value.slice(), covariates], META)).toMatchObject({ rows: 12, first: 10 });
    expect(parse({ ...raw, first: 10 }, [covariates, covariates, covariates], META)).toMatchObject({ rows: 12 });
    for (const wrong of [{ rows: 9 }, { first: 11 }, { series: 2 }, { first: -1 }])
      expect(() => parse({ ...raw, ...wrong }, [time.slice(), value.slice(), covariates], META)).toThrow();
    expect(() => parse(raw, [time.slice(1), value.slice(), covariates], META)).toThrow();
    expect(() => parse({ kind: "live", state: "odd", since: null, text: "" }, [], META)).toThrow();
  });
});

describe("the badge", () => {
  const now = new Date(2024, 2, 1, 12, 0).getTime();
  const ago = (minutes: number): number => now - minutes * 60e3;

  test("says since when the source is late or has failed", () => {
    const say = (state: "live" | "late" | "failed", since: number | null): string =>
      badgeText({ kind: "live", state, since, text: "" }, now);
    expect(say("live", ago(5))).toBe("Live");
    expect(say("late", ago(30))).toMatch(/^Late since 11[:.]30$/);
    expect(say("failed", ago(2 * 24 * 60))).toMatch(/^Failed since .*2024/);
  });

  test("has the way back for who is elsewhere", () => {
    let clicks = 0;
    const badge = new LiveBadge(() => clicks++);
    const button = badge.el.querySelector("button") as HTMLButtonElement;
    badge.show(null, true, false);
    expect(badge.el.hidden).toBe(true);
    badge.show({ kind: "live", state: "live", since: null, text: "Live: all is well." }, true, false);
    expect([badge.el.hidden, button.hidden, badge.el.dataset.state]).toEqual([false, true, "live"]);
    badge.show({ kind: "live", state: "live", since: null, text: "" }, false, false);
    button.click();
    expect([button.hidden, clicks]).toEqual([false, 1]);
    badge.show({ kind: "live", state: "live", since: null, text: "" }, false, true);
    expect(badge.el.dataset.state).toBe("stopped");
  });
});
