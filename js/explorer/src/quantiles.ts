/** Quantiles of ascending draws, as the kernel has them: for origins inferred but not calculated yet. */

/** The levels of the bands' ends, fixed by the protocol. */
export const LEVELS = [0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975] as const;

/** Which two draws each of `LEVELS` lies between (or beyond), and how far: between -inf and inf. */
export function places(levels: readonly number[]): { left: number; share: number }[] {
  return LEVELS.map((wanted) => {
    let left = 0;
    while (left < levels.length - 2 && levels[left + 1] <= wanted) left++;
    return { left, share: (wanted - levels[left]) / (levels[left + 1] - levels[left]) };
  });
}

/** Fills in bands where draws have come and bands have not; draws (N, Q), ends (N, 7). */
export function complete(draws: Float32Array, ends: Float32Array, levels: readonly number[]): void {
  const count = levels.length;
  const where = count > 1 ? places(levels) : null;
  for (let n = 0; n * LEVELS.length < ends.length; n++) {
    const at = n * LEVELS.length;
    const from = n * count;
    const [least, most] = [draws[from], draws[from + count - 1]];
    if (Number.isFinite(ends[at + 3]) || !Number.isFinite(least)) continue;
    for (let k = 0; k < LEVELS.length; k++) {
      let v = least;
      if (where) {
        const { left, share } = where[k];
        v = draws[from + left] + share * (draws[from + left + 1] - draws[from + left]);
        // Where all draws have one sign, so has what lies beyond them.
        if ((least >= 0 && v < 0) || (most <= 0 && v > 0)) v = 0;
      }
      ends[at + k] = v;
    }
  }
}
