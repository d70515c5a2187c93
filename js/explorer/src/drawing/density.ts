/** Gaussian kernel densities of draws with Scott's bandwidth, as in the kernel's own charts. */

/** Shares of the strongest density from which on a tint is drawn; the same as in the static charts. */
export const TINTS = [0.03, 0.08, 0.16, 0.26, 0.38, 0.51, 0.65, 0.79, 0.92] as const;
export const GRID = 64;

/** The density of one step. */
export interface Density {
  /** Ends of the grid, in the data's unit. */
  low: number;
  high: number;
  /** Per unit of the data, at `GRID` points from low to high. */
  values: Float32Array;
  peak: number;
}

/** The density of the draws of one step; null where one of them is missing. */
export function density(draws: ArrayLike<number>, from = 0, count = draws.length): Density | null {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += draws[from + i];
  const centre = sum / count;
  if (!Number.isFinite(centre)) return null;
  let squares = 0;
  let least = Infinity;
  let most = -Infinity;
  for (let i = 0; i < count; i++) {
    const deviation = draws[from + i] - centre;
    squares += deviation * deviation;
    if (deviation < least) least = deviation;
    if (deviation > most) most = deviation;
  }
  const spread = Math.sqrt(squares / Math.max(count - 1, 1));
  // Where all draws agree: a floor at a millionth of their size keeps the result finite.
  const width = Math.max(spread * count ** -0.2, 1e-6 * Math.max(Math.abs(centre), 1e-30));
  const low = least - 3 * width;
  const pitch = (most + 3 * width - low) / (GRID - 1);
  const values = new Float32Array(GRID);
  const scale = 1 / (count * width * Math.sqrt(2 * Math.PI));
  // A kernel is nothing beyond five bandwidths, which leaves most of the grid out.
  const reach = (5 * width) / pitch;
  for (let i = 0; i < count; i++) {
    const place = (draws[from + i] - centre - low) / pitch;
    const end = Math.min(GRID - 1, Math.floor(place + reach));
    for (let g = Math.max(0, Math.ceil(place - reach)); g <= end; g++) {
      const z = ((g - place) * pitch) / width;
      values[g] += Math.exp(-0.5 * z * z) * scale;
    }
  }
  let peak = 0;
  for (const v of values) if (v > peak) peak = v;
  return { low: low + centre, high: low + centre + pitch * (GRID - 1), values, peak };
}

/**
 * Stretches of a density above each tint's share: [tint, low value, high value] flattened, weakest tint first.
 *
 * `top` is the highest peak of all steps. The root is between equal ink, where late steps fade away, and equal peaks,
 * which hide how sure each is.
 */
export function stretches(d: Density, top: number): number[] {
  const out: number[] = [];
  if (!(d.peak > 0) || !(top > 0)) return out;
  const scale = (d.peak / top) ** 0.4 / d.peak;
  const pitch = (d.high - d.low) / (GRID - 1);
  const depth = (g: number): number => (g < 0 || g >= GRID ? 0 : d.values[g] * scale);
  for (let tint = 0; tint < TINTS.length; tint++) {
    const level = TINTS[tint];
    let start = 0;
    for (let g = 0; g <= GRID; g++) {
      const before = depth(g - 1);
      const after = depth(g);
      if (before > level === after > level) continue;
      // Where it crosses the level, between two points of the grid.
      const crossing = Math.min(GRID - 1, Math.max(0, g - 1 + (level - before) / (after - before)));
      if (after > level) start = crossing;
      else out.push(tint, d.low + start * pitch, d.low + crossing * pitch);
    }
  }
  return out;
}
