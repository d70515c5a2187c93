/** Marks of odd observations: their shape says of what kind they are, so that colour is not the only sign. */

import type { Change, Surprise } from "../state/surprises";
import { LEVEL_SHIFT, MISSING, RHYTHM, SPIKE, SPREAD } from "../wire/messages";
import type { Palette } from "./theme";

type Context = CanvasRenderingContext2D;

/** The height of a row of marks above the cells of scores, px. */
export const LANE = 9;
const RADIUS = 3.6;

/** Paints one mark around a place; that of a kind that is not decided yet is hollow. */
export function paintMark(
  ctx: Context,
  { what, high, expected }: Surprise,
  value: number,
  x: number,
  y: number,
  radius: number,
  p: Palette,
): void {
  const r = radius;
  const polygon = (...points: [number, number][]): void => {
    points.forEach(([dx, dy], i) => (i ? ctx.lineTo(x + dx * r, y + dy * r) : ctx.moveTo(x + dx * r, y + dy * r)));
    ctx.closePath();
  };
  ctx.beginPath();
  if (what === LEVEL_SHIFT) ctx.rect(x - 0.85 * r, y - 0.85 * r, 1.7 * r, 1.7 * r);
  else if (what === SPREAD) polygon([0, -1.15], [1.15, 0], [0, 1.15], [-1.15, 0]);
  else if (what === RHYTHM) ctx.arc(x, y, r, 0, 2 * Math.PI);
  else if (what === MISSING) {
    ctx.moveTo(x - 0.8 * r, y - 0.8 * r);
    ctx.lineTo(x + 0.8 * r, y + 0.8 * r);
    ctx.moveTo(x + 0.8 * r, y - 0.8 * r);
    ctx.lineTo(x - 0.8 * r, y + 0.8 * r);
  } else {
    const sign = value < (Number.isFinite(expected) ? expected : high) ? -1 : 1;
    polygon([0, -1.1 * sign], [1.1, 0.85 * sign], [-1.1, 0.85 * sign]);
  }
  ctx.lineJoin = "round";
  ctx.strokeStyle = p.bg;
  ctx.lineWidth = what === MISSING ? 4 : 2.4;
  ctx.stroke();
  ctx.strokeStyle = p.odd;
  ctx.lineWidth = what === MISSING ? 1.8 : 1.3;
  ctx.stroke();
  ctx.fillStyle = [SPIKE, LEVEL_SHIFT, SPREAD, RHYTHM].includes(what) ? p.odd : p.bg;
  if (what !== MISSING) ctx.fill();
}

/** Paints a row of marks; where two are too near to each other, the less strange one is a tick. */
export function paintLane(
  ctx: Context,
  surprises: readonly Surprise[],
  changes: readonly Change[],
  value: Float64Array,
  x: (row: number) => number,
  y: number,
  width: number,
  p: Palette,
): void {
  const taken = new Uint8Array(Math.ceil(width) + 1);
  const reach = Math.ceil(2 * RADIUS);
  for (const { alarm } of changes) {
    ctx.fillStyle = p.odd;
    ctx.fillRect(Math.round(x(alarm)) - 1, y - LANE / 2, 2, LANE);
    taken.fill(1, Math.max(0, Math.round(x(alarm)) - reach), Math.max(0, Math.round(x(alarm)) + reach));
  }
  const marks: Surprise[] = [];
  ctx.fillStyle = p.odd;
  for (const s of [...surprises].sort((a, b) => a.rank - b.rank)) {
    const place = Math.round(x(s.row));
    if (place < 0 || place >= taken.length) continue;
    if (taken[place]) ctx.fillRect(place - 0.5, y + 1, 1, LANE / 2 - 1);
    else {
      marks.push(s);
      taken.fill(1, Math.max(0, place - reach), place + reach + 1);
    }
  }
  // Above the ticks, whichever came first.
  for (const s of marks) paintMark(ctx, s, value[s.row], x(s.row), y, RADIUS, p);
}

/** Paints changes behind a chart: from when on they are estimated to have begun, up to the alarm, and a line there. */
export function paintChanges(
  ctx: Context,
  changes: readonly Change[],
  x: (row: number) => number,
  left: number,
  right: number,
  top: number,
  bottom: number,
  p: Palette,
): void {
  for (const { alarm, since } of changes) {
    const [from, to] = [Math.max(left, x(since)), Math.min(right, x(alarm))];
    if (x(alarm) < left || from > right) continue;
    ctx.globalAlpha = p.dark ? 0.16 : 0.08;
    ctx.fillStyle = p.odd;
    ctx.fillRect(from, top, Math.max(to - from, 0), bottom - top);
    ctx.globalAlpha = 1;
    if (x(alarm) > right) continue;
    ctx.strokeStyle = p.odd;
    ctx.lineWidth = 1.2;
    ctx.setLineDash([4, 3]);
    ctx.beginPath();
    ctx.moveTo(to, top);
    ctx.lineTo(to, bottom);
    ctx.stroke();
    ctx.setLineDash([]);
  }
}

/** Paints the marks on the observations of a chart; those of missing ones are at its foot. */
export function paintOnChart(
  ctx: Context,
  surprises: readonly Surprise[],
  value: Float64Array,
  x: (row: number) => number,
  y: (value: number) => number,
  bottom: number,
  p: Palette,
): void {
  const pitch = Math.abs(x(1) - x(0));
  const radius = Math.max(3, Math.min(4.6, pitch * 0.6));
  for (const s of surprises) {
    const v = value[s.row];
    paintMark(ctx, s, v, x(s.row), Number.isFinite(v) ? y(v) : bottom - 8, radius, p);
  }
}
