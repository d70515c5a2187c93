/** The value axis: it widens when it must, narrows only when much is empty, and glides there. Pure arithmetic. */

export type Range = [number, number];

const PAD = 0.07;
/** Share of the axis in use below which it narrows. */
const SLACK = 0.5;
const PACE = 0.3;

/** `need` with some air around it. */
export function padded([low, high]: Range): Range {
  const span = high - low || Math.max(Math.abs(high) * 0.1, 1e-9);
  const middle = (low + high) / 2;
  const half = (span / 2) * (1 + 2 * PAD);
  return [middle - half, middle + half];
}

/** The next range towards what is needed, and whether it has further to go. */
export function settle(now: Range | null, need: Range | null, glide: boolean): { range: Range; gliding: boolean } {
  if (!need) return { range: now ?? [0, 1], gliding: false };
  const target = padded(need);
  if (!now) return { range: target, gliding: false };
  const span = now[1] - now[0];
  const inside = need[0] >= now[0] + span * 0.01 && need[1] <= now[1] - span * 0.01;
  if (inside && need[1] - need[0] > span * SLACK) return { range: now, gliding: false };
  if (!glide) return { range: target, gliding: false };
  const next: Range = [now[0] + (target[0] - now[0]) * PACE, now[1] + (target[1] - now[1]) * PACE];
  const left = Math.abs(target[0] - next[0]) + Math.abs(target[1] - next[1]);
  return left < (target[1] - target[0]) * 0.004 ? { range: target, gliding: false } : { range: next, gliding: true };
}
