/** Smooth edges of bands: monotone cubics, which never overshoot, so bands never cross. */

/** Slopes at the points (Fritsch and Carlson 1980, by harmonic means). */
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

/** Draws on from the current point, which is the first (or, backwards, the last) of the points. */
export function curve(ctx: CanvasRenderingContext2D, xs: ArrayLike<number>, ys: ArrayLike<number>, n: number, back = false): void {
  const s = slopes(xs, ys, n);
  const bend = (i: number, j: number): void => {
    const third = (xs[j] - xs[i]) / 3;
    ctx.bezierCurveTo(xs[i] + third, ys[i] + third * s[i], xs[j] - third, ys[j] - third * s[j], xs[j], ys[j]);
  };
  if (back) for (let i = n - 1; i > 0; i--) bend(i, i - 1);
  else for (let i = 0; i < n - 1; i++) bend(i, i + 1);
}
