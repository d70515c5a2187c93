import { describe, expect, test } from "vitest";
import { Malformed } from "../../common/src/check";
import { fillEnds } from "../src/state/quantiles";
import { worstRows } from "../src/state/ranking";
import { Sketch } from "../src/state/sketch";
import { Store } from "../src/state/store";
import { type MetaMessage, SCORED, UNAVAILABLE, WINDOW } from "../src/wire/messages";
import { parse } from "../src/wire/parse";
import { META, status } from "./helpers";

const ROWS = 2 * WINDOW + 5;
const LONG: MetaMessage = { ...META, series: [{ id: "a", rows: ROWS }] };
const HISTORY = { kind: "long_history", series: 0, start: 1000, low: 1, high: 9 };
const STEPS = Float64Array.of(10, 4, 20, ROWS + LONG.horizon - 5);
const STATUS = { kind: "long_status", series: 0, model: 0, ranked_from: 1, lowest: 2, ratio: 1.5 };
const RUNS = Int32Array.of(UNAVAILABLE, 1, 3, SCORED, 0, ROWS - 3);

function open(): Store {
  const store = new Store();
  store.width = 800;
  const receive = (content: object, ...views: ArrayBufferView[]): void =>
    store.receive(parse(content, views, store.meta));
  store.receive(LONG);
  receive(HISTORY, STEPS, new Float32Array(3));
  const codes = new Uint8Array(ROWS - 3).fill(2);
  codes[4] = 0;
  receive(STATUS, RUNS, codes, Int32Array.of(90), Float32Array.of(77));
  const count = WINDOW + 5 + LONG.horizon;
  const value = Float64Array.from({ length: count }, (_, i) => i);
  const window = { kind: "window", series: 0, model: 0, first: WINDOW, count };
  receive(window, value, new Float64Array(0), new Float32Array(count).fill(4.5));
  return store;
}

describe("W1 a long series", () => {
  test("has all times at once", () => {
    const { history } = open().selection ?? {};
    expect(history?.time.length).toBe(ROWS + LONG.horizon);
    expect(Array.from(history?.time.slice(0, 7) ?? [])).toEqual([1000, 1010, 1020, 1030, 1040, 1060, 1080]);
    expect([history?.low, history?.high]).toEqual([1, 9]);
  });

  test("requests the windows in view that have not come, in one piece", () => {
    const store = open();
    expect(store.missingWindows).toBeNull();
    store.setViewport({ start: 10, span: 100 });
    expect(store.missingWindows).toEqual({ first: 0, count: WINDOW });
    store.setViewport({ start: WINDOW - 10, span: 100 });
    expect(store.missingWindows).toEqual({ first: 0, count: WINDOW });
    expect(store.selection?.history.value[WINDOW + 7]).toBe(7);
    expect(store.selection?.history.value[3]).toBeNaN();
  });

  test("has every status, the worst scores without loss, and those of its windows", () => {
    const { status } = open();
    expect(Array.from(status.status.slice(0, 5))).toEqual([UNAVAILABLE, UNAVAILABLE, UNAVAILABLE, SCORED, SCORED]);
    expect(status.reason[2]).toBe(1);
    expect(status.score[2]).toBeNaN();
    expect(status.score[3]).toBe(3);
    expect(status.score[7]).toBeNaN();
    expect(status.score[WINDOW + 1]).toBe(4.5);
    expect(status.worst(3)[0]).toBe(90);
  });

  test.each([
    ["steps that end too soon", HISTORY, [STEPS.slice(0, 2), new Float32Array(3)]],
    ["a step back", HISTORY, [Float64Array.of(-1, ROWS + 2), new Float32Array(3)]],
    ["half a step", HISTORY, [Float64Array.of(1, 0.5, 1, ROWS + 1.5), new Float32Array(3)]],
    [
      "an unknown status",
      STATUS,
      [Int32Array.of(9, 0, ROWS), new Uint8Array(0), new Int32Array(0), new Float32Array(0)],
    ],
    [
      "runs beyond the end",
      STATUS,
      [Int32Array.of(0, 0, ROWS + 1), new Uint8Array(0), new Int32Array(0), new Float32Array(0)],
    ],
    ["worst rows that fall", STATUS, [RUNS, new Uint8Array(0), Int32Array.of(9, 8), new Float32Array(2)]],
    ["a window beyond the end", { kind: "window", series: 0, model: 0, first: ROWS, count: 99 }, []],
    ["rows beyond the end", { kind: "sketch", series: 0, model: 0 }, [Int32Array.of(ROWS)]],
    ["scattered rows that fall", { kind: "scattered_status", series: 0, model: 0 }, [Int32Array.of(2, 1)]],
  ])("with %s is refused", (_name, content, buffers) => {
    expect(() => parse(content, buffers, LONG)).toThrow(Malformed);
  });

  test("has the odd observations before their windows, for their marks in the overview", () => {
    const store = open();
    const one = Int32Array.of(0);
    const [none, number] = [new Int32Array(0), Float64Array.of(1)];
    const views = [Int32Array.of(9), one, one, Uint8Array.of(1), number, number, number, number, one];
    const content = { kind: "surprises", series: 0, model: 0, rate: 0.01 };
    store.receive(parse(content, [...views, none, none, new Uint8Array(0), Float64Array.of(42)], LONG));
    expect(store.selection?.history.value[9]).toBe(42);
  });

  test("takes statuses that have come all over it", () => {
    const store = open();
    const { version } = store.status;
    const content = { kind: "scattered_status", series: 0, model: 0 };
    const views = [Int32Array.of(0, 500), Uint8Array.of(SCORED, SCORED), new Uint8Array(2), Float32Array.of(1, 2)];
    store.receive(parse(content, views, LONG));
    expect([store.status.status[0], store.status.score[500]]).toEqual([SCORED, 2]);
    expect(store.status.version).toBe(version + 1);
  });
});

