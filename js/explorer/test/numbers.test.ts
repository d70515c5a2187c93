import { describe, expect, test } from "vitest";
import wording from "../../../tests/golden/wording.json";
import {
  ahead,
  byteSize,
  decimal,
  duration,
  fixed,
  integer,
  number,
  percent,
  plural,
  score,
} from "../../common/src/format";
import { originScores } from "../src/controls/origin-scores";
import { thin } from "../src/controls/score-card";
import { search } from "../src/controls/series-picker";
import { progressText } from "../src/controls/status-line";
import { slopes } from "../src/drawing/curves";
import { density, GRID, stretches, TINTS } from "../src/drawing/density";
import { heat, rowsPerCell, summarise } from "../src/drawing/heatmap-cells";
import { mix, palette, parseColour } from "../src/drawing/theme";
import { nextRange } from "../src/drawing/y-range";
import { seasonOf, targetRow } from "../src/input/keys";
import { Calendar, DAY } from "../src/state/calendar";
import { indexOf, OriginState, rowOf } from "../src/state/origin-state";
import { OriginStatus } from "../src/state/origin-status";
import { nextWorst, randomRow, ranking, worstRows } from "../src/state/ranking";
import { anchor, follow, limit, zoom } from "../src/state/viewport";

/** The definition, written out: a mean of normal densities of Scott's width, at every point of the grid. */
function slow(draws: number[], at: number): number {
  const n = draws.length;
  const mean = draws.reduce((a, b) => a + b, 0) / n;
  const width = Math.sqrt(draws.reduce((a, b) => a + (b - mean) ** 2, 0) / (n - 1)) * n ** (-1 / 5);
  return draws.reduce((a, d) => a + Math.exp(-0.5 * ((at - d) / width) ** 2) / (width * Math.sqrt(2 * Math.PI)), 0) / n;
}

describe("density", () => {
  const draws = [1, 1.5, 2, 2.2, 2.4, 3, 7, 7.1, 7.4];

  test("is the definition's", () => {
    const d = density(draws);
    if (!d) throw new Error("no density");
    for (let g = 0; g < GRID; g++) {
      const x = d.low + ((d.high - d.low) * g) / (GRID - 1);
      expect(d.values[g]).toBeCloseTo(slow(draws, x), 6);
    }
  });

  test("has an area of one", () => {
    const d = density(draws);
    const pitch = d ? (d.high - d.low) / (GRID - 1) : 0;
    expect((d?.values.reduce((a, b) => a + b, 0) ?? 0) * pitch).toBeCloseTo(1, 2);
  });

  test("of equal draws is finite, of missing ones nothing, of a part of an array that part", () => {
    expect(Number.isFinite(density([5, 5, 5])?.peak)).toBe(true);
    expect(density([1, NaN, 2])).toBeNull();
    expect(density([9, 9, ...draws, 9], 2, draws.length)).toEqual(density(draws));
  });

  test("stretches are nested, and two humps give two of a strong tint", () => {
    const d = density([1, 1.1, 1.2, 1.3, 9, 9.1, 9.2, 9.3]);
    if (!d) throw new Error("no density");
    const runs = stretches(d, d.peak);
    const of = (tint: number): number[][] => {
      const out: number[][] = [];
      for (let i = 0; i < runs.length; i += 3) if (runs[i] === tint) out.push([runs[i + 1], runs[i + 2]]);
      return out;
    };
    expect([of(0).length, of(7).length]).toEqual([1, 2]);
    expect(of(TINTS.length - 1)[0][0]).toBeGreaterThan(of(0)[0][0]);
    for (const [low, high] of of(3)) expect(high).toBeGreaterThan(low);
  });
});

describe("keys", () => {
  test.each([
    ["ArrowLeft", false, 49],
    ["ArrowRight", false, 51],
    ["ArrowLeft", true, 26],
    ["ArrowRight", true, 74],
    ["Home", false, 0],
    ["End", false, 99],
    ["PageUp", false, 74],
    ["PageDown", false, 26],
    ["a", false, null],
  ])("%s (shift %s) leads from 50 to %s", (key, shift, to) => {
    expect(targetRow(key, shift, 50, 100, 24)).toBe(to);
  });

  test("nothing leads beyond the ends", () => {
    expect([targetRow("ArrowLeft", true, 3, 100, 24), targetRow("ArrowRight", true, 98, 100, 24)]).toEqual([0, 99]);
  });

  test("a season is the first one, or ten", () => {
    expect([seasonOf([24, 168]), seasonOf([]), seasonOf([1])]).toEqual([24, 10, 10]);
  });

  test("index and row are each other's inverse", () => {
    expect([rowOf(0, 10), rowOf(-9, 10), rowOf(-99, 10), rowOf(5, 10), indexOf(3, 10)]).toEqual([9, 0, 0, 9, -6]);
  });
});

