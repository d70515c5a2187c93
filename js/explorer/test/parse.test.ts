import { describe, expect, test } from "vitest";
import { Malformed } from "../../common/src/check";
import { aligned } from "../src/wire/fields";
import { parse } from "../src/wire/parse";
import { META, RAW } from "./helpers";

const f32 = (n: number): Float32Array => new Float32Array(n);
const rowsOf = (count: number): unknown[] => [f32(count * 3 * 4), f32(count * 3 * 7)];
const ROWS = { kind: "rows", series: 0, model: 0, first: 5, count: 2, request: 1 };

describe("meta", () => {
  test("is taken as it is, live unless it says otherwise", () => {
    expect(parse(RAW, [], null)).toEqual(META);
    expect(parse({ ...RAW, live: false }, [], null)).toMatchObject({ live: false });
  });

  test.each([
    ["another version", { v: 1 }],
    ["no series", { series: [] }],
    ["no models", { models: [] }],
    ["series as text", { series: "a" }],
    ["a horizon of nothing", { horizon: 0 }],
    ["a horizon beyond reason", { horizon: 1e9 }],
    ["half a step", { horizon: 1.5 }],
    ["six levels", { levels: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6] }],
    ["an id that is no text", { series: [{ id: { toString: 1 }, rows: 3 }] }],
    ["negative rows", { series: [{ id: "a", rows: -1 }] }],
    ["an unknown clock", { clock: "sundial" }],
    ["levels that fall", { models: [{ name: "m", draws: 2, levels: [0.5, 0.5] }] }],
    ["fewer levels than draws", { models: [{ name: "m", draws: 2, levels: [0.5] }] }],
    ["endless rows", { series: [{ id: "a", rows: Infinity }] }],
  ])("with %s is refused", (_name, change) => {
    expect(() => parse({ ...RAW, ...change }, [], null)).toThrow(Malformed);
  });

  test("reasons cannot reach a prototype", () => {
    const hostile = JSON.parse('{"__proto__": "x", "1": "why"}') as unknown;
    const meta = parse({ ...RAW, reasons: hostile }, [], null);
    expect(({} as Record<string, unknown>)["1"]).toBeUndefined();
    expect(meta).toHaveProperty("reasons.1", "why");
  });

  test("very long text is cut", () => {
    const meta = parse({ ...RAW, title: "x".repeat(1e6) }, [], null);
    expect(meta.kind === "meta" && meta.title.length).toBeLessThan(2100);
  });
});

test.each([null, undefined, 3, "connect", [], {}, { kind: "eval" }, { kind: "__proto__" }, { kind: 4 }])(
  "%j is refused",
  (content) => {
    expect(() => parse(content, [], META)).toThrow(Malformed);
  },
);

test("nothing but meta and faults before meta", () => {
  expect(() => parse(ROWS, rowsOf(2), null)).toThrow(Malformed);
  expect(parse({ kind: "fault", text: "no" }, [], null)).toEqual({ kind: "fault", text: "no" });
});

describe("rows", () => {
  test("are floats of the announced shape", () => {
    const message = parse(ROWS, rowsOf(2), META);
    expect(message.kind === "rows" && [message.draws.length, message.ends.length]).toEqual([24, 42]);
  });

  test.each([
    ["too few bytes", ROWS, [f32(23), f32(42)]],
    ["too many bytes", ROWS, [f32(25), f32(42)]],
    ["no buffers", ROWS, []],
    ["one buffer", ROWS, [f32(24)]],
    ["text for a buffer", ROWS, ["x", "y"]],
    ["a series that is not there", { ...ROWS, series: 2 }, rowsOf(2)],
    ["a model that is not there", { ...ROWS, model: 9 }, rowsOf(2)],
    ["a negative first", { ...ROWS, first: -1 }, rowsOf(2)],
    ["rows beyond the end", { ...ROWS, first: 1999 }, rowsOf(2)],
    ["a count that is no number", { ...ROWS, count: "2" }, rowsOf(2)],
    ["a request that is an object", { ...ROWS, request: {} }, rowsOf(2)],
    ["a series of another kind", { ...ROWS, series: "0" }, rowsOf(2)],
  ])("with %s are refused", (_name, content, buffers) => {
    expect(() => parse(content, buffers, META)).toThrow(Malformed);
  });
});

