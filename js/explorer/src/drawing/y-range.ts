/** The range of the value axis: it widens when it must, narrows only when much is empty, and glides there. Pure arithmetic. */

/** The lowest and the highest value of the axis. */
export type YRange = [number, number];

const PAD = 0.07;
/** Share of the axis in use below which it narrows. */
const SLACK = 0.5;
/** Share of the way that a frame glides. */
const SPEED = 0.3;

/** A range with some space around it. */
export function padded([low, high]: YRange): YRange {
  const span = high - low || Math.max(Math.abs(high) * 0.1, 1e-9);
  const middle = (low + high) / 2;
  const half = (span / 2) * (1 + 2 * PAD);
  return [middle - half, middle + half];
}

/** The next range on the way to the one that is needed, and whether there is further to go. */
export function nextRange(
  now: YRange | null,
  need: YRange | null,
  glide: boolean,
): { range: YRange; gliding: boolean } {
  if (!need) return { range: now ?? [0, 1], gliding: false };
  const target = padded(need);
  if (!now) return { range: target, gliding: false };
  const span = now[1] - now[0];
  const isInside = need[0] >= now[0] + span * 0.01 && need[1] <= now[1] - span * 0.01;
  if (isInside && need[1] - need[0] > span * SLACK) return { range: now, gliding: false };
  if (!glide) return { range: target, gliding: false };
  const next: YRange = [now[0] + (target[0] - now[0]) * SPEED, now[1] + (target[1] - now[1]) * SPEED];
  const distance = Math.abs(target[0] - next[0]) + Math.abs(target[1] - next[1]);
  return distance < (target[1] - target[0]) * 0.004
    ? { range: target, gliding: false }
    : { range: next, gliding: true };
}
