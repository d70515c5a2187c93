/** J1, J4: joint forecasts are requested around the origin, and totals add up from it. */

import { describe, expect, test } from "vitest";
import { horizonNumbers } from "../src/controls/origin-scores";
import { JointCache } from "../src/state/joint-cache";
import { asTotals, runningTotals } from "../src/state/running-totals";
import type { Selection } from "../src/state/selection";
import { type JointMessage, MAX_JOINT_ROWS, SHOWN_PATHS } from "../src/wire/messages";
import { parse } from "../src/wire/parse";
import { META } from "./helpers";

function joint(first: number, count: number, level = 1): JointMessage {
  const { horizon } = META;
  return {
    kind: "joint",
    series: 0,
    model: 0,
    first,
    count,
    request: 1,
    limits: new Float32Array(count * horizon * 2).fill(level),
    codes: new Uint8Array(count * horizon * SHOWN_PATHS),
    sums: new Float32Array(count * horizon * 7).map((_, i) => level + first + Math.floor(i / 7)),
    peaks: new Float32Array(count * 7).fill(level),
  };
}

describe("the cache of joint forecasts", () => {
  test("requests the neighbourhood of an origin once, and again when it is stale", () => {
    const cache = new JointCache(3);
    expect(cache.missing(0, 0, 70, 100)).toEqual({ first: 64, count: 36 });
    cache.put(joint(64, 36));
    expect(cache.missing(0, 0, 70, 100)).toBeNull();
    expect(cache.get(0, 0, 70)?.sums[0]).toBe(1 + 64 + 6 * 3);
    cache.markStale(0, 0, 70, 71, () => true);
    expect(cache.missing(0, 0, 70, 100)).toEqual({ first: 64, count: 36 });
    expect(cache.get(0, 0, 70)).not.toBeNull();
    cache.put(joint(64, 36));
    cache.markAllStale();
    expect(cache.missing(0, 0, 71, 100)).not.toBeNull();
    expect(cache.missing(0, 0, 100, 100)).toBeNull();
    expect(cache.missing(0, 0, -1, 100)).toBeNull();
  });

  test("has nothing to show of an origin without a forecast, and does not ask for it again", () => {
    const cache = new JointCache(3);
    cache.put(joint(0, 1, NaN));
    expect(cache.get(0, 0, 0)).toBeNull();
    expect(cache.missing(0, 0, 0, 1)).toBeNull();
  });

  test("asks for fewer origins of a long horizon, and drops those that were least lately in view", () => {
    expect(new JointCache(1).chunk).toBe(MAX_JOINT_ROWS);
    expect(new JointCache(4096).chunk).toBe(1);
    const cache = new JointCache(20_000);
    const wide = new Float32Array(20_000 * 7);
    for (let row = 0; row < 30; row++)
      cache.put({ ...joint(row, 1), limits: wide, codes: new Uint8Array(20_000 * SHOWN_PATHS), sums: wide });
    expect(cache.get(0, 0, 29)).not.toBeNull();
    expect(cache.missing(0, 0, 0, 30)).not.toBeNull();
  });
});

test("a message with the wrong number of bytes is refused", () => {
  const m = joint(0, 2);
  const buffers = [m.limits, m.codes, m.sums, m.peaks].map((b) => b.buffer);
  expect(parse(m, buffers, META)).toEqual(m);
  for (const i of [0, 1, 2, 3]) {
    const wrong = buffers.map((b, j) => (i === j ? b.slice(4) : b));
    expect(() => parse(m, wrong, META)).toThrow();
  }
});

describe("running totals", () => {
  const value = Float64Array.from([5, 1, 2, 3, 4, 5, NaN, 7, 8, 9]);
  test("begin anew with each horizon's length, counted from the origin", () => {
    const into = new Float64Array(10);
    runningTotals(value, 3, 3, 0, 9, into);
    expect(Array.from(into)).toEqual([NaN, 1, 3, 6, 4, 9, NaN, NaN, NaN, NaN]);
    runningTotals(value, 5, 3, 1, 5, into);
    expect(Array.from(into).slice(0, 6)).toEqual([5, 6, 8, 3, 7, 12]);
  });

  test("take the place of values and bands", () => {
    const forecast = { draws: new Float32Array(12), ends: new Float32Array(21), filled: true };
    const cache = new JointCache(3);
    cache.put(joint(3, 1));
    const selection = {
      meta: META,
      row: 3,
      history: { time: Float64Array.from(value.keys()), value, low: 1, high: 9 },
      forecasts: [forecast, forecast],
      joints: [cache.get(0, 0, 3), null],
    } as unknown as Selection;
    const totals = asTotals(selection, 0, 9, new Float64Array(10));
    expect(totals.history.time).toBe(selection.history.time);
    expect(totals.history.value[4]).toBe(4);
    expect(totals.forecasts[0]?.ends).toBe(selection.joints[0]?.sums);
    expect(totals.forecasts[1]).toBeNull();
  });
});

test("the card tells total and peak, and what they were once all of the horizon is known", () => {
  const cache = new JointCache(3);
  cache.put(joint(3, 1));
  const value = Float64Array.from([5, 1, 2, 3, 4, 5, 6]);
  const { total, peak } = horizonNumbers(cache.get(0, 0, 3), value, 3, 3);
  expect(total).toEqual({ median: "6.0", band: "6.0 to 6.0", observed: "15.0" });
  expect(peak.observed).toBe("6.00");
  expect(horizonNumbers(null, value, 4, 3).total).toEqual({ median: "–", band: "–", observed: "" });
});
