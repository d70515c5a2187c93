/** The strip under the axis: a cell an origin of the visible window, several to a cell where they are many. */

import { cell, fill, grouping, type Cell } from "./cells";
import { h, Layer } from "../../common/src/dom";
import type { Standing } from "./store";
import type { Palette } from "./theme";
import type { Window } from "./window";

const TALL = 14;

export class Strip {
  readonly el = h("div", { class: "nbf-strip" });
  private readonly layer = new Layer("nbf-cells");
  private group = 1;

  constructor() {
    this.el.append(this.layer.canvas);
  }

  /** `x` gives the place of a row in pixels; cells end half way to the next row. */
  draw(
    width: number, left: number, right: number, w: Window, x: (row: number) => number,
    row: number, standing: Standing, palette: Palette,
  ): void {
    this.layer.resize(width, TALL + 8);
    const ctx = this.layer.begin();
    if (!ctx) return;
    const pitch = (right - left) / w.span;
    this.group = grouping(pitch, 3);
    const rows = standing.status.length;
    const scale = standing.scale();
    const gap = pitch * this.group > 5 ? 1 : 0;
    const last = Math.min(rows, Math.ceil(w.start + w.span) + 1);
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, 0, right - left, TALL + 8);
    ctx.clip();
    const first = Math.max(0, Math.floor(w.start));
    for (let from = first - (first % this.group); from < last; from += this.group) {
      const to = Math.min(from + this.group, rows);
      const at = x(from - 0.5);
      fill(ctx, cell(standing, from, to), scale, palette, at, 4, Math.max(x(to - 0.5) - at - gap, 0.5), TALL);
    }
    const from = row - (row % this.group);
    const at = x(from - 0.5) - 1;
    const wide = Math.max(x(Math.min(from + this.group, rows) - 0.5) - at - gap + 1, 4);
    ctx.strokeStyle = palette.bg;
    ctx.lineWidth = 4;
    ctx.strokeRect(at, 3, wide, TALL + 2);
    ctx.strokeStyle = palette.accent;
    ctx.lineWidth = 2;
    ctx.strokeRect(at, 3, wide, TALL + 2);
    ctx.restore();
  }

  /** The cell a row lies in. */
  cellOf(standing: Standing, row: number): Cell | null {
    const from = row - (row % this.group);
    const rows = standing.status.length;
    return row < 0 || row >= rows ? null : cell(standing, from, Math.min(from + this.group, rows));
  }
}
