import { describe, expect, test } from "vitest";
import { oddLines, oddSentence, surpriseRows } from "../src/controls/surprise-text";
import { Calendar } from "../src/state/calendar";
import { OriginStatus } from "../src/state/origin-status";
import type { Selection } from "../src/state/selection";
import { originOf, Surprises } from "../src/state/surprises";
import { stretch } from "../src/state/viewport";
import { LEVEL_SHIFT, SPIKE, UNDECIDED, WIDER } from "../src/wire/messages";
import { parse } from "../src/wire/parse";
import { META } from "./helpers";

const HOUR = 3_600_000;

function buffers(rows: number[] = [20, 21, 60], ranks = [2, 0, 1]): ArrayBufferView[] {
  const n = rows.length;
  return [
    Int32Array.from(rows),
    Int32Array.from([0, 0, 1].slice(0, n)),
    Int32Array.from([1, 2, 3].slice(0, n)),
    Uint8Array.from([UNDECIDED, SPIKE, LEVEL_SHIFT].slice(0, n)),
    Float64Array.from([0.01, 0.003, 0.004].slice(0, n)),
    Float64Array.from([5, 5, NaN].slice(0, n)),
    Float64Array.from([4, 4, NaN].slice(0, n)),
    Float64Array.from([6, 6.25, NaN].slice(0, n)),
    Int32Array.from(ranks),
    Int32Array.from([70]),
    Int32Array.from([65]),
    Uint8Array.from([WIDER]),
    Float64Array.from([7, 7, 0].slice(0, n)),
  ];
}

function receive(views = buffers(), fields = {}): Surprises {
  const message = parse({ kind: "surprises", series: 0, model: 0, rate: 0.01, ...fields }, views, META);
  if (message.kind !== "surprises") throw new Error(message.kind);
  return new Surprises(message);
}

const value = Float64Array.from({ length: 2000 }, (_, i) => i % 7);

function selection(row: number, surprises: Surprises | null): Selection {
  return {
    meta: META,
    calendar: new Calendar("utc", null, 3600),
    history: {
      time: Float64Array.from({ length: 2003 }, (_, i) => i * HOUR),
      value,
      covariates: new Float64Array(),
      low: 0,
      high: 6,
      origin: {},
      changed: 0,
      overview: null,
      windows: null,
    },
    row,
    rows: 2000,
    models: [0],
    statuses: [new OriginStatus(2000)],
    forecasts: [null],
    joints: [null],
    scores: [null],
    surprises,
    near: null,
    past: [],
    pin: null,
    selected: null,
    gone: false,
  };
}

describe("A3 surprises", () => {
  test("lead from the strangest event to the next, each as of when it was odd already", () => {
    const surprises = receive();
    const origins = surprises.all.map(originOf);
    expect(origins).toEqual([19, 19, 57]);
    expect(surprises.events).toBe(2);
    expect(surprises.next(500)).toBe(19);
    expect(surprises.next(19)).toBe(57);
    expect(surprises.next(57)).toBe(19);
    expect(surprises.next(19)).toBe(57);
    expect(surprises.next(3)).toBe(19);
  });

  test("of one origin do not hold it fast", () => {
    const views = buffers([20, 21, 22], [0, 1, 2]);
    views[1] = Int32Array.from([0, 1, 2]);
    const surprises = receive(views);
    const visited = [surprises.next(0), surprises.next(19), surprises.next(19), surprises.next(19)];
    expect(visited).toEqual([19, 19, 19, 19]);
    expect(surprises.strangest(20, 22)?.row).toBe(20);
  });

  test("are read out with what was expected", () => {
    const s = selection(19, receive());
    expect(oddLines(s, 21)).toEqual([
      "spike · 0.3 % likely · odd already 2 h ahead",
      "expected 5.000 · 99 % 4.000 to 6.250",
    ]);
    expect(oddLines(s, 60)).toEqual(["shift of level · 0.4 % likely"]);
    expect(oddLines(s, 70)).toEqual(["change: less predictable, since Sat 3 Jan, 17:00"]);
    expect(oddLines(s, 30)).toEqual([]);
    expect(oddSentence(s)).toBe(" Surprise: Thu 1 Jan 1970, 21:00 UTC, spike, 0.3 % likely, odd already 2 h ahead.");
    expect(oddSentence(selection(400, receive()))).toBe("");
    expect(Object.fromEntries(surpriseRows(receive(), s))).toEqual({
      Observations: "3",
      "Share (rate 1 %)": "0.1 %", // 3 of 2,000
      Events: "2",
      Changes: "1",
    });
  });

  test("that are malformed are refused", () => {
    const bad = (position: number, view: ArrayBufferView): ArrayBufferView[] =>
      buffers().map((own, i) => (i === position ? view : own));
    for (const views of [
      bad(0, Int32Array.from([21, 20, 60])),
      bad(0, Int32Array.from([20, 21, 2000])),
      bad(2, Int32Array.from([1, 2, 4])),
      bad(3, Uint8Array.from([1, 2, 6])),
      bad(4, Float64Array.from([1])),
      bad(11, Uint8Array.from([4])),
      [],
    ])
      expect(() => receive(views)).toThrow();
    expect(() => receive(buffers(), { rate: "x" })).toThrow();
    expect(() => receive(buffers(), { series: 2 })).toThrow();
  });
});

test("W7 a brushed stretch is seen whole, or around its middle where it is shorter than may be seen", () => {
  const bounds = { rows: 2000, horizon: 12 };
  expect(stretch(100, 200, bounds)).toEqual({ start: 100, span: 100 });
  expect(stretch(100, 104, bounds)).toEqual({ start: 90, span: 24 });
  expect(stretch(1990, 2011, bounds).start).toBeLessThanOrEqual(2012 - 24);
});