describe("order", () => {
  const scores = Float32Array.from([NaN, 1, 5, 4.9, 2, 5, NaN, 3]);

  test("ranking: worst first, equal ones by time, unknown left out", () => {
    expect([...ranking(scores)]).toEqual([2, 5, 3, 7, 4, 1]);
  });

  test("the worst are some way apart", () => {
    expect(worstRows(scores, 1)).toEqual([2, 5, 3, 7, 4, 1]);
    expect(worstRows(scores, 2)).toEqual([2, 5, 7]);
    expect(worstRows(scores, 2, 0, 1)).toEqual([2]);
    expect(worstRows(new Float32Array(4).fill(NaN), 3)).toEqual([]);
  });

  test("W6: origins with a short context rank only where no others have a score", () => {
    expect(worstRows(scores, 2, 4)).toEqual([5, 7]);
    expect(worstRows(scores, 2, 8)).toEqual([2, 5, 7]);
  });

  test("the next worst goes down the list and round again", () => {
    const list = worstRows(scores, 2);
    expect([2, 5, 7, 4, 0].map((row) => nextWorst(list, scores, row))).toEqual([5, 7, 2, 2, 2]);
    expect(nextWorst(list, scores, 3)).toBe(7);
    expect(nextWorst([], scores, 3)).toBeNull();
  });

  test("random is one with a forecast, and another one", () => {
    const status = Uint8Array.from([0, 1, 4, 3, 2]);
    expect([0, 0.5, 0.999, 1].map((chance) => randomRow(status, 3, () => chance))).toEqual([1, 4, 4, 4]);
    expect(randomRow(Uint8Array.from([0, 4]), 0)).toBeNull();
  });
});

describe("format", () => {
  const unknown = (v: number | null): number => v ?? NaN;

  test("is the same as in Python", () => {
    for (const [v, digits, text] of wording.number as [number | null, number, string][])
      expect(number(unknown(v), digits)).toBe(text);
    for (const [v, text] of wording.integer as [number, string][]) expect(integer(v)).toBe(text);
    for (const [v, decimals, text] of wording.percent as [number | null, number, string][])
      expect(percent(unknown(v), decimals)).toBe(text);
    for (const [n, one, many, text] of wording.plural as [number, string, string, string][])
      expect(plural(n, one, many || undefined)).toBe(text);
    for (const [n, text] of wording.byte_size as [number, string][]) expect(byteSize(n)).toBe(text);
  });

  test("values", () => {
    expect([score(8.2434), score(0.42412), score(1204.2), score(0), score(null)]).toEqual([
      "8.243",
      "0.4241",
      "1,204",
      "0",
      "–",
    ]);
    expect([fixed(2.5, 0), fixed(3.5, 0), fixed(-0.125, 2), fixed(1.45, 1), fixed(-0.001, 1)]).toEqual([
      "2",
      "4",
      "-0.12",
      "1.4",
      "0.0",
    ]);
    expect([0.1, 16777216, 4.99e9, 3.4e38, 1e-12].map((v) => decimal(Math.fround(v)))).toEqual([
      0.1, 16777216, 4.99e9, 3.4e38, 1e-12,
    ]);
    expect([integer(-1200), percent(0.513)]).toEqual(["−1,200", "51.3 %"]);
  });

  test("durations and steps ahead", () => {
    expect([0.2, 8, 200, 4800, 3600, 200_000].map(duration)).toEqual([
      "under 1 s",
      "8 s",
      "3 min",
      "1 h 20 min",
      "1 h",
      "2 days",
    ]);
    expect([ahead(7, 300), ahead(12, 300), ahead(3, 86400), ahead(4, null)]).toEqual(["+35 min", "+1 h", "+3 d", "+4"]);
  });

  test("a run in words", () => {
    const p = {
      kind: "progress" as const,
      model: 0,
      available: 2250,
      inferred: 1204,
      calculated: 1100,
      reused: 0,
      rate: 430.2,
      eta_seconds: 3.2,
      done: false,
      cancelled: false,
      error: null,
      note: "",
    };
    expect(progressText(p)).toBe("1,204 of 2,250 origins · 430 origins/s · 3 s left");
    expect(progressText({ ...p, cancelled: true })).toBe("Cancelled after 1,204 of 2,250 origins");
    expect(progressText({ ...p, done: true, reused: 5 })).toBe("2,250 origins done, 5 from the cache");
    expect(progressText({ ...p, done: true, note: "; one in 3 here" })).toBe("2,250 origins done; one in 3 here");
    expect(progressText({ ...p, error: "no memory" })).toBe("Stopped: no memory");
  });
});

