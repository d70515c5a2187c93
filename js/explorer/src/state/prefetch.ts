/** Which rows to request next: those in view, then their neighbourhood, further in the direction of travel. */

import { MAX_ROWS } from "../wire/messages";
import type { RowCache, RowSpan } from "./row-cache";

/** What is in view. */
export interface VisibleRows {
  series: number;
  /** The models shown; the main one first. */
  models: readonly number[];
  /** The origin's row. */
  row: number;
  /** -1 towards the past, 1 towards the newest, 0 at rest. */
  direction: number;
  /** How many rows the series has. */
  rows: number;
}

/** Rows to request. */
export interface NeededRows extends RowSpan {
  series: number;
  model: number;
  /** Whether there is nothing to draw for the origin in view. */
  urgent: boolean;
}

/** Chunks around the one in view, in order: itself, two ahead and one behind; at rest one either way. */
export function neighbourhood(direction: number): number[] {
  if (direction > 0) return [0, 1, 2, -1];
  if (direction < 0) return [0, -1, -2, 1];
  return [0, 1, -1];
}

/** The next rows to request, or null when the neighbourhood is complete. */
export function nextRows(cache: RowCache, visible: VisibleRows): NeededRows | null {
  const { series, row, rows } = visible;
  for (const offset of neighbourhood(visible.direction)) {
    for (const model of visible.models) {
      const size = cache.chunkRows(model);
      const start = (Math.floor(row / size) + offset) * size;
      if (start < 0 || start >= rows) continue;
      const span = cache.missing(series, model, offset === 0 ? row : start);
      if (!span) continue;
      const urgent = offset === 0 && !cache.has(series, model, row);
      return { series, model, ...withNextChunk(cache, visible, model, span, offset), urgent };
    }
  }
  return null;
}

/** A span together with the next chunk in the same direction, where they touch and fit one request. */
function withNextChunk(cache: RowCache, visible: VisibleRows, model: number, span: RowSpan, offset: number): RowSpan {
  const size = cache.chunkRows(model);
  const ahead = visible.direction < 0 || (visible.direction === 0 && offset < 0) ? -1 : 1;
  // The chunk in view comes alone, so that it comes soon.
  if (offset === 0 || span.count < size) return span;
  const start = span.first + ahead * size;
  if (start < 0 || start >= visible.rows) return span;
  const next = cache.missing(visible.series, model, start);
  const touches = next && (ahead > 0 ? next.first === span.first + span.count : next.first + next.count === span.first);
  if (!touches || span.count + next.count > MAX_ROWS || Math.abs(offset) >= 2) return span;
  return { first: Math.min(span.first, next.first), count: span.count + next.count };
}
