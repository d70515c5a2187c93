/** The origin and the viewport, and how they move. */

import { UNAVAILABLE } from "../wire/messages";
import { anchor, type Bounds, follow, initialViewport, limit, type Viewport } from "./viewport";

/**
 * How the viewport moves with the origin: only as far as it must ("follow"), to the origin's usual place once that is
 * out of view ("anchor"), or by as many rows ("carry").
 */
export type MoveMode = "follow" | "anchor" | "carry";

/** The row of an index (<= 0; the newest is 0), kept within the series. */
export const rowOf = (index: number, rows: number): number =>
  Math.max(0, Math.min(rows - 1, rows - 1 + Math.round(index)));
/** The index of a row. */
export const indexOf = (row: number, rows: number): number => row - rows + 1;

/** The origin's row, and the rows in view. */
export class OriginState {
  row = 0;
  viewport: Viewport = { start: 0, span: 1 };
  /** -1 towards the past, 1 towards the newest, 0 at rest. */
  direction = 0;

  /** Shows the first origin, in a chart of some width in CSS pixels. */
  begin(row: number, width: number, bounds: Bounds): void {
    this.row = row;
    this.viewport = initialViewport(row, width, bounds);
  }

  /** Shows an origin of another series, or of one that has changed. */
  show(row: number, bounds: Bounds): void {
    this.row = row;
    this.viewport = anchor(this.viewport, row, bounds);
  }

  /** Moves the origin, and the viewport with it. */
  move(to: number, mode: MoveMode, bounds: Bounds): void {
    const row = Math.max(0, Math.min(bounds.rows - 1, to));
    if (row !== this.row) this.direction = Math.sign(row - this.row);
    const { start, span } = this.viewport;
    const from = mode === "carry" ? limit({ start: start + row - this.row, span }, bounds) : this.viewport;
    this.row = row;
    const next = follow(from, row, bounds);
    this.viewport = mode === "anchor" && next !== this.viewport ? anchor(this.viewport, row, bounds) : next;
  }

  /** The next row that can have a forecast; null at the end. */
  nextRow(status: Uint8Array): number | null {
    for (let row = this.row + 1; row < status.length; row++) if (status[row] !== UNAVAILABLE) return row;
    return null;
  }
}
