/** Checks of what a message holds: nothing from a kernel is used before it has passed one. */

const MOST_TEXT = 2_000;

/** Why a message was refused. */
export class Malformed extends Error {}

export type Fields = Record<string, unknown>;

export function fail(what: string): never {
  throw new Malformed(what);
}

export function record(value: unknown, name: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(`${name} is not an object`);
  return value as Fields;
}

export function integer(value: unknown, name: string, low: number, high: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < low || value > high) {
    fail(`${name} is not an integer from ${low} to ${high}`);
  }
  return value;
}

export function text(value: unknown, name: string): string {
  if (typeof value !== "string") fail(`${name} is not text`);
  return value.length > MOST_TEXT ? `${value.slice(0, MOST_TEXT)}…` : value;
}

export function list(value: unknown, name: string, most: number): unknown[] {
  if (!Array.isArray(value) || value.length > most) fail(`${name} is not a list of at most ${most}`);
  return value;
}

export function finite(value: unknown, name: string): number {
  if (typeof value !== "number" || !Number.isFinite(value)) fail(`${name} is not a number`);
  return value;
}

/** A number, or null for null, absent and infinite ones. */
export function maybe(value: unknown, name: string): number | null {
  if (value === null || value === undefined) return null;
  if (typeof value !== "number") fail(`${name} is not a number`);
  return Number.isFinite(value) ? value : null;
}

export function flag(value: unknown, name: string): boolean {
  if (typeof value !== "boolean") fail(`${name} is not true or false`);
  return value;
}
