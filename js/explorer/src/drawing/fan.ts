/** Paints everything in the zoom view that moves with the origin, on one canvas above the plot. */

import type { Joint } from "../state/joint-cache";
import { ENDS, MEDIAN } from "../state/quantiles";
import type { Forecast } from "../state/row-cache";
import type { Style } from "../state/selection";
import type { Near } from "../state/sketch";
import { type Density, density, stretches } from "./density";
import type { Palette } from "./theme";

/** Pixels a step from which on observations have a ring each. */
const RINGS = 4.5;

/** The plot's edges in pixels. */
export interface Frame {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** What is painted. */
export interface FanScene {
  frame: Frame;
  /** Pixels, of a row (also beyond the last) and of a value. */
  x(row: number): number;
  y(value: number): number;
  value: Float64Array;
  /** The first row in view. */
  first: number;
  row: number;
  horizon: number;
  /** The value that the forecast starts from; NaN where it is not known. */
  anchor: number;
  /** The main model's forecast, and that of a second one. */
  main: Forecast | null;
  other: Forecast | null;
  /** The forecast of another origin, where the main one has not come. */
  near: Near | null;
  /** The main model's paths. */
  joint: Joint | null;
  style: Style;
  palette: Palette;
  font: string;
  /** The origin's time, the unit above the axis, the medians at the fans' ends. */
  label: string;
  unit: string;
  end: string;
  otherEnd: string;
  /** Whether the origin is being dragged. */
  held: boolean;
}

type Context = CanvasRenderingContext2D;

/** Paints the fan. */
export function paintFan(ctx: Context, s: FanScene): void {
  const { frame, palette: p } = s;
  ctx.lineJoin = "round";
  ctx.lineCap = "round";
  ctx.save();
  ctx.beginPath();
  ctx.rect(frame.left, frame.top - 4, frame.right - frame.left + 5, frame.bottom - frame.top + 4);
  ctx.clip();
  const main = s.main?.filled ? s.main : null;
  if (main && (s.style === "bands" || s.style === "total")) bands(ctx, s, main);
  if (main && s.style === "density") columns(ctx, s, main);
  if (main && s.style === "paths") {
    if (s.joint) paths(ctx, s, s.joint);
    else faintly(ctx, () => bands(ctx, s, main));
  }
  if (s.near && s.style !== "total") nearby(ctx, s, s.near);
  if (s.other?.filled) second(ctx, s, s.other);
  const x = Math.round(s.x(s.row)) + 0.5;
  line(ctx, p.accent, 1.3, () => {
    ctx.moveTo(x, frame.top - 4);
    ctx.lineTo(x, frame.bottom);
  });
  line(ctx, p.ink, pitch(s) < 2.5 ? 1.2 : 1.7, () => trace(ctx, s, s.first, s.row));
  const middle = main && edge(s, main, MEDIAN);
  if (middle) line(ctx, p.median, 2.2, () => along(ctx, middle));
  actuals(ctx, s);
  ctx.restore();
  const otherMedian = s.other?.filled ? edge(s, s.other, MEDIAN) : null;
  if (otherMedian) ending(ctx, s, otherMedian, s.otherEnd, p.other, middle);
  if (middle) ending(ctx, s, middle, s.end, p.median, null);
  marker(ctx, s, x);
  labels(ctx, s, x);
}

const pitch = (s: FanScene): number => s.x(s.row + 1) - s.x(s.row);

function line(ctx: Context, colour: string, width: number, path: () => void): void {
  ctx.strokeStyle = colour;
  ctx.lineWidth = width;
  ctx.beginPath();
  path();
  ctx.stroke();
}

interface Edge {
  xs: number[];
  ys: number[];
}

/** A quantile over the steps, from the origin's own value where that is known. */
function edge(s: FanScene, row: Forecast, quantile: number): Edge {
  const xs: number[] = [];
  const ys: number[] = [];
  if (Number.isFinite(s.anchor)) {
    xs.push(s.x(s.row));
    ys.push(s.y(s.anchor));
  }
  for (let h = 0; h < s.horizon; h++) {
    const v = row.ends[h * ENDS + quantile];
    if (!Number.isFinite(v)) continue;
    xs.push(s.x(s.row + h + 1));
    ys.push(s.y(v));
  }
  return { xs, ys };
}

function along(ctx: Context, e: Edge): void {
  if (!e.xs.length) return;
  ctx.moveTo(e.xs[0], e.ys[0]);
  curve(ctx, e.xs, e.ys, e.xs.length);
}

function area(ctx: Context, low: Edge, high: Edge): void {
  const n = Math.min(low.xs.length, high.xs.length);
  if (n < 2) return;
  ctx.beginPath();
  ctx.moveTo(low.xs[0], low.ys[0]);
  curve(ctx, low.xs, low.ys, n);
  ctx.lineTo(high.xs[n - 1], high.ys[n - 1]);
  curve(ctx, high.xs, high.ys, n, true);
  ctx.closePath();
  ctx.fill();
}

/** Outermost first, each opaque over the one before. */
function bands(ctx: Context, s: FanScene, row: Forecast): void {
  for (let b = 0; b < MEDIAN; b++) {
    ctx.fillStyle = s.palette.bands[b];
    area(ctx, edge(s, row, b), edge(s, row, ENDS - 1 - b));
  }
}

const FAINT = 0.4;

function faintly(ctx: Context, paint: () => void): void {
  ctx.globalAlpha = FAINT;
  paint();
  ctx.globalAlpha = 1;
}

/** The forecast of another origin at its own place, fainter than one of the origin itself. */
function nearby(ctx: Context, s: FanScene, { row, forecast }: Near): void {
  const there = { ...s, row, anchor: s.value[row] };
  faintly(ctx, () => {
    bands(ctx, there, forecast);
    line(ctx, s.palette.median, 2.2, () => along(ctx, edge(there, forecast, MEDIAN)));
  });
}

/** Some of the paths, all in one stroke each, so light that the frequent ways show as darker ones. */
function paths(ctx: Context, s: FanScene, { limits, codes }: Joint): void {
  const count = codes.length / s.horizon;
  ctx.globalAlpha = s.palette.dark ? 0.4 : 0.32;
  for (let k = 0; k < count; k++) {
    line(ctx, s.palette.median, 0.8, () => {
      if (Number.isFinite(s.anchor)) ctx.moveTo(s.x(s.row), s.y(s.anchor));
      for (let h = 0; h < s.horizon; h++) {
        const [low, high] = [limits[2 * h], limits[2 * h + 1]];
        const x = s.x(s.row + h + 1);
        const y = s.y(low + (codes[k * s.horizon + h] / 63) * (high - low));
        if (h || Number.isFinite(s.anchor)) ctx.lineTo(x, y);
        else ctx.moveTo(x, y);
      }
    });
  }
  ctx.globalAlpha = 1;
}

/** A column for each step, or every few steps where there are many. */
function columns(ctx: Context, s: FanScene, row: Forecast): void {
  const wide = Math.max(pitch(s), 0.01);
  const every = Math.max(1, Math.ceil(2.5 / wide), Math.ceil(s.horizon / 240));
  const draws = row.draws.length / s.horizon;
  const densities: [number, Density][] = [];
  let top = 0;
  for (let h = (s.horizon - 1) % every; h < s.horizon; h += every) {
    const d = density(row.draws, h * draws, draws);
    if (!d) continue;
    densities.push([h, d]);
    top = Math.max(top, d.peak);
  }
  const width = wide > 6 ? Math.min(wide * every * 0.87, 26) : wide * every + 0.5;
  const tinted: number[][] = s.palette.tints.map(() => []);
  for (const [h, d] of densities) {
    const runs = stretches(d, top);
    const left = s.x(s.row + h + 1) - width / 2;
    for (let i = 0; i < runs.length; i += 3) tinted[runs[i]].push(left, s.y(runs[i + 2]), s.y(runs[i + 1]));
  }
  tinted.forEach((rects, tint) => {
    ctx.fillStyle = s.palette.tints[tint];
    for (let i = 0; i < rects.length; i += 3)
      ctx.fillRect(rects[i], rects[i + 1], width, Math.max(rects[i + 2] - rects[i + 1], 0.5));
  });
}

/** The second model: its 80 % band, transparent so that the first one shows, and its median. */
function second(ctx: Context, s: FanScene, row: Forecast): void {
  const low = edge(s, row, 1);
  const high = edge(s, row, 5);
  ctx.fillStyle = s.palette.other;
  ctx.globalAlpha = s.palette.dark ? 0.16 : 0.13;
  area(ctx, low, high);
  ctx.globalAlpha = 0.75;
  for (const e of [low, high]) line(ctx, s.palette.other, 1, () => along(ctx, e));
  ctx.globalAlpha = 1;
  line(ctx, s.palette.bg, 4, () => along(ctx, edge(s, row, MEDIAN)));
  line(ctx, s.palette.other, 2, () => along(ctx, edge(s, row, MEDIAN)));
}

/** The values from one row to another; lowest and highest of a pixel where there are many to one. */
export function trace(
  ctx: Context,
  s: Pick<FanScene, "frame" | "x" | "y" | "value">,
  from: number,
  to: number,
  isOpen = false,
): void {
  const dense = to - from > 2.5 * (s.frame.right - s.frame.left);
  let open = isOpen;
  for (let i = from; i <= to; ) {
    const v = s.value[i];
    if (!Number.isFinite(v)) {
      open = false;
      i++;
      continue;
    }
    const x = s.x(i);
    const y = s.y(v);
    if (open) ctx.lineTo(x, y);
    else ctx.moveTo(x, y);
    // A point with nothing on either side is a dot: round caps draw it.
    if (!open && !Number.isFinite(s.value[i + 1])) ctx.lineTo(x + 0.01, y);
    open = true;
    i++;
    if (!dense) continue;
    let low = y;
    let high = y;
    for (; i <= to && s.x(i) < x + 1; i++) {
      const other = s.y(s.value[i]);
      if (other < low) low = other;
      if (other > high) high = other;
    }
    ctx.lineTo(x, low);
    ctx.lineTo(x, high);
  }
}

/** The observations within the horizon: a faint line, with a ring for each step where there is room. */
function actuals(ctx: Context, s: FanScene): void {
  const last = Math.min(s.row + s.horizon, s.value.length - 1);
  if (last <= s.row) return;
  ctx.globalAlpha = 0.62;
  const isAnchored = Number.isFinite(s.anchor);
  line(ctx, s.palette.ink, 1.2, () => {
    if (isAnchored) ctx.moveTo(s.x(s.row), s.y(s.anchor));
    trace(ctx, s, s.row + 1, last, isAnchored);
  });
  ctx.globalAlpha = 1;
  const wide = pitch(s);
  if (wide < RINGS) return;
  const radius = Math.min(wide * 0.33, 2.6);
  ctx.fillStyle = s.palette.bg;
  ctx.strokeStyle = s.palette.ink;
  ctx.lineWidth = 1.2;
  ctx.beginPath();
  for (let i = s.row + 1; i <= last; i++) {
    if (!Number.isFinite(s.value[i])) continue;
    const x = s.x(i);
    const y = s.y(s.value[i]);
    ctx.moveTo(x + radius, y);
    ctx.arc(x, y, radius, 0, 2 * Math.PI);
  }
  ctx.fill();
  ctx.stroke();
}

function dot(ctx: Context, x: number, y: number, radius: number, fill: string, ring: string): void {
  ctx.fillStyle = fill;
  ctx.strokeStyle = ring;
  ctx.lineWidth = 1.5;
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
  ctx.fill();
  ctx.stroke();
}

/** The font of the value at a median's end. */
export const ENDING = "650 13px";

/** A median's end: a point, and its value beside it; only the point where the `first` one's value is in the way. */
function ending(ctx: Context, s: FanScene, middle: Edge, text: string, colour: string, first: Edge | null): void {
  const last = middle.xs.length - 1;
  if (last < 0 || middle.xs[last] > s.frame.right + 5) return;
  const place = (e: Edge): number => Math.max(s.frame.top, Math.min(s.frame.bottom, e.ys[e.ys.length - 1]));
  const [x, y] = [middle.xs[last], place(middle)];
  dot(ctx, x, y, 3.6, colour, s.palette.bg);
  if (first && Math.abs(place(first) - y) < 16) return;
  ctx.font = `${ENDING} ${s.font}`;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  ctx.lineWidth = 4;
  ctx.strokeStyle = s.palette.bg;
  ctx.strokeText(text, x + 9, y);
  ctx.fillStyle = colour;
  ctx.fillText(text, x + 9, y);
}

/** The point of the origin, and the grip on the axis. */
function marker(ctx: Context, s: FanScene, x: number): void {
  const { frame, palette: p } = s;
  if (x < frame.left - 1 || x > frame.right + 1) return;
  if (Number.isFinite(s.anchor)) dot(ctx, x, s.y(s.anchor), s.held ? 5 : 4, p.accent, p.bg);
  const [w, tall] = s.held ? [13, 22] : [11, 20];
  ctx.fillStyle = p.accent;
  ctx.strokeStyle = p.bg;
  ctx.lineWidth = 2;
  ctx.beginPath();
  ctx.roundRect(x - w / 2, frame.bottom - tall / 2, w, tall, w / 2);
  ctx.stroke();
  ctx.fill();
  line(ctx, p.bg, 1.1, () => {
    for (const dx of [-1.6, 1.6]) {
      ctx.moveTo(x + dx, frame.bottom - 4);
      ctx.lineTo(x + dx, frame.bottom + 4);
    }
  });
}

/** The unit above the axis, and the origin's time above its line, clear of it. */
function labels(ctx: Context, s: FanScene, x: number): void {
  const { frame, palette: p } = s;
  ctx.textBaseline = "alphabetic";
  ctx.textAlign = "left";
  ctx.font = `11px ${s.font}`;
  ctx.fillStyle = p.soft;
  const y = frame.top - 12;
  const wide = ctx.measureText(s.unit).width;
  const unit = wide < (frame.right - frame.left) * 0.4 ? s.unit : "";
  ctx.fillText(unit, 2, y);
  ctx.font = `600 12px ${s.font}`;
  const label = x < frame.left - 1 ? `◂ ${s.label}` : x > frame.right + 1 ? `${s.label} ▸` : s.label;
  const half = ctx.measureText(label).width / 2;
  const low = (unit ? wide + 16 : 2) + half;
  ctx.textAlign = "center";
  ctx.fillStyle = p.accent;
  ctx.fillText(label, Math.max(low, Math.min(x, frame.right + 40 - half)), y);
}

/**
 * Slopes of a monotone cubic at its points, by harmonic means. It never overshoots, so the edges of bands never cross.
 *
 * Source: F. N. Fritsch and R. E. Carlson, "Monotone piecewise cubic interpolation" (1980).
 */
export function slopes(xs: ArrayLike<number>, ys: ArrayLike<number>, n: number): Float64Array {
  const out = new Float64Array(n);
  if (n < 2) return out;
  let before = (ys[1] - ys[0]) / (xs[1] - xs[0]);
  out[0] = before;
  for (let i = 1; i < n - 1; i++) {
    const after = (ys[i + 1] - ys[i]) / (xs[i + 1] - xs[i]);
    out[i] = before * after <= 0 ? 0 : (2 * before * after) / (before + after);
    before = after;
  }
  out[n - 1] = before;
  return out;
}

/** Draws a monotone cubic from the current point, which is the first of the points, or with `back` the last. */
function curve(
  ctx: CanvasRenderingContext2D,
  xs: ArrayLike<number>,
  ys: ArrayLike<number>,
  n: number,
  back = false,
): void {
  const s = slopes(xs, ys, n);
  const bend = (i: number, j: number): void => {
    const third = (xs[j] - xs[i]) / 3;
    ctx.bezierCurveTo(xs[i] + third, ys[i] + third * s[i], xs[j] - third, ys[j] - third * s[j], xs[j], ys[j]);
  };
  if (back) for (let i = n - 1; i > 0; i--) bend(i, i - 1);
  else for (let i = 0; i < n - 1; i++) bend(i, i + 1);
}
