/** Odd observations and changes in words. */

import { h } from "../../../common/src/dom";
import { ahead, distinctNumbers, integer, percent, plural } from "../../../common/src/format";
import type { Selection } from "../state/selection";
import type { Change, Surprise, Surprises } from "../state/surprises";
import { MISSING } from "../wire/messages";

/** The kinds, and the shapes of their marks, by their codes. */
const KINDS = [
  "odd, of a kind not decided yet",
  "spike",
  "shift of level",
  "change of spread",
  "missing rhythm",
  "missing data",
];
const SHAPES = ["△", "▲", "■", "◆", "●", "✕"];
const DIRECTIONS = ["higher than forecast", "lower than forecast", "less predictable", "more predictable"];

/** A probability: 0.3 %. */
const likely = (p: number): string => `${Number((p * 100).toPrecision(2))} %`;

/** How far ahead an observation was odd already: "odd already 1 h ahead". */
function leadText({ lead }: Surprise, s: Selection): string {
  if (lead >= s.meta.horizon && lead > 1) return "odd at every horizon";
  const text = ahead(lead, s.meta.step);
  return `odd already ${s.meta.step === null ? plural(lead, "step") : text.slice(1)} ahead`;
}

/** Lines on an odd observation: what it is and how probable, and what was expected. */
export function surpriseLines(surprise: Surprise, s: Selection): string[] {
  const { what, p, expected, low, high } = surprise;
  const chance = `${KINDS[what]} · ${likely(p)} likely`;
  if (what === MISSING || !Number.isFinite(expected)) return [chance];
  const lines = [`${chance} · ${leadText(surprise, s)}`];
  const [middle, least, most] = distinctNumbers([expected, low, high], 4);
  return [...lines, `expected ${middle} · ${percent(1 - (s.surprises?.rate ?? 0), 0)} ${least} to ${most}`];
}

/** A change in words. */
export function changeLine(change: Change, s: Selection): string {
  return `change: ${DIRECTIONS[change.direction]}, since ${s.calendar.text(s.history.time[change.since], true)}`;
}

/** What is odd in a row, and what changes there; nothing in most. */
export function oddLines(s: Selection, row: number): string[] {
  const surprise = s.surprises?.strangest(row, row + 1);
  const change = s.surprises?.changeAt(row);
  return [...(surprise ? surpriseLines(surprise, s) : []), ...(change ? [changeLine(change, s)] : [])];
}

/** The strangest observation of the horizon in a sentence for screen readers; empty where none is odd. */
export function oddSentence(s: Selection): string {
  const surprise = s.surprises?.strangest(s.row + 1, s.row + 1 + s.meta.horizon);
  if (!surprise) return "";
  return ` Surprise: ${s.calendar.text(s.history.time[surprise.row])}, ${surpriseLines(surprise, s)[0].replaceAll(" · ", ", ")}.`;
}

/** The rows of the card: how many observations are odd, in how many events, and how many changes there are. */
export function surpriseRows(surprises: Surprises, s: Selection): [string, string][] {
  const observed = s.history.value.reduce((n, v) => n + (Number.isFinite(v) ? 1 : 0), 0);
  const odd = surprises.all.length;
  return [
    ["Observations", integer(odd)],
    [`Share (rate ${percent(surprises.rate, 0)})`, percent(observed ? odd / observed : NaN)],
    ["Events", integer(surprises.events)],
    ["Changes", integer(surprises.changes.length)],
  ];
}

/** The legend of the marks: the kinds that there are. */
export function oddLegend(surprises: Surprises | null): HTMLElement[] {
  const kinds = [...new Set(surprises?.all.map((s) => s.what))].sort();
  const mark = (shape: string, text: string): HTMLElement =>
    h("span", {}, h("i", { class: "nbf-odd", "aria-hidden": "true" }, shape), text);
  const items = kinds.map((what) => mark(SHAPES[what], what ? KINDS[what] : "not decided yet"));
  return surprises?.changes.length ? [...items, mark("┆", "change")] : items;
}
