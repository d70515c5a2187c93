/** Cells of one or several origins: their summary and their painting. */

import type { OriginStatus } from "../state/origin-status";
import { INFERRED, PENDING, SCORED, UNAVAILABLE, UNSCORED } from "../wire/messages";
import { HEATS, type Palette } from "./theme";

/** One or more neighbouring origins. */
export interface Cell {
  /** The furthest that any of its origins has come; unavailable only where all are. */
  status: number;
  /** The worst score; NaN where none is known. */
  score: number;
  /** The mean score, which gives the colour: of many origins one is always bad. */
  mean: number;
  /** The row to jump to: the worst one, or the first. */
  row: number;
  count: number;
}

/** The origins from `from` up to and without `to` as one cell. */
export function summarise(origins: OriginStatus, from: number, to: number): Cell {
  let status = UNAVAILABLE;
  let score = NaN;
  let row = from;
  let sum = 0;
  let scored = 0;
  for (let i = from; i < to; i++) {
    const s = origins.status[i];
    if (s !== UNAVAILABLE && (status === UNAVAILABLE || s > status)) {
      status = s;
      if (Number.isNaN(score)) row = i;
    }
    const v = origins.score[i];
    if (!Number.isFinite(v)) continue;
    sum += v;
    scored++;
    if (!(v <= score)) [score, row] = [v, i];
  }
  return { status, score, mean: sum / scored, row, count: to - from };
}

/** Origins in a cell that is at least `least` px wide; powers of two, so that zooming keeps cells together. */
export function rowsPerCell(pitch: number, least: number): number {
  return pitch >= least ? 1 : 2 ** Math.ceil(Math.log2(least / Math.max(pitch, 1e-9)));
}

/** The colour of a score on a scale: 0 (best) .. HEATS - 1. */
export function heat(score: number, scale: [number, number]): number {
  const share = (score - scale[0]) / (scale[1] - scale[0]);
  return Math.max(0, Math.min(HEATS - 1, Math.round(share * (HEATS - 1))));
}

/** Paints a cell; its height shows how far it has come, so that colour is not the only sign. */
export function paintCell(
  ctx: CanvasRenderingContext2D,
  c: Cell,
  scale: [number, number] | null,
  p: Palette,
  x: number,
  y: number,
  width: number,
  height: number,
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