describe("time", () => {
  const t = Date.UTC(2017, 5, 10, 4, 30);

  test("in the zone, no finer than the step", () => {
    expect(new Calendar("utc", "Europe/Berlin", 300).text(t)).toMatch(/^Sat 10 Jun 2017, 06:30 (CEST|GMT\+2)$/);
    expect(new Calendar("utc", null, 300).text(t)).toBe("Sat 10 Jun 2017, 04:30 UTC");
    expect(new Calendar("wall", "Europe/Berlin", 300).text(t)).toBe("Sat 10 Jun 2017, 04:30");
    expect(new Calendar("wall", null, 86400).text(Date.UTC(2017, 5, 10))).toBe("Sat 10 Jun 2017");
    expect(new Calendar("wall", null, null).text(Date.UTC(2017, 5, 1))).toBe("Jun 2017");
    expect(new Calendar("number", null, null).text(-5)).toBe("t = −5");
    expect(new Calendar("utc", "Nowhere/Atall", 300).text(t)).toContain("04:30 UTC");
  });

  test("ticks fall on round local times, also over a change of clocks", () => {
    const berlin = new Calendar("utc", "Europe/Berlin", 3600);
    const ticks = berlin.ticks(Date.UTC(2024, 9, 25), Date.UTC(2024, 9, 29), 800, 80);
    expect(ticks.length).toBeGreaterThan(4);
    expect(berlin.labels(ticks).every((l) => /^(00|12):00/.test(l))).toBe(true);
    const years = new Calendar("utc", null, 3600);
    expect(years.labels(years.ticks(0, 20 * 365 * DAY, 500, 80))).toContain("1980");
    expect(berlin.ticks(5, 5, 100, 80)).toEqual([]);
  });

  test("ticks of slots are at the first one of an hour or day, closed times left out", () => {
    const slots: number[] = [];
    for (const day of [1, 2, 5, 6, 7]) {
      for (let minute = 570; minute < 960; minute += 30) slots.push(Date.UTC(2024, 1, day) + minute * 60_000);
    }
    const calendar = new Calendar("wall", null, 1800);
    const times = Float64Array.from(slots);
    const days = calendar.slotTicks(times, 0, 64, 500, 70);
    expect(days).toEqual([13, 26, 39, 52]);
    expect(calendar.labels(days.map((row) => times[row]))).toEqual(["2 Feb\n2024", "5 Feb", "6 Feb", "7 Feb"]);
    const hours = calendar.slotTicks(times, 10, 17, 600, 70);
    expect(calendar.labels(hours.map((row) => times[row]))[2]).toMatch(/^15:30|^09:30/);
    expect(calendar.text(times[13])).toBe("Fri 2 Feb 2024, 09:30");
    expect(new Calendar("wall", null, 86400).text(Date.UTC(2024, 0, 1))).toBe("Mon 1 Jan 2024");
  });
});

describe("window", () => {
  const b = { rows: 1000, horizon: 12 };

  test("stays where the origin is in view, follows where it is not", () => {
    const w = anchor({ start: 0, span: 100 }, 500, b);
    expect(follow(w, 510, b)).toBe(w);
    const moved = follow(w, 560, b);
    expect(moved.start).toBeGreaterThan(w.start);
    expect(560 + 12).toBeLessThanOrEqual(moved.start + moved.span);
  });

  test("stays within the data, and no narrower than the fan", () => {
    expect(anchor({ start: 0, span: 100 }, 0, b).start).toBeGreaterThan(-3);
    expect(limit({ start: 9999, span: 100 }, b).start).toBeLessThan(1000);
    expect(zoom({ start: 400, span: 100 }, 0.001, 450, b).span).toBe(24);
    expect(zoom({ start: 400, span: 100 }, 1e9, 450, b).span).toBe(1012);
  });
});

