/** Cells of origins, one each or several together: what they tell and how they are painted. */

import { SCORED, INFERRED, UNAVAILABLE, UNSCORED, PENDING } from "./protocol";
import type { Standing } from "./store";
import { HEATS, type Palette } from "./theme";

export interface Cell {
  /** The furthest any of its origins has come; unavailable only where all are. */
  status: number;
  /** The worst score, NaN where none is known. */
  score: number;
  /** The mean score: what colours the cell, for of many origins one is always bad. */
  mean: number;
  /** The row to jump to: the worst, or the first. */
  row: number;
  count: number;
}

/** The origins from `from` up to and without `to` as one cell. */
export function cell(standing: Standing, from: number, to: number): Cell {
  let status = UNAVAILABLE;
  let score = NaN;
  let row = from;
  let sum = 0;
  let known = 0;
  for (let i = from; i < to; i++) {
    const s = standing.status[i];
    if (s !== UNAVAILABLE && (status === UNAVAILABLE || s > status)) {
      status = s;
      if (Number.isNaN(score)) row = i;
    }
    const v = standing.score[i];
    if (!Number.isFinite(v)) continue;
    sum += v;
    known++;
    if (!(v <= score)) [score, row] = [v, i];
  }
  return { status, score, mean: sum / known, row, count: to - from };
}

/** Origins a cell, so that one is at least `least` px wide; powers of two, so that zooming keeps cells together. */
export function grouping(pitch: number, least: number): number {
  return pitch >= least ? 1 : 2 ** Math.ceil(Math.log2(least / Math.max(pitch, 1e-9)));
}

/** Where a score stands on the scale of colours, 0 (best) .. HEATS - 1. */
export function heat(score: number, scale: [number, number]): number {
  const at = (score - scale[0]) / (scale[1] - scale[0]);
  return Math.max(0, Math.min(HEATS - 1, Math.round(at * (HEATS - 1))));
}

/** Paints a cell; how tall it is tells how far it has come, so that colour is not the only sign. */
export function fill(
  ctx: CanvasRenderingContext2D, c: Cell, scale: [number, number] | null, p: Palette,
  x: number, y: number, width: number, height: number,
): void {
  switch (c.status) {
    case SCORED:
      ctx.fillStyle = scale && Number.isFinite(c.mean) ? p.heat[heat(c.mean, scale)] : p.bands[0];
      ctx.fillRect(x, y, width, height);
      break;
    case UNSCORED:
    case INFERRED:
      ctx.fillStyle = p.bands[1];
      ctx.fillRect(x, y + height * 0.5, width, height * 0.5);
      break;
    case PENDING:
      ctx.fillStyle = p.rule;
      ctx.fillRect(x, y + height - 1.5, width, 1.5);
      break;
    default:
      // Unavailable: crossed out.
      ctx.fillStyle = p.rule;
      ctx.fillRect(x, y + height / 2 - 0.5, width, 1);
  }
}
