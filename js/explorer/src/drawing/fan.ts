/** Paints everything in the zoom view that moves with the origin, on one canvas above the plot. */

import type { Joint } from "../state/joint-cache";
import { ENDS, MEDIAN } from "../state/quantiles";
import type { Forecast } from "../state/row-cache";
import type { Style } from "../state/selection";
import type { Near } from "../state/sketch";
import { along, area, type Context, dot, type Edge, line } from "./curves";
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

/** A forecast of another model, and the median at its end. */
export interface OtherFan {
  forecast: Forecast | null;
  colour: string;
  dash: readonly number[];
  end: string;
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
  /** The main model's forecast, and those drawn over it. */
  main: Forecast | null;
  /** The forecast of another origin, where the main one has not come. */
  near: Near | null;
  others: readonly OtherFan[];
  /** Forecasts from earlier origins for the same times, and the one that is pinned. */
  past: readonly Near[];
  pin: Near | null;
  /** The main model's paths. */
  joint: Joint | null;
  style: Style;
  palette: Palette;
  font: string;
  /** The origin's time, the unit above the axis, the median at the fan's end. */
  label: string;
  unit: string;
  end: string;
  /** Whether the origin is being dragged. */
  held: boolean;
}

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
  s.past.forEach((origin, i) => earlier(ctx, s, origin, 0.6 - 0.1 * i));
  if (s.pin) pinned(ctx, s, s.pin);
  const others = s.others.filter(({ forecast }) => forecast?.filled);
  for (const other of others) overlay(ctx, s, other, others.length === 1);
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
  for (const { forecast, end, colour } of others) {
    const median = edge(s, forecast as Forecast, MEDIAN);
    ending(ctx, s, median, others.length === 1 ? end : "", colour, middle);
  }
  if (middle) ending(ctx, s, middle, s.end, p.median, null);
  marker(ctx, s, x);
  labels(ctx, s, x);
}

const pitch = (s: FanScene): number => s.x(s.row + 1) - s.x(s.row);

/** A quantile over the steps, from the origin's own value where that is known. */
function edge(s: FanScene, forecast: Forecast, quantile: number, row = s.row): Edge {
  const xs: number[] = [];
  const ys: number[] = [];
  const anchor = row === s.row ? s.anchor : s.value[row];
  if (Number.isFinite(anchor)) {
    xs.push(s.x(row));
    ys.push(s.y(anchor));
  }
  for (let h = 0; h < s.horizon; h++) {
    const v = forecast.ends[h * ENDS + quantile];
    if (!Number.isFinite(v)) continue;
    xs.push(s.x(row + h + 1));
    ys.push(s.y(v));
  }
  return { xs, ys };
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

/** Another model: its median and, where it is the only one, its 80 % band, transparent so that the main one shows. */
function overlay(ctx: Context, s: FanScene, { forecast, colour, dash }: OtherFan, hasBand: boolean): void {
  if (!forecast) return;
  if (hasBand) {
    const [low, high] = [edge(s, forecast, 1), edge(s, forecast, 5)];
    ctx.fillStyle = colour;
    ctx.globalAlpha = s.palette.dark ? 0.16 : 0.13;
    area(ctx, low, high);
    ctx.globalAlpha = 0.75;
    for (const e of [low, high]) line(ctx, colour, 1, () => along(ctx, e));
    ctx.globalAlpha = 1;
  }
  const median = edge(s, forecast, MEDIAN);
  line(ctx, s.palette.bg, 4, () => along(ctx, median));
  ctx.setLineDash([...dash]);
  line(ctx, colour, 2, () => along(ctx, median));
  ctx.setLineDash([]);
}

/** The median of a forecast from an earlier origin, and a dot there. */
function earlier(ctx: Context, s: FanScene, { row, forecast }: Near, alpha: number): void {
  ctx.globalAlpha = alpha;
  const e = edge(s, forecast, MEDIAN, row);
  line(ctx, s.palette.median, 1.4, () => along(ctx, e));
  ctx.globalAlpha = 1;
  if (e.xs.length) dot(ctx, e.xs[0], e.ys[0], 2.2, s.palette.median, s.palette.bg);
}

/** The forecast that is pinned: the line of its origin, the outline of its 80 % band, and its median. */
function pinned(ctx: Context, s: FanScene, { row, forecast }: Near): void {
  const { palette: p, frame } = s;
  ctx.setLineDash([5, 4]);
  const x = Math.round(s.x(row)) + 0.5;
  line(ctx, p.pin, 1.2, () => {
    ctx.moveTo(x, frame.top - 4);
    ctx.lineTo(x, frame.bottom);
  });
  for (const quantile of [1, 5]) line(ctx, p.pin, 1.2, () => along(ctx, edge(s, forecast, quantile, row)));
  ctx.setLineDash([]);
  const median = edge(s, forecast, MEDIAN, row);
  line(ctx, p.bg, 4, () => along(ctx, median));
  line(ctx, p.pin, 2, () => along(ctx, median));
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
