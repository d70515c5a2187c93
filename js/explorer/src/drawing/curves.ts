/** Strokes of the charts: lines, smooth curves through points, areas between two of them, dots. */

export type Context = CanvasRenderingContext2D;

export interface Edge {
  xs: number[];
  ys: number[];
}

export function line(ctx: Context, colour: string, width: number, path: () => void): void {
  ctx.strokeStyle = colour;
  ctx.lineWidth = width;
  ctx.beginPath();
  path();
  ctx.stroke();
}

export function along(ctx: Context, e: Edge): void {
  if (!e.xs.length) return;
  ctx.moveTo(e.xs[0], e.ys[0]);
  curve(ctx, e.xs, e.ys, e.xs.length);
}

export function area(ctx: Context, low: Edge, high: Edge): void {
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

export function dot(ctx: Context, x: number, y: number, radius: number, fill: string, ring: string): void {
  ctx.fillStyle = fill;
  ctx.strokeStyle = ring;
  ctx.lineWidth = 1.5;
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
  ctx.fill();
  ctx.stroke();
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
