/** Arrays of a series that grows: appending costs what is new, not a copy of the whole. */

import type { ExtendMessage, HistoryMessage } from "../wire/messages";
import type { History } from "./selection";

type Numbers = Uint8Array | Float32Array | Float64Array;

/** An array with the first `kept` values of another one and room for `length`, those that are new filled with `fill`. */
export function grown<T extends Numbers>(array: T, kept: number, length: number, fill: number): T {
  const width = array.BYTES_PER_ELEMENT;
  const make = array.constructor as { new (buffer: ArrayBuffer, offset: number, length: number): T };
  const has_room = array.byteOffset === 0 && array.buffer.byteLength >= length * width;
  // A quarter more than is needed: of n rows that come one by one, each is copied a few times only.
  const room = has_room ? 0 : Math.ceil(length * 1.25) + 64;
  const buffer = has_room ? (array.buffer as ArrayBuffer) : new ArrayBuffer(room * width);
  const longer = new make(buffer, 0, length);
  if (!has_room) longer.set(array.subarray(0, kept));
  longer.fill(fill, kept);
  return longer;
}

/** The observations of a series with the rows that are new or different; it shares memory with the one before. */
export function extended(history: History, { rows, first, time, value, covariates }: ExtendMessage): History {
  const horizon = time.length - value.length;
  const times = grown(history.time, first, rows + horizon, NaN);
  const values = grown(history.value, first, rows, NaN);
  times.set(time, first);
  values.set(value, first);
  let { low, high } = history;
  for (const v of value) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return {
    time: times,
    value: values,
    covariates: extendedStrips(history, covariates, rows + horizon, first),
    low,
    high,
    origin: history.origin,
    changed: first,
    overview: history.overview,
    windows: history.windows,
  };
}

/** Covariates lie one after the other, so that a longer history moves all but the first. */
function extendedStrips(history: History, added: Float64Array, length: number, first: number): Float64Array {
  const before = history.time.length;
  const count = history.covariates.length / before;
  if (!count) return history.covariates;
  const strips = new Float64Array(count * length).fill(NaN);
  const width = added.length / count;
  for (let c = 0; c < count; c++) {
    strips.set(history.covariates.subarray(c * before, c * before + first), c * length);
    strips.set(added.subarray(c * width, (c + 1) * width), c * length + first);
  }
  return strips;
}

/** A history that has come whole. */
export function withRange({ time, value, covariates }: HistoryMessage): History {
  const origin = {};
  let low = Infinity;
  let high = -Infinity;
  for (const v of value) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return high >= low
    ? { time, value, covariates, low, high, origin, changed: 0, overview: null, windows: null }
    : { time, value, covariates, low: 0, high: 1, origin, changed: 0, overview: null, windows: null };
}
