/** The origins that are selected: where they are on the strip, and their scores in words. */

import { h, setText, suppressShortcuts } from "../../../common/src/dom";
import { number, plural, score } from "../../../common/src/format";
import type { Selection } from "../state/selection";

interface Mean {
  mean: number;
  count: number;
}

/** The mean of the numbers that are known. */
export function meanOf(scores: Float32Array): Mean {
  let [sum, count] = [0, 0];
  for (const v of scores) {
    if (!Number.isFinite(v)) continue;
    sum += v;
    count++;
  }
  return { mean: sum / count, count };
}

/** The row of the largest number; null where none is known. */
function worstRow(scores: Float32Array, first: number, last: number): number | null {
  let worst: number | null = null;
  for (let row = first; row <= last; row++) {
    if (scores[row] > (worst === null ? -Infinity : scores[worst])) worst = row;
  }
  return worst;
}

/** The scores of the selected origins in words. */
export function selectedText(s: Selection, [first, last]: readonly [number, number]): string[] {
  const { time } = s.history;
  const means = s.statuses.map((status) => meanOf(status.score.subarray(first, last + 1)));
  const [{ mean, count }] = means;
  const origins = plural(last - first + 1, "origin");
  const stretch =
    first === last ? s.calendar.text(time[first]) : `${s.calendar.text(time[first])} to ${s.calendar.text(time[last])}`;
  if (!count) return [stretch, `${origins}, none scored`];
  const all = meanOf(s.statuses[0].score).mean;
  const ratio = all > 0 ? `, ${number(mean / all, 2)} times that of all` : "";
  const others = means.slice(1).map((m, i) => `${s.meta.models[s.models[i + 1]].name} ${score(m.mean)}`);
  return [
    stretch,
    count === last - first + 1 ? origins : `${count} of ${origins} scored`,
    `CRPS ${others.length ? `${s.meta.models[s.models[0]].name} ` : ""}${score(mean)}${others.length ? "" : ratio}`,
    ...others,
  ];
}

/** The line under the strip. */
export class SelectedOrigins {
  readonly el = h("div", { class: "nbf-stretch", role: "status", hidden: true });
  readonly mark = h("div", { class: "nbf-selected", hidden: true });
  readonly #text = h("span");
  #worst: number | null = null;

  constructor(jumpTo: (row: number) => void, clear: () => void, signal: AbortSignal) {
    const button = (text: string, title: string, act: () => void): HTMLButtonElement => {
      const el = suppressShortcuts(h("button", { type: "button", class: "nbf-button nbf-back", title }, text));
      el.addEventListener("click", act, { signal });
      return el;
    };
    this.el.append(
      this.#text,
      button("Its worst", "The worst of the selected origins", () => this.#worst !== null && jumpTo(this.#worst)),
      button("Clear", "Select no origins (Esc)", clear),
    );
  }

  /** Shows the selection; `x` gives the place of a row in pixels of the strip. */
  show(s: Selection, x: (row: number) => number, left: number, right: number): void {
    const { selected } = s;
    this.el.hidden = this.mark.hidden = selected === null;
    if (!selected) return;
    const [from, to] = [Math.max(left, x(selected[0] - 0.5)), Math.min(right, x(selected[1] + 0.5))];
    this.mark.hidden = to <= from;
    this.mark.style.left = `${from}px`;
    this.mark.style.width = `${Math.max(0, to - from)}px`;
    this.#worst = worstRow(s.statuses[0].score, ...selected);
    setText(this.#text, ["Selected", ...selectedText(s, selected)].join(" · ").replace(" · ", ": "));
  }
}
