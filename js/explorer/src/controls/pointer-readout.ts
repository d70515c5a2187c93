/** What is under the pointer, read out beside the legend: values of the chart, and origins of the strip. */

import { h, setText } from "../../../common/src/dom";
import { decimal, distinctNumbers, integer, score } from "../../../common/src/format";
import { covariatesOf, covariateText } from "../drawing/covariate-strips";
import type { Cell } from "../drawing/heatmap-cells";
import { indexOf } from "../state/origin-state";
import { ENDS } from "../state/quantiles";
import type { Selection } from "../state/selection";
import { PENDING, SCORED, UNAVAILABLE } from "../wire/messages";
import { statusText } from "./origin-scores";
import { oddLines } from "./surprise-text";

/** The median and the ends of the bands that are read out, the innermost first, by their places among the quantiles. */
const READ = [3, 2, 4, 1, 5, 0, 6];

/** Where the values under the pointer are read out, beside the legend and never over the fan, and a line at their time. */
export class Readout {
  readonly el = h("div", { class: "nbf-readout", "aria-hidden": "true" });
  readonly line = h("div", { class: "nbf-cross", hidden: true });

  constructor() {
    this.hide();
  }

  /** The lines that are read out; none where the pointer is elsewhere. */
  get lines(): string[] {
    return this.el.classList.contains("nbf-idle") ? [] : [...this.el.children].map((el) => el.textContent ?? "");
  }

  /** Reads out lines on a row whose place is `x`, in pixels of the chart. */
  show(x: number, lines: string[]): void {
    this.el.classList.remove("nbf-idle");
    while (this.el.children.length > lines.length) this.el.lastChild?.remove();
    while (this.el.children.length < lines.length) this.el.append(h("span"));
    lines.forEach((line, i) => setText(this.el.children[i], line));
    this.line.hidden = false;
    this.line.style.transform = `translateX(${Math.round(x)}px)`;
  }

  hide(): void {
    this.line.hidden = true;
    if (this.el.classList.contains("nbf-idle")) return;
    this.el.classList.add("nbf-idle");
    this.el.replaceChildren(h("span", {}, "Click: origin there · drag: zoom · ? for keys"));
  }
}

/** Lines on a cell of the strip: time, index, and the score or why there is none. */
export function cellText(s: Selection, cell: Cell): string[] {
  const isScored = Number.isFinite(cell.score);
  const state = isScored
    ? `CRPS ${score(cell.score)}`
    : cell.status === UNAVAILABLE
      ? statusText(s.meta, s.statuses[0], cell.row, false, s.gone)
      : cell.status === PENDING
        ? "pending"
        : cell.status === SCORED
          ? "nothing observed to score by"
          : "not scored yet";
  const lines = [s.calendar.text(s.history.time[cell.row]), `index ${integer(indexOf(cell.row, s.rows))} · ${state}`];
  return isScored && cell.count > 1
    ? [...lines, `the worst of ${cell.count} origins; mean ${score(cell.mean)}`]
    : lines;
}

/** Lines on a row of the zoomed view: time, observation, the forecasts of it, and covariates. */
export function rowText(s: Selection, row: number, isTotal = false): string[] {
  const { time, value } = s.history;
  const from = (row - s.row - 1) * ENDS;
  const isAhead = from >= 0 && row - s.row <= s.meta.horizon;
  const forecasts = s.forecasts.map((f) => (isAhead && f?.filled ? READ.map((k) => decimal(f.ends[from + k])) : []));
  const [observed, ...texts] = distinctNumbers([value[row] ?? NaN, ...forecasts.flat()], 4);
  const lines = [s.calendar.text(time[row])];
  if (Number.isFinite(value[row])) lines.push(isTotal ? `observed so far ${observed}` : `observed ${observed}`);
  forecasts.forEach((numbers, i) => {
    const [middle, ...ends] = texts.splice(0, numbers.length);
    if (!numbers.length) return;
    const name = s.models.length > 1 ? s.meta.models[s.models[i]].name : "median";
    const bands = [50, 80, 95].map((coverage, k) => `${coverage} % ${ends[2 * k]} to ${ends[2 * k + 1]}`);
    lines.push([`${name} ${middle}`, ...bands].join(" · "));
  });
  if (!isTotal) lines.push(...oddLines(s, row));
  for (const { info, values } of covariatesOf(s)) lines.push(covariateText(info, values[row]));
  return lines.filter(Boolean);
}