test("W1 of very many scores the worst are ranked, and none before the first that ranks", () => {
  const score = Float32Array.from({ length: 120_000 }, (_, i) => (i * 7919) % 120_011);
  score.fill(1e6, 0, 60_000);
  const expected = Array.from(score.keys())
    .slice(60_000)
    .sort((a, b) => score[b] - score[a]);
  expect(worstRows(score, 1, 60_000, 100)).toEqual(expected.slice(0, 100));
  expect(worstRows(score.fill(NaN, 60_000), 1, 60_000, 2)).toEqual([0, 1]);
});

describe("W1 a sketch", () => {
  const { horizon, models } = META;
  const [{ levels }] = models;
  const codes = new Uint16Array(2 * horizon * 7).map((_, i) => (i % 7) * 10000);
  const message = {
    kind: "sketch" as const,
    series: 0,
    model: 0,
    rows: Int32Array.of(40, 1000),
    limits: Float32Array.of(0, 65535, 100, 100),
    codes,
  };

  test("has the bands of its origins, and draws whose quantiles they are", () => {
    const sketch = new Sketch();
    sketch.put(message, levels);
    const forecast = sketch.get(40);
    expect(Array.from(forecast?.ends.slice(0, 7) ?? [])).toEqual([0, 10000, 20000, 30000, 40000, 50000, 60000]);
    expect(sketch.get(41)).toBeNull();
    expect(sketch.get(1000)?.ends.every((v) => v === 100)).toBe(true);
    const ends = new Float32Array(horizon * 7).fill(NaN);
    fillEnds(forecast?.draws ?? new Float32Array(0), ends, levels);
    expect(ends[3]).toBeCloseTo(30000, -2);
  });

  test("shows the nearest origin where one has no forecast, and the one that shares its pixel", () => {
    const store = new Store();
    store.width = 800;
    store.receive(META);
    store.receive({
      kind: "history",
      series: 0,
      time: Float64Array.from({ length: 2003 }, (_, i) => i),
      value: new Float64Array(2000),
      covariates: new Float64Array(0),
    });
    store.receive(message);
    store.moveTo(700, "anchor");
    expect(store.selection?.near?.row).toBe(1000);
    expect(store.sketchedRow(990, 9)).toBe(990);
    expect(store.sketchedRow(990, 10)).toBe(1000);
    store.receive(status(500, [0, 3]));
    expect([store.sketchedRow(480, 21), store.sketchedRow(480, 20)]).toEqual([501, 480]);
    store.moveTo(1000, "anchor");
    expect(store.selection?.near).toBeNull();
    expect(store.selection?.forecasts[0]?.isSketch).toBe(true);
    store.receive({ ...message, rows: Int32Array.of(41), limits: message.limits.slice(2), codes: codes.slice(21) });
    store.moveTo(0, "anchor");
    expect(store.selection?.near?.row).toBe(40);
  });
});
