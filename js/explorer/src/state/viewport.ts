/** The rows in view, fractions allowed: where they go when the origin moves. Pure arithmetic. */

/** The visible part of the time axis. */
export interface Viewport {
  start: number;
  /** Rows from edge to edge. */
  span: number;
}

/** The length of a series, and of the forecast beyond its end. */
export interface Bounds {
  rows: number;
  horizon: number;
}

/** Most rows in view: more are below a pixel, and the overview shows them. */
export const MAX_SPAN = 20_000;
/** The origin's usual place in the viewport, as a share of its span. */
const ANCHOR = 0.66;

const total = (b: Bounds): number => b.rows + b.horizon;

/** About seven pixels a row, but four to ten horizons: room to read the fan, and the past before it. */
export function initialViewport(row: number, width: number, b: Bounds): Viewport {
  const span = Math.max(36, b.horizon * 4, Math.min(b.horizon * 10, (width - 90) / 7));
  return anchor({ start: 0, span }, row, b);
}

/** The viewport limited to the data, and to at least twice the horizon. */
export function limit(v: Viewport, b: Bounds): Viewport {
  const span = Math.max(Math.min(v.span, MAX_SPAN, total(b)), Math.min(Math.max(12, b.horizon * 2), total(b)));
  const edge = span * 0.015;
  const start = Math.max(-edge, Math.min(v.start, total(b) - 1 - span + edge));
  return { start, span };
}

/** The viewport with the origin at its usual place. */
export function anchor(v: Viewport, row: number, b: Bounds): Viewport {
  const { span } = limit(v, b);
  // The whole fan is in view if it fits.
  const share = Math.min(ANCHOR, Math.max(0.1, 1 - (b.horizon * 1.12) / span));
  return limit({ start: row - share * span, span }, b);
}

/** The viewport moved as little as keeps the origin and its fan in view; the same object where they are. */
export function follow(v: Viewport, row: number, b: Bounds): Viewport {
  const low = v.start + v.span * 0.08;
  const high = v.start + v.span - Math.min(b.horizon * 1.08, v.span * 0.9);
  if (row >= low && row <= high) return v;
  const moved = limit({ start: v.start + (row < low ? row - low : row - high), span: v.span }, b);
  return Math.abs(moved.start - v.start) < 1e-9 ? v : moved;
}

/** From one row to another; wider where that is less than may be seen. */
export function stretch(from: number, to: number, b: Bounds): Viewport {
  const { span } = limit({ start: 0, span: to - from }, b);
  return limit({ start: (from + to - span) / 2, span }, b);
}

/** Zooms in (factor < 1) or out, about the origin. */
export function zoom(v: Viewport, factor: number, row: number, b: Bounds): Viewport {
  const share = (row - v.start) / v.span;
  const { span } = limit({ start: 0, span: v.span * factor }, b);
  return follow(limit({ start: row - share * span, span }, b), row, b);
}
