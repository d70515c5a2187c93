/** Where the origin and the window are, and how they move. Knows no elements. */

import { UNAVAILABLE } from "./protocol";
import { anchored, first, fitted, following, type Bounds, type Window } from "./window";

/** The window stays while it can, shows the origin at its usual place once it is out, or goes along with it. */
export type How = "follow" | "anchor" | "carry";

export class Position {
  row = 0;
  window: Window = { start: 0, span: 1 };
  /** -1 towards the past, 1 towards the newest, 0 at rest. */
  direction = 0;

  /** The first origin to show, in a view of some width. */
  begin(row: number, width: number, bounds: Bounds): void {
    this.row = row;
    this.window = first(row, width, bounds);
  }

  /** Another series, or one that has changed: the same place in it. */
  move(row: number, bounds: Bounds): void {
    this.row = row;
    this.window = anchored(this.window, row, bounds);
  }

  /** The origin to a row, and the window as told. */
  go(to: number, how: How, bounds: Bounds): void {
    const row = Math.max(0, Math.min(bounds.rows - 1, to));
    if (row !== this.row) this.direction = Math.sign(row - this.row);
    const { start, span } = this.window;
    const from = how === "carry" ? fitted({ start: start + row - this.row, span }, bounds) : this.window;
    this.row = row;
    const followed = following(from, row, bounds);
    this.window = how === "anchor" && followed !== this.window ? anchored(this.window, row, bounds) : followed;
  }

  /** The next row that can have a forecast; null at the end. */
  next(status: Uint8Array): number | null {
    for (let row = this.row + 1; row < status.length; row++) if (status[row] !== UNAVAILABLE) return row;
    return null;
  }
}
