/** W10: what is taken along says what is shown. */

import { describe, expect, test } from "vitest";
import { SvgContext } from "../src/export/svg";
import { codeOf, csvOf, linkOf, readLink } from "../src/export/text";
import { Calendar } from "../src/state/calendar";
import { OriginStatus } from "../src/state/origin-status";
import type { Selection } from "../src/state/selection";
import type { MetaMessage } from "../src/wire/messages";
import { META } from "./helpers";

const HOUR = 3_600_000;

function selection(calendar: Calendar, meta: MetaMessage = META, start = 0): Selection {
  const ends = Float32Array.from({ length: 21 }, (_, i) => i / 10);
  return {
    meta,
    calendar,
    history: {
      time: Float64Array.from({ length: 13 }, (_, i) => start + i * HOUR),
      value: Float64Array.from({ length: 10 }, (_, i) => (i === 4 ? NaN : i / 4)),
      covariates: new Float64Array(),
      low: 0,
      high: 1,
      origin: {},
      changed: 0,
      overview: null,
      windows: null,
    },
    row: 5,
    rows: 10,
    models: [0],
    statuses: [new OriginStatus(10)],
    forecasts: [{ draws: new Float32Array(), ends, filled: true }],
    joints: [null],
    scores: [null],
    past: [],
    pin: null,
    selected: null,
    near: null,
    surprises: null,
    gone: false,
  };
}

describe("times", () => {
  // The night in which clocks go back: 02:30 comes twice.
  const berlin = new Calendar("utc", "Europe/Berlin", 1800);
  const night = Date.UTC(2015, 9, 25);

  test("are written for Python, with the offset where the clock shows them twice", () => {
    expect(berlin.iso(Date.UTC(2015, 10, 26, 11, 10))).toBe("2015-11-26 12:10");
    expect(berlin.iso(night + 0.5 * HOUR)).toBe("2015-10-25 02:30+02:00");
    expect(berlin.iso(night + 1.5 * HOUR)).toBe("2015-10-25 02:30+01:00");
    expect(berlin.iso(night + 2 * HOUR)).toBe("2015-10-25 03:00");
    expect(new Calendar("wall", null, 86400).iso(night)).toBe("2015-10-25");
    expect(new Calendar("wall", null, 1).iso(night + 1500)).toBe("2015-10-25 00:00:01.500");
    expect(new Calendar("number", null, null).iso(17)).toBe("17");
  });

  test("are found again", () => {
    const times = Float64Array.from({ length: 12 }, (_, i) => night + (i * HOUR) / 2);
    times.forEach((t, row) => {
      expect(berlin.find(times, berlin.iso(t))).toBe(row);
    });
    expect(berlin.find(times, "2015-10-25T03:10")).toBe(4);
    expect(berlin.find(times, "2015-10-20")).toBe(-1);
    expect(berlin.find(times, "tomorrow")).toBeNull();
  });
});

test("W10: CSV has what is in view, with the columns of Python's tables", () => {
  const meta = { ...META, models: [{ ...META.models[0], name: "a,b" }] };
  const s = selection(new Calendar("wall", null, 3600), meta);
  const lines = csvOf(s, 1, { start: 3.2, span: 3.5 }).trim().split("\n");
  expect(lines).toEqual([
    'unique_id,cutoff,ds,y,"a,b","a,b-lo-50","a,b-hi-50","a,b-lo-80","a,b-hi-80","a,b-lo-95","a,b-hi-95"',
    "b,1970-01-01 05:00,1970-01-01 04:00,,,,,,,,",
    "b,1970-01-01 05:00,1970-01-01 05:00,1.25,,,,,,,",
    "b,1970-01-01 05:00,1970-01-01 06:00,1.5,0.3,0.2,0.4,0.1,0.5,0,0.6",
  ]);
});

test("W10: code names the origin by its time, the run by its variable, and the series of a panel", () => {
  const s = selection(new Calendar("wall", null, 3600), META);
  expect(codeOf(s, 1, "bands")).toBe('run.at("1970-01-01 05:00", "b").plot()');
  expect(codeOf({ ...s, models: [1] }, 0, "paths")).toBe('runs[1].at("1970-01-01 05:00", "a").plot(style="paths")');
  const one = { ...META, series: [{ id: 'a "b"', rows: 10 }] };
  expect(codeOf({ ...s, meta: one }, 0, "total")).toBe('run.at("1970-01-01 05:00").plot()');
  const numbers = { ...s, meta: { ...one, clock: "number" as const }, calendar: new Calendar("number", null, null) };
  expect(codeOf(numbers, 0, "bands")).toBe("run.at(-4).plot()");
});

test("W10: a link is read as it was written, whatever the names", () => {
  const meta = { ...META, series: [{ id: "hall & co=#1", rows: 10 }, META.series[1]] };
  const link = linkOf(selection(new Calendar("wall", null, 3600), meta), 0);
  expect(link).toBe("#series=hall%20%26%20co%3D%231&model=m&time=1970-01-01T05:00");
  expect(readLink(link)).toEqual({ series: "hall & co=#1", model: "m", time: "1970-01-01T05:00" });
  expect(readLink("#section-3")).toBeNull();
});

test("W10: an SVG document is well formed, with clips inside and hostile text as text", () => {
  const svg = new SvgContext(100, 50, (_, text) => 6 * text.length);
  svg.save();
  svg.translate(5, 5);
  svg.save();
  svg.beginPath();
  svg.rect(0, 0, 10, 10);
  svg.clip();
  svg.beginPath();
  svg.moveTo(0, NaN);
  svg.lineTo(1.23456, 2);
  svg.arc(3, 3, 2);
  svg.roundRect(0, 0, 9, 9, 2);
  svg.setLineDash([4, 2]);
  svg.stroke();
  svg.fill();
  svg.restore();
  svg.font = '12px "Segoe UI"';
  svg.fillText('<script>"&', 1, 2);
  svg.restore();
  const document = new DOMParser().parseFromString(svg.document('a "<b>'), "image/svg+xml");
  expect(document.querySelector("parsererror")).toBeNull();
  expect(document.querySelector("script")).toBeNull();
  expect(document.querySelector("text")?.textContent).toBe('<script>"&');
  expect(document.querySelector("text")?.parentElement?.getAttribute("transform")).toBe("translate(5 5)");
  expect(document.querySelectorAll("g[clip-path] path").length).toBe(2);
  expect(document.querySelector("title")?.textContent).toBe('a "<b>');
});
