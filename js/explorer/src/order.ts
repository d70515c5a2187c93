/** Worst, next worst, random: which origin to look at, from the scores the browser holds. */

/** Rows from the worst (highest) score to the best; equal ones in order of time; those without a score left out. */
export function ranking(score: Float32Array): Int32Array {
  const rows: number[] = [];
  for (let i = 0; i < score.length; i++) if (Number.isFinite(score[i])) rows.push(i);
  return Int32Array.from(rows.sort((a, b) => score[b] - score[a] || a - b));
}

/**
 * The worst row of each bad stretch, worst first, at most `most`.
 *
 * Neighbours of a bad origin are bad for the same reason; so a row within `apart` rows of a worse one is passed over.
 */
export function worst(score: Float32Array, apart: number, most = 1000): number[] {
  const taken = new Uint8Array(score.length);
  const out: number[] = [];
  for (const row of ranking(score)) {
    if (taken[row]) continue;
    out.push(row);
    if (out.length >= most) break;
    taken.fill(1, Math.max(0, row - apart + 1), Math.min(score.length, row + apart));
  }
  return out;
}

/** The next of the worst rows after the one shown; from elsewhere, the first that is better than it; then round again. */
export function next(list: readonly number[], score: Float32Array, row: number): number | null {
  if (!list.length) return null;
  const at = list.indexOf(row);
  if (at >= 0) return list[(at + 1) % list.length];
  const here = score[row];
  if (!Number.isFinite(here)) return list[0];
  return list.find((r) => score[r] < here) ?? list[0];
}

/** A row picked at random among those with a forecast (status 1 to 3), not the one shown if there is another. */
export function random(status: Uint8Array, row: number, chance: () => number = Math.random): number | null {
  const fit: number[] = [];
  for (let i = 0; i < status.length; i++) if (status[i] >= 1 && status[i] <= 3 && i !== row) fit.push(i);
  return fit.length ? fit[Math.min(fit.length - 1, Math.floor(chance() * fit.length))] : null;
}

/** Values at the given shares of all finite ones, for the scale of colours. */
export function quantile(values: Float32Array, shares: readonly number[]): number[] | null {
  const known = values.filter((v) => Number.isFinite(v)).sort();
  if (!known.length) return null;
  return shares.map((s) => known[Math.round(s * (known.length - 1))]);
}
