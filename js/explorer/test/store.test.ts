import { describe, expect, test } from "vitest";
import golden from "../../../tests/golden/quantiles.json";
import { neighbourhood, nextRows } from "../src/state/prefetch";
import { fillEnds } from "../src/state/quantiles";
import { chunkSize, RowCache } from "../src/state/row-cache";
import { Store } from "../src/state/store";
import { QUANTILE_LEVELS } from "../src/wire/messages";
import { META, rows, status } from "./helpers";

const cache = (most?: number): RowCache =>
  new RowCache(
    3,
    (m) => META.models[m].levels,
    (s) => META.series[s].rows,
    most,
  );
const VISIBLE = { series: 0, models: [0], row: 1000, direction: 0, rows: 2000 };

describe("rows", () => {
  test("come back as they were put, across chunks", () => {
    const c = cache();
    c.put(rows(500, 30));
    expect(c.forecast(0, 0, 511)?.ends[0]).toBe(511);
    expect(c.forecast(0, 0, 512)?.draws[11]).toBe(512);
    expect(c.forecast(0, 0, 530)).toBeNull();
    expect(c.forecast(0, 1, 511)).toBeNull();
  });

  test("that are not there yet are not filled", () => {
    const c = cache();
    c.put(rows(0, 2, (r) => (r ? 1 : NaN)));
    expect([c.forecast(0, 0, 0)?.filled, c.forecast(0, 0, 1)?.filled]).toEqual([false, true]);
  });

  test("the least used chunk goes first, and the bytes stay below the limit", () => {
    const one = cache();
    one.put(rows(0, 512));
    const c = cache(one.bytes * 2);
    c.put(rows(0, 512));
    c.put(rows(512, 512));
    c.touch(0, 0, 3);
    c.put(rows(1024, 512));
    expect(c.bytes).toBeLessThanOrEqual(one.bytes * 2);
    expect([c.has(0, 0, 0), c.has(0, 0, 512), c.has(0, 0, 1024)]).toEqual([true, false, true]);
  });

  test("a chunk is two megabytes or 512 origins at most", () => {
    expect(chunkSize(12, 10)).toBe(512);
    expect(chunkSize(336, 100) * 336 * 107 * 4).toBeLessThanOrEqual(2 * 1024 * 1024);
    expect(chunkSize(100_000, 1000)).toBe(1);
  });

  test("what is missing is what has not come or has got further since", () => {
    const c = cache();
    expect(c.missing(0, 0, 700)).toEqual({ first: 512, count: 512 });
    c.put(rows(512, 512));
    expect(c.missing(0, 0, 700)).toBeNull();
    c.markStale(0, 0, 600, 601, () => true);
    c.markStale(0, 0, 600, 700, (row) => row === 610);
    expect(c.missing(0, 0, 700)).toEqual({ first: 600, count: 11 });
    expect(c.forecast(0, 0, 600)?.ends[0]).toBe(600);
    expect(c.missing(0, 0, 1999)).toEqual({ first: 1536, count: 464 });
  });
});

test("bands come from the draws until the kernel has scored them", () => {
  const c = cache();
  const message = rows(0, 2, () => NaN);
  message.draws.set([1, 2, 3, 4], 0);
  message.ends.set([0, 0, 0, 9, 9, 9, 9], 7);
  c.put(message);
  const ends = [...(c.forecast(0, 0, 0)?.ends ?? [])].slice(0, 14).map((v) => +v.toFixed(3));
  expect(ends).toEqual([0.027, 0.842, 1.572, 2.5, 3.428, 4.158, 4.973, 0, 0, 0, 9, 9, 9, 9]);
  expect(c.forecast(0, 0, 1)?.filled).toBe(false);
});

test.each(golden.cases)("quantiles of $name are the kernel's", ({ draw_levels, draws, quantiles }) => {
  const ends = new Float32Array(7).fill(NaN);
  fillEnds(Float32Array.from(draws), ends, draw_levels);
  const size = Math.max(...quantiles.map(Math.abs));
  expect(golden.levels).toEqual([...QUANTILE_LEVELS]);
  quantiles.forEach((q, i) => expect(Math.abs(ends[i] - q)).toBeLessThanOrEqual(1e-6 * size));
});

describe("prefetch", () => {
  test("first what is looked at, then ahead in the direction of travel", () => {
    const c = cache();
    const order: number[] = [];
    for (
      let needed = nextRows(c, { ...VISIBLE, direction: -1 });
      needed;
      needed = nextRows(c, { ...VISIBLE, direction: -1 })
    ) {
      order.push(needed.first);
      expect(needed.count).toBeLessThanOrEqual(4096);
      c.put(rows(needed.first, needed.count));
    }
    expect(order).toEqual([512, 0, 1024]);
    expect(neighbourhood(1)).toEqual([0, 1, 2, -1]);
  });

  test("only the first is urgent, and not beyond the ends", () => {
    const c = cache();
    expect(nextRows(c, { ...VISIBLE, row: 1999 })).toMatchObject({ first: 1536, count: 464, urgent: true });
    c.put(rows(1536, 464));
    expect(nextRows(c, { ...VISIBLE, row: 1999 })).toMatchObject({ first: 512, count: 1024, urgent: false });
  });

  test("two models are asked for by turns", () => {
    const c = cache();
    c.put(rows(512, 512));
    expect(nextRows(c, { ...VISIBLE, models: [0, 1] })).toMatchObject({ model: 1, first: 512 });
  });
});

describe("store", () => {
  test("rows whose origin has got further are asked for again", () => {
    const store = new Store();
    store.receive(META);
    store.receive(rows(0, 512, () => NaN));
    expect(store.rows?.missing(0, 0, 0)).toBeNull();
    store.receive(status(10, [1, 0, 1]));
    expect(store.rows?.missing(0, 0, 0)).toEqual({ first: 10, count: 3 });
    store.receive(rows(10, 3));
    store.receive(status(10, [3, 0, 3]));
    expect(store.rows?.missing(0, 0, 0)).toEqual({ first: 10, count: 3 });
    store.receive(rows(10, 3));
    store.receive(status(10, [3, 0, 3]));
    expect(store.rows?.missing(0, 0, 0)).toBeNull();
  });

  test("a meta message for another view keeps what is held; other data do not", () => {
    const store = new Store();
    store.receive(META);
    store.receive(rows(0, 2));
    store.receive({ ...META, series: META.series.map((s) => ({ ...s })) });
    expect(store.rows?.has(0, 0, 0)).toBe(true);
    store.receive({ ...META, horizon: 4 });
    expect(store.rows?.has(0, 0, 0)).toBe(false);
  });

  test("the scale of colours spans the scores, even equal ones", () => {
    const store = new Store();
    store.receive(META);
    expect(store.statusOf(0, 0).scale()).toBeNull();
    store.receive(status(0, [3, 3, 3], [2, 2, 2]));
    const scale = store.statusOf(0, 0).scale();
    expect(scale?.[0]).toBe(2);
    expect(scale?.[1]).toBeGreaterThan(2);
  });
});