describe("history", () => {
  const none = new ArrayBuffer(0);
  const of = (times: number[]): unknown[] => [Float64Array.from(times), new Float64Array(10), none];
  const HISTORY = { kind: "history", series: 1 };

  test("has as many rows as announced, in order", () => {
    // Ten rows, and the three steps of the horizon.
    const times = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14];
    expect(parse(HISTORY, of(times), META)).toMatchObject({ kind: "history", series: 1 });
    expect(() => parse(HISTORY, of([0, 1, 2]), META)).toThrow(Malformed);
    expect(() => parse(HISTORY, of(times.map((t) => (t === 5 ? 4 : t))), META)).toThrow(Malformed);
    expect(() => parse(HISTORY, of(times.map((t) => (t === 2 ? NaN : t))), META)).toThrow(Malformed);
  });

  test("has covariates of its times, and no other categories than those announced", () => {
    const times = Array.from({ length: 13 }, (_, i) => i);
    const covariates = [
      { name: "temp", labels: [], ahead: false, low: -2, high: 35 },
      { name: "event", labels: ["fair", "Easter"], ahead: true, low: null, high: null },
    ];
    const meta = parse({ ...RAW, covariates }, [], null);
    expect(meta).toMatchObject({ covariates });
    const values = Float64Array.from([...times, NaN, -1, 0, 1, ...new Array(9).fill(-1)]);
    const receive = (buffer: unknown): unknown => parse(HISTORY, [...of(times).slice(0, 2), buffer], meta as never);
    expect(receive(values)).toMatchObject({ covariates: values });
    expect(() => receive(values.slice(1))).toThrow(Malformed);
    for (const code of [2, -2, 0.5])
      expect(() => receive(values.map((v, i) => (i === 20 ? code : v)))).toThrow(Malformed);
  });

  test("may start anywhere in a buffer", () => {
    const times = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14];
    const bytes = new Uint8Array(3 + 104 + 80);
    bytes.set(new Uint8Array(Float64Array.from(times).buffer), 3);
    const views = [new DataView(bytes.buffer, 3, 104), new DataView(bytes.buffer, 107, 80)];
    const message = parse(HISTORY, [...views, none], META);
    expect(message.kind === "history" && [...message.time]).toEqual(times);
    expect(aligned(new DataView(bytes.buffer, 3, 80)).byteLength).toBe(80);
  });
});

test("an unknown status is refused", () => {
  const message = { kind: "status", series: 0, model: 0, first: 0, count: 2, ranked_from: 1 };
  const buffers = (s: number[]): unknown[] => [Uint8Array.from(s), new Uint8Array(2), f32(2)];
  expect(parse(message, buffers([0, 4]), META)).toMatchObject({ first: 0, count: 2 });
  expect(() => parse(message, buffers([0, 5]), META)).toThrow(Malformed);
});

test("scores and progress take null for unknown, and nothing that is no number", () => {
  const scores = {
    kind: "scores",
    series: 0,
    model: 0,
    overall: { mae: null, crps: 1 },
    horizon: { crps: [1, null, 3] },
  };
  expect(parse(scores, [], META)).toMatchObject({
    overall: { mae: null, crps: 1, n: null },
    horizon: { crps: [1, null, 3], mae: [] },
  });
  expect(() => parse({ ...scores, overall: { mae: "<b>" } }, [], META)).toThrow(Malformed);
  expect(() => parse({ ...scores, horizon: { crps: [1, 2, 3, 4] } }, [], META)).toThrow(Malformed);
  const progress = {
    kind: "progress",
    model: 0,
    available: 9,
    inferred: 3,
    calculated: 2,
    reused: 0,
    rate: 2,
    eta_seconds: null,
    done: false,
    cancelled: false,
    error: null,
    note: "",
  };
  expect(parse(progress, [], META)).toEqual(progress);
  expect(() => parse({ ...progress, done: 1 }, [], META)).toThrow(Malformed);
});
