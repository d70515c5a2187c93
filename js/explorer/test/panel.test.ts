import { expect, test } from "vitest";
import { search } from "../src/controls/series-picker";
import { type SortKey, sortSeries } from "../src/state/ranking";
import { type PanelMessage, SPARK_POINTS } from "../src/wire/messages";
import { parse } from "../src/wire/parse";
import { META } from "./helpers";

function panel(mase: number[], coverage = mase, events = mase): PanelMessage {
  const n = mase.length;
  return {
    kind: "panel",
    model: 0,
    mase: Float64Array.from(mase),
    coverage: Float64Array.from(coverage),
    worst: new Int32Array(n),
    worst_time: Float64Array.from(mase),
    events: Int32Array.from(events),
    sparks: new Uint8Array(n * SPARK_POINTS),
  };
}

test("W8 series are ranked by what is chosen, and those of which nothing is known come last", () => {
  const p = panel([1, NaN, 3, 2], [0.8, 0.5, NaN, 0.9], [0, 5, 5, -1]);
  const order = (key: SortKey): number[] => sortSeries(p, key, 4);
  expect(order("name")).toEqual([0, 1, 2, 3]);
  expect(order("mase")).toEqual([2, 3, 0, 1]);
  expect(order("coverage")).toEqual([1, 3, 0, 2]);
  expect(order("events")).toEqual([1, 2, 0, 3]);
  expect(sortSeries(null, "mase", 2)).toEqual([0, 1]);
});

test("W8 ten thousand series are ranked and searched within a frame or two", () => {
  const count = 10_000;
  const p = panel(Array.from({ length: count }, (_, i) => (i * 7919) % count));
  const names = Array.from({ length: count }, (_, i) => `store ${i}`);
  search(names, "store", 200, sortSeries(p, "mase", count)); // compiled
  const start = performance.now();
  const { positions, total } = search(names, "store", 200, sortSeries(p, "mase", count));
  expect(performance.now() - start).toBeLessThan(150);
  expect(total).toBe(count);
  expect(p.mase[positions[0]]).toBe(count - 1);
  expect(positions.length).toBe(200);
});

test("W8 malformed rows are refused", () => {
  const p = panel([1, 2]);
  const buffers = [p.mase, p.coverage, p.worst, p.worst_time, p.events, p.sparks];
  const read = (k: number, view: ArrayBufferView): unknown =>
    parse(
      { kind: "panel", model: 0 },
      buffers.map((own, i) => (i === k ? view : own)),
      META,
    );
  expect(read(0, p.mase)).toMatchObject({ kind: "panel", model: 0 });
  expect(() => read(2, Int32Array.from([0, 10]))).toThrow();
  expect(() => read(0, Float64Array.from([1]))).toThrow();
});
