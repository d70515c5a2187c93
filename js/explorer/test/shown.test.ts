/** W6: what the page shows is what Python writes: `tests/golden/shown.json` has its numbers. */

import { describe, expect, test } from "vitest";
import golden from "../../../tests/golden/shown.json";
import { decimal, distinctNumbers, score } from "../../common/src/format";
import { describe as describeForecast, forecastWords, originScores } from "../src/controls/origin-scores";
import { rowText } from "../src/controls/pointer-readout";
import { countTicks, valueAxis } from "../src/drawing/value-axis";
import { extent, paddedRange } from "../src/drawing/y-range";
import { Calendar } from "../src/state/calendar";
import { OriginStatus } from "../src/state/origin-status";
import { ENDS } from "../src/state/quantiles";
import type { Selection } from "../src/state/selection";
import { META } from "./helpers";

const HORIZON = 6;
const HOUR = 3_600_000;

function selection({ values, ends, row }: (typeof golden.series)[number]): Selection {
  const value = Float64Array.from(values);
  return {
    meta: { ...META, horizon: HORIZON },
    calendar: new Calendar("wall", null, 3600),
    history: {
      time: Float64Array.from({ length: value.length + HORIZON }, (_, i) => i * HOUR),
      value,
      covariates: new Float64Array(0),
      low: 0,
      high: 1,
      origin: {},
      changed: 0,
      overview: null,
      windows: null,
    },
    row,
    rows: value.length,
    models: [0],
    statuses: [new OriginStatus(value.length)],
    forecasts: [{ draws: new Float32Array(0), ends: Float32Array.from(ends), filled: true }],
    joints: [null],
    scores: [null],
    surprises: null,
    near: null,
    past: [],
    pin: null,
    selected: null,
    gone: false,
  };
}

/** The number of a text, and the place of its last digit. */
function read(text: string): [number, number] {
  const plain = text.replace(/−/g, "-").replace(/,/g, "");
  const [digits, exponent = "0"] = plain.split("e");
  return [Number(plain), 10 ** (Number(exponent) - (digits.split(".")[1]?.length ?? 0))];
}

function expectShown(text: string, value: number): void {
  const [number, place] = read(text);
  expect(Math.abs(number - value), `${text} for ${value}`).toBeLessThanOrEqual(place * 0.5001);
}

test("axes of any size have Python's ticks and labels", () => {
  for (const { low, high, count, ends, ticks, labels, value, exact } of golden.axes) {
    const range = paddedRange(low, high);
    expect(range).toEqual(ends);
    const axis = valueAxis(...range, count);
    expect(axis.labels).toEqual(labels);
    axis.ticks.forEach((tick, i) => expect(Math.abs(tick - ticks[i])).toBeLessThanOrEqual(Math.abs(tick) * 1e-12));
    expect(axis.exact(value)).toBe(exact);
  }
});

test("ticks are 1, 2 or 5 times a power of ten, and counts are whole", () => {
  expect(valueAxis(2, 16, 5).labels).toEqual(["2", "4", "6", "8", "10", "12", "14", "16"]);
  expect(valueAxis(4.99e9 - 50, 4.99e9 + 50, 5).labels).toContain("4,990,000,020");
  expect(countTicks(0, 9, 500)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(countTicks(1e9, 1e9 + 8, 300).length).toBeLessThanOrEqual(4);
});

test("numbers are written as in Python", () => {
  for (const { values, digits, texts } of golden.numbers)
    digits.forEach((count, i) => expect(distinctNumbers(values, count)).toEqual(texts[i]));
});

describe.each(golden.series)("$name", (series) => {
  const s = selection(series);
  const [forecast] = s.forecasts;

  test("has Python's scores", () => {
    const scores = originScores(forecast, s.history.value, s.row, HORIZON);
    expect(scores?.inside).toEqual(series.inside);
    const [number, place] = read(score(scores?.mae));
    expect(Math.abs(number - read(series.mae)[0])).toBeLessThanOrEqual(place * 1.01);
  });

  test("has an axis that cuts no band, and zooms into no rounding errors", () => {
    const need = extent(s, "bands", s.row - 20, s.row + HORIZON);
    if (!need) throw new Error("no range");
    const [low, high] = paddedRange(...need);
    const shown = [...(forecast?.ends ?? []), ...s.history.value.slice(s.row - 20, s.row + HORIZON + 1)];
    expect(low).toBeLessThanOrEqual(Math.min(...shown));
    expect(high).toBeGreaterThanOrEqual(Math.max(...shown));
    if (series.name === "constant") expect([low, high]).toEqual([0.09, 0.11000000000000001]);
  });

  test("is described with Python's numbers", () => {
    const text = describeForecast(s.meta, forecast, s.history.value, s.row, "now", "");
    const [first, end, low, high, observed] = series.described;
    expect(text).toBe(
      `now, index −63. Median ${first} to ${end}, 80 % band at the end ${low} to ${high}, observed ${observed}.`,
    );
  });

  test("has Python's number at the end of the median", () => {
    const end = forecast?.ends[(HORIZON - 1) * ENDS + 3] ?? NaN;
    expect(valueAxis(...(series.range as [number, number]), 5).exact(end)).toBe(series.end);
  });

  test("is read out for each row, with its own numbers", () => {
    for (let row = s.row - 3; row <= s.row + HORIZON; row++) {
      const lines = rowText(s, row);
      expectShown(lines[1].replace("observed ", ""), s.history.value[row]);
      const from = (row - s.row - 1) * ENDS;
      expect(lines.length).toBe(from < 0 ? 2 : 3);
      if (from < 0) continue;
      const bands = [50, 80, 95].map((coverage) => ` · ${coverage} % (\\S+) to (\\S+)`);
      const texts = new RegExp(`^median (\\S+)${bands.join("")}$`).exec(lines[2])?.slice(1) ?? [];
      [3, 2, 4, 1, 5, 0, 6].forEach((k, i) => expectShown(texts[i], decimal(forecast?.ends[from + k] ?? NaN)));
    }
  });
});

test("W11 the card opens with the forecast in words, with the unit that its name states", () => {
  const s = selection(golden.series[golden.series.length - 1]);
  const [forecast] = s.forecasts;
  const observed = s.history.value.slice();
  observed[s.row + HORIZON] = NaN;
  const words = (target: string, step: number | null, value: Float64Array = observed): [string, string] =>
    forecastWords({ ...s.meta, target, step }, forecast, value, s.row);
  const numbers = (text: string): string[] => text.match(/[−\d][\d,.−]*/g) ?? [];
  const [median, band] = words("glucose (mg/dL)", 300);
  expect(median).toMatch(/^[\d.]+ mg\/dL in 30 min$/);
  expectShown(numbers(median)[0], decimal(forecast?.ends[(HORIZON - 1) * ENDS + 3] ?? NaN));
  expect(band).toMatch(/^80 %: [\d.]+ to [\d.]+$/);
  [1, 5].forEach((k, i) => expectShown(numbers(band)[i + 1], decimal(forecast?.ends[(HORIZON - 1) * ENDS + k] ?? NaN)));
  expect(words("load", null)[0]).toMatch(/^[\d.]+ in 6 steps$/);
  expect(words("load", null, s.history.value)[1]).toMatch(/ · observed [\d.]+$/);
  expect(forecastWords(s.meta, null, observed, s.row)).toEqual(["–", "–"]);
});