test("the window goes along with an origin that is scrubbed, and waits for one that is dragged", () => {
  const b = { rows: 1000, horizon: 12 };
  const origin = new OriginState();
  origin.begin(500, 860, b);
  const { start } = origin.viewport;
  origin.move(490, "follow", b);
  expect([origin.viewport.start, origin.direction]).toEqual([start, -1]);
  origin.move(450, "carry", b);
  expect(origin.viewport.start).toBe(start - 40);
  origin.move(5, "carry", b);
  expect(origin.viewport.start).toBeLessThanOrEqual(0);
  origin.move(900, "anchor", b);
  expect(900 - origin.viewport.start).toBeCloseTo(origin.viewport.span * 0.66, 0);
  expect(origin.nextRow(Uint8Array.from({ length: 1000 }, (_, i) => (i < 950 ? 4 : 3)))).toBe(950);
  expect(origin.nextRow(new Uint8Array(1000).fill(4))).toBeNull();
});

test("the value axis widens at once to where it must and does not shiver", () => {
  expect(nextRange(null, [0, 10], true).range[1]).toBeGreaterThan(10);
  const now: [number, number] = [0, 100];
  expect(nextRange(now, [10, 90], true)).toEqual({ range: now, gliding: false });
  expect(nextRange(now, [10, 120], true).gliding).toBe(true);
  expect(nextRange(now, [10, 120], false).range[1]).toBeGreaterThan(120);
  expect(nextRange(now, [50, 60], false).range[1]).toBeLessThan(70);
});

test("a cell tells the furthest status, the worst score, and where it is", () => {
  const origins = new OriginStatus(6);
  origins.status.set([4, 4, 0, 1, 3, 3]);
  origins.score.set([NaN, NaN, NaN, NaN, 2, 6]);
  expect(summarise(origins, 0, 2)).toMatchObject({ status: 4, row: 0 });
  expect(summarise(origins, 1, 3)).toMatchObject({ status: 0, row: 2 });
  expect(summarise(origins, 0, 6)).toMatchObject({ status: 3, row: 5, score: 6, mean: 4, count: 6 });
  expect([rowsPerCell(10, 3), rowsPerCell(1, 3), rowsPerCell(0.01, 3)]).toEqual([1, 4, 512]);
  expect([heat(-9, [0, 1]), heat(99, [0, 1])]).toEqual([0, 11]);
});

test("an origin's scores are those of its bands", () => {
  const ends = Float32Array.from([...[0, 1, 2, 3, 4, 5, 6], ...[0, 1, 2, 3, 4, 5, 6], ...[0, 1, 2, 3, 4, 5, 6]]);
  const row = { draws: new Float32Array(0), ends, filled: true };
  const scores = originScores(row, Float64Array.from([9, 3.5, 5.5, NaN]), 0, 3);
  expect(scores).toEqual({ mae: 1.5, inside: [1, 1, 2], steps: 2 });
  expect(originScores(row, Float64Array.from([9]), 0, 3)).toBeNull();
});

test("a forecast that equals the observation in float32 has no error and covers it, as in Python", () => {
  for (const value of [0.25, 0.1, 13.265, -41.3]) {
    const row = { draws: new Float32Array(0), ends: new Float32Array(7).fill(value), filled: true };
    const scores = originScores(row, Float64Array.from([9, value]), 0, 1);
    expect(scores).toEqual({ mae: 0, inside: [1, 1, 1], steps: 1 });
  }
});

test("slopes never overshoot", () => {
  expect([...slopes([0, 1, 2, 3], [0, 1, 1, 5], 4)].map((s) => +s.toFixed(2))).toEqual([1, 0, 0, 4]);
});

test("search finds all words, those in front first, at most 200", () => {
  const names = ["Store 1 milk", "milk store", "bread", "MILK"];
  expect(search(names, "milk")).toEqual({ positions: [1, 3, 0], total: 3 });
  expect(search(names, "store milk").total).toBe(2);
  const many = search(
    Array.from({ length: 5000 }, (_, i) => `s${i}`),
    "",
  );
  expect([many.positions.length, many.total]).toEqual([200, 5000]);
});

test("bars are thinned to means, with gaps kept", () => {
  expect(thin([1, 3, null, null, 5, 7], 3)).toEqual([2, null, 6]);
});

test("colours mix opaquely with any host's background", () => {
  expect(mix("#ffffff", "#000000", 0.5)).toBe("#808080");
  expect([
    parseColour("rgb(1, 2, 3)"),
    parseColour("rgba(1,2,3,0)"),
    parseColour("#fff"),
    parseColour("red;}"),
  ]).toEqual([[1, 2, 3], null, [255, 255, 255], null]);
  expect(palette("#222222", true).bands.every((b) => /^#[0-9a-f]{6}$/.test(b))).toBe(true);
});
