/** The visible window, in rows (fractions allowed): where it goes when the origin moves. Pure arithmetic. */

export interface Window {
  start: number;
  /** Rows from edge to edge. */
  span: number;
}

export interface Bounds {
  rows: number;
  horizon: number;
}

/** Most rows shown at once: more are below a pixel, and the overview shows them. */
export const MOST_SPAN = 20_000;
/** Where the origin stands in a window it was jumped to. */
const ANCHOR = 0.66;

const total = (b: Bounds): number => b.rows + b.horizon;

/** About seven pixels a row, but four to ten horizons: the fan has room to be read, the past to be seen. */
export function first(row: number, width: number, b: Bounds): Window {
  const span = Math.max(36, b.horizon * 4, Math.min(b.horizon * 10, (width - 90) / 7));
  return anchored({ start: 0, span }, row, b);
}

/** A window within the data, no narrower than twice the horizon. */
export function fitted(w: Window, b: Bounds): Window {
  const span = Math.max(Math.min(w.span, MOST_SPAN, total(b)), Math.min(Math.max(12, b.horizon * 2), total(b)));
  const edge = span * 0.015;
  const start = Math.max(-edge, Math.min(w.start, total(b) - 1 - span + edge));
  return { start, span };
}

/** The window with the origin at its usual place. */
export function anchored(w: Window, row: number, b: Bounds): Window {
  const kept = fitted(w, b);
  // The whole fan is in view if there is any way.
  const share = Math.min(ANCHOR, Math.max(0.1, 1 - (b.horizon * 1.12) / kept.span));
  return fitted({ start: row - share * kept.span, span: kept.span }, b);
}

/** The window moved just as far as it takes to keep the origin and its fan in view; the same one where they are. */
export function following(w: Window, row: number, b: Bounds): Window {
  const low = w.start + w.span * 0.08;
  const high = w.start + w.span - Math.min(b.horizon * 1.08, w.span * 0.9);
  if (row >= low && row <= high) return w;
  const moved = fitted({ start: w.start + (row < low ? row - low : row - high), span: w.span }, b);
  return Math.abs(moved.start - w.start) < 1e-9 ? w : moved;
}

/** Nearer (factor < 1) or further, about the origin. */
export function zoomed(w: Window, factor: number, row: number, b: Bounds): Window {
  const share = (row - w.start) / w.span;
  const span = fitted({ start: 0, span: w.span * factor }, b).span;
  return following(fitted({ start: row - share * span, span }, b), row, b);
}
