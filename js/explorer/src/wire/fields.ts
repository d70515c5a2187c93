/** Fields that several messages have: buffers, and the rows that they are about. */

import { type Fields, fail, integer } from "../../../common/src/check";
import type { MetaMessage } from "./messages";

export const MAX_SERIES_ROWS = 50_000_000;

/** The bytes of a buffer, copied: views may start anywhere, typed arrays only at multiples of their width. */
export function aligned(buffer: unknown): ArrayBuffer {
  if (buffer instanceof ArrayBuffer) return buffer;
  if (ArrayBuffer.isView(buffer)) {
    const copy = new Uint8Array(buffer.byteLength);
    copy.set(new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength));
    return copy.buffer;
  }
  return fail("a buffer is not binary");
}

/** A buffer of a given length, at one position. */
export function bytes(buffers: readonly unknown[], position: number, length: number, name: string): ArrayBuffer {
  const buffer = aligned(buffers[position]);
  if (buffer.byteLength !== length) fail(`${name} has ${buffer.byteLength} bytes, not ${length}`);
  return buffer;
}

/** Series, model, first and count of a message, within the bounds of the meta message. */
export function range(m: Fields, meta: MetaMessage): { series: number; model: number; first: number; count: number } {
  const series = integer(m.series, "series", 0, meta.series.length - 1);
  const model = integer(m.model, "model", 0, meta.models.length - 1);
  const rows = meta.series[series].rows;
  const first = integer(m.first, "first", 0, rows);
  return { series, model, first, count: integer(m.count, "count", 0, rows - first) };
}
