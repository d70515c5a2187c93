/** Quantiles of ascending draws by the kernel's own rule: for origins that are inferred but not scored yet. */

import { QUANTILE_LEVELS } from "../wire/messages";

/** The number of ends of bands, at `QUANTILE_LEVELS`, and the position of the median among them. */
export const ENDS = QUANTILE_LEVELS.length;
export const MEDIAN = 3;

/**
 * The standard normal quantile function, with a relative error below 1.2e-9.
 *
 * Source: P. J. Acklam, "An algorithm for computing the inverse normal cumulative distribution function" (2003).
 */
export function normalScore(p: number): number {
  const poly = (x: number, ...coefficients: number[]): number => coefficients.reduce((sum, c) => sum * x + c, 0);
  if (p > 0.5) return -normalScore(1 - p);
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    return (
      poly(
        q,
        -7.784894002430293e-3,
        -0.3223964580411365,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
      ) / poly(q, 7.784695709041462e-3, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1)
    );
  }
  const q = p - 0.5;
  const r = q * q;
  return (
    (q *
      poly(
        r,
        -39.69683028665376,
        220.9460984245205,
        -275.9285104469687,
        138.357751867269,
        -30.66479806614716,
        2.506628277459239,
      )) /
    poly(r, -54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1)
  );
}

/**
 * Where each of `QUANTILE_LEVELS` is read: between which two draws, and how far from the left one.
 *
 * `share` is a distance on the scale of normal scores; it is negative or above 1 beyond the outermost draws.
 */
export function interpolationWeights(levels: readonly number[]): { left: number; share: number }[] {
  return QUANTILE_LEVELS.map((level) => {
    let left = 0;
    while (left < levels.length - 2 && levels[left + 1] < level) left++;
    const [low, high] = [normalScore(levels[left]), normalScore(levels[left + 1])];
    return { left, share: (normalScore(level) - low) / (high - low) };
  });
}

/** Fills in the ends of bands, shape (N, 7), where there are draws, shape (N, Q), but no ends yet. */
export function fillEnds(draws: Float32Array, ends: Float32Array, levels: readonly number[]): void {
  const count = levels.length;
  const weights = count > 1 ? interpolationWeights(levels) : null;
  for (let n = 0; n * ENDS < ends.length; n++) {
    const from = n * count;
    const [least, most] = [draws[from], draws[from + count - 1]];
    if (Number.isFinite(ends[n * ENDS + MEDIAN]) || !Number.isFinite(least)) continue;
    for (let k = 0; k < ENDS; k++) {
      let v = least;
      if (weights) {
        const { left, share } = weights[k];
        v = draws[from + left] + share * (draws[from + left + 1] - draws[from + left]);
        // Where all draws have one sign, so have their quantiles.
        if ((least >= 0 && v < 0) || (most <= 0 && v > 0)) v = 0;
      }
      ends[n * ENDS + k] = v;
    }
  }
}

/** About the draws, shape (H, Q), whose quantiles the ends are: for the picture of a density where draws have not come. */
export function drawsOf(ends: Float32Array, horizon: number, levels: readonly number[]): Float32Array {
  const scores = QUANTILE_LEVELS.map(normalScore);
  const count = levels.length;
  const draws = new Float32Array(horizon * count);
  levels.forEach((level, q) => {
    const score = normalScore(level);
    let left = 0;
    while (left < ENDS - 2 && scores[left + 1] < score) left++;
    const share = (score - scores[left]) / (scores[left + 1] - scores[left]);
    for (let h = 0; h < horizon; h++) {
      const low = ends[h * ENDS + left];
      draws[h * count + q] = low + share * (ends[h * ENDS + left + 1] - low);
    }
  });
  return draws;
}
