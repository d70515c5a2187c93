/** H2, W6: a covariate in words: its value, its category, its range, and nothing where it is not known. */

import { expect, test } from "vitest";
import { covariateText, rangeText } from "../src/drawing/covariate-strips";

const INFO = { name: "temp", labels: [], ahead: true, low: -2, high: 35 };
const FLAG = { ...INFO, name: "promotion", labels: ["yes"], low: null, high: null };
const EVENT = { ...FLAG, name: "event", labels: ["fair", "Easter"] };

test("values and categories are named, and what is not known is not", () => {
  expect(covariateText(INFO, 12.25)).toBe("temp 12.25");
  expect([0, -1].map((v) => covariateText(FLAG, v))).toEqual(["promotion yes", "promotion no"]);
  expect([0, 1, -1].map((v) => covariateText(EVENT, v))).toEqual(["event fair", "event Easter", "event none"]);
  expect([INFO, FLAG, EVENT].map((info) => covariateText(info, NaN))).toEqual(["", "", ""]);
});

test("numbers have a range and categories have none", () => {
  expect(rangeText(INFO)).toBe("−2.0 to 35.0");
  expect(rangeText(FLAG)).toBe("");
});
