/** Which rows to ask for next: what is looked at, then the neighbourhood, further in the direction of travel. */

import { MOST_WANTED } from "./protocol";
import type { RowCache, Span } from "./rows";

export interface Look {
  series: number;
  /** The models shown; the main one first. */
  models: readonly number[];
  row: number;
  /** -1 towards the past, 1 towards the newest, 0 at rest. */
  direction: number;
  rows: number;
}

export interface Want extends Span {
  series: number;
  model: number;
  /** Nothing is there to draw for the origin looked at. */
  urgent: boolean;
}

/** Chunks around the one looked at, in order: itself, two ahead and one behind; at rest one either way. */
export function neighbourhood(direction: number): number[] {
  if (direction > 0) return [0, 1, 2, -1];
  if (direction < 0) return [0, -1, -2, 1];
  return [0, 1, -1];
}

/** The next span to ask for, or null when the neighbourhood is complete. */
export function nextWant(cache: RowCache, look: Look): Want | null {
  const { series, row, rows } = look;
  for (const offset of neighbourhood(look.direction)) {
    for (const model of look.models) {
      const size = cache.size(model);
      const at = (Math.floor(row / size) + offset) * size;
      if (at < 0 || at >= rows) continue;
      const span = cache.missing(series, model, offset === 0 ? row : at);
      if (!span) continue;
      const urgent = offset === 0 && cache.absent(series, model, row);
      return { series, model, ...grown(cache, look, model, span, offset), urgent };
    }
  }
  return null;
}

/** A span and the next chunk in the same direction, where they touch and fit one request. */
function grown(cache: RowCache, look: Look, model: number, span: Span, offset: number): Span {
  const size = cache.size(model);
  const ahead = look.direction < 0 || (look.direction === 0 && offset < 0) ? -1 : 1;
  // The chunk looked at comes alone, so that it comes soon.
  if (offset === 0 || span.count < size) return span;
  const at = span.first + ahead * size;
  if (at < 0 || at >= look.rows) return span;
  const other = cache.missing(look.series, model, at);
  const joins = other && (ahead > 0 ? other.first === span.first + span.count : other.first + other.count === span.first);
  if (!joins || span.count + other.count > MOST_WANTED || Math.abs(offset) >= 2) return span;
  return { first: Math.min(span.first, other.first), count: span.count + other.count };
}
