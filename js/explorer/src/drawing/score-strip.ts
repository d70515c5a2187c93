/** The strip under the axis: a cell for each origin in view, or for several where they are many. */

import { h, Layer } from "../../../common/src/dom";
import type { OriginStatus } from "../state/origin-status";
import type { Surprise, Surprises } from "../state/surprises";
import type { Viewport } from "../state/viewport";
import { type Cell, paintCell, rowsPerCell, summarise } from "./heatmap-cells";
import { LANE, paintLane } from "./odd-marks";
import type { Palette } from "./theme";

const TALL = 14;
/** The height of the lane that shows which model was better, and the gap above it. */
const DUEL = 6;
const DUEL_GAP = 3;
/** The top of the cells, px; the marks of odd observations are above. */
const TOP = LANE + 4;
/** How near to a mark the pointer takes it, px. */
const REACH = 5;

/** A model drawn over the main one. */
export interface Rival {
  origins: OriginStatus;
  colour: string;
}

/** Fills a cell of the lane with the colour of the model whose scores are the best there, paler where it wins by little. */
function paintBest(
  ctx: CanvasRenderingContext2D,
  rivals: readonly Rival[],
  from: number,
  to: number,
  left: number,
  top: number,
  wide: number,
): void {
  const means = rivals.map(({ origins }) => summarise(origins, from, to).mean);
  if (!means.every(Number.isFinite)) return;
  const [best, second] = [...means].sort((a, b) => a - b);
  if (!(second > best)) return;
  ctx.globalAlpha = Math.min(1, 0.25 + (1.5 * (second - best)) / second);
  ctx.fillStyle = rivals[means.indexOf(best)].colour;
  ctx.fillRect(left, top, wide, DUEL);
  ctx.globalAlpha = 1;
}

/** The strip. */
export class ScoreStrip {
  readonly el = h("div", { class: "nbf-strip" });
  readonly #layer = new Layer("nbf-cells");
  #rowsPerCell = 1;

  constructor() {
    this.el.append(this.#layer.canvas);
  }

  /** Draws the strip; `x` gives the place of a row in pixels, and cells end half way to the next row. */
  draw(
    width: number,
    left: number,
    right: number,
    viewport: Viewport,
    x: (row: number) => number,
    row: number,
    origins: OriginStatus,
    surprises: Surprises | null,
    value: Float64Array,
    palette: Palette,
    rivals: readonly Rival[],
  ): void {
    const duel = TOP + TALL + 2 + DUEL_GAP;
    const tall = rivals.length ? duel + DUEL + 1 : TOP + TALL + 4;
    this.el.style.height = `${tall}px`;
    this.#layer.resize(width, tall);
    const ctx = this.#layer.begin();
    if (!ctx) return;
    const pitch = (right - left) / viewport.span;
    this.#rowsPerCell = rowsPerCell(pitch, 3);
    const rows = origins.status.length;
    const scale = origins.scale();
    const gap = pitch * this.#rowsPerCell > 5 ? 1 : 0;
    const last = Math.min(rows, Math.ceil(viewport.start + viewport.span) + 1);
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, 0, right - left, tall);
    ctx.clip();
    const first = Math.max(0, Math.floor(viewport.start));
    for (let from = first - (first % this.#rowsPerCell); from < last; from += this.#rowsPerCell) {
      const to = Math.min(from + this.#rowsPerCell, rows);
      const left = x(from - 0.5);
      const cell = summarise(origins, from, to);
      const wide = Math.max(x(to - 0.5) - left - gap, 0.5);
      paintCell(ctx, cell, scale, palette, left, TOP, wide, TALL);
      if (rivals.length) paintBest(ctx, [{ origins, colour: palette.median }, ...rivals], from, to, left, duel, wide);
    }
    const from = row - (row % this.#rowsPerCell);
    const start = x(from - 0.5) - 1;
    const wide = Math.max(x(Math.min(from + this.#rowsPerCell, rows) - 0.5) - start - gap + 1, 4);
    ctx.strokeStyle = palette.bg;
    ctx.lineWidth = 4;
    ctx.strokeRect(start, TOP - 1, wide, TALL + 2);
    ctx.strokeStyle = palette.accent;
    ctx.lineWidth = 2;
    ctx.strokeRect(start, TOP - 1, wide, TALL + 2);
    if (surprises) {
      const odd = surprises.between(first, last);
      paintLane(ctx, odd, surprises.changesBetween(first, last), value, x, LANE / 2, width, palette);
    }
    ctx.restore();
  }

  /** The strangest observation whose mark is at a place, in pixels of the element; null beside all marks. */
  surpriseAt(surprises: Surprises | null, row: number, x: (row: number) => number, y: number): Surprise | null {
    if (!surprises || y >= TOP - 1) return null;
    const rows = Math.ceil(REACH / Math.max(x(row + 1) - x(row), 1e-9));
    return surprises.strangest(row - rows, row + rows + 1);
  }

  /** The cell a row lies in. */
  cellOf(origins: OriginStatus, row: number): Cell | null {
    const from = row - (row % this.#rowsPerCell);
    const rows = origins.status.length;
    return row < 0 || row >= rows ? null : summarise(origins, from, Math.min(from + this.#rowsPerCell, rows));
  }
}
