/** Checks of the fields of messages: nothing from a kernel is used before it has passed one. */

/** Longer texts are cut. */
const MAX_TEXT = 2_000;

/** A message that is not in the schema; the text says why. */
export class Malformed extends Error {}

export type Fields = Record<string, unknown>;

/** Throws `Malformed`. */
export function fail(reason: string): never {
  throw new Malformed(reason);
}

/** An object. */
export function record(value: unknown, name: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(`${name} is not an object`);
  return value as Fields;
}

/** An integer between two, both included. */
export function integer(value: unknown, name: string, low: number, high: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < low || value > high) {
    fail(`${name} is not an integer from ${low} to ${high}`);
  }
  return value;
}

/** A text, cut where it is very long. */
export function text(value: unknown, name: string): string {
  if (typeof value !== "string") fail(`${name} is not text`);
  return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value;
}

/** A list of at most `max` items. */
export function list(value: unknown, name: string, max: number): unknown[] {
  if (!Array.isArray(value) || value.length > max) fail(`${name} is not a list of at most ${max}`);
  return value;
}

/** A finite number. */
export function finite(value: unknown, name: string): number {
  if (typeof value !== "number" || !Number.isFinite(value)) fail(`${name} is not a number`);
  return value;
}

/** A number, or null for one that is null, missing or infinite. */
export function maybe(value: unknown, name: string): number | null {
  if (value === null || value === undefined) return null;
  if (typeof value !== "number") fail(`${name} is not a number`);
  return Number.isFinite(value) ? value : null;
}

/** True or false. */
export function flag(value: unknown, name: string): boolean {
  if (typeof value !== "boolean") fail(`${name} is not true or false`);
  return value;
}
