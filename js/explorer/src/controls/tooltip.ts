/** A small box of lines beside the pointer: what hovering over the charts describes. */

import { h, setText } from "../../../common/src/dom";
import { decimal, distinctNumbers, integer, score } from "../../../common/src/format";
import { covariatesOf, covariateText } from "../drawing/covariate-strips";
import type { Cell } from "../drawing/heatmap-cells";
import { indexOf } from "../state/origin-state";
import { ENDS } from "../state/quantiles";
import type { Selection } from "../state/selection";
import { PENDING, SCORED, UNAVAILABLE } from "../wire/messages";
import { statusText } from "./origin-scores";

/** The box, kept within its parent. */
export class Tooltip {
  readonly el = h("div", { class: "nbf-tip", hidden: true, "aria-hidden": "true" });

  /** Shows lines beside a place in the parent's pixels. */
  show(x: number, y: number, lines: string[]): void {
    this.el.hidden = false;
    while (this.el.children.length > lines.length) this.el.lastChild?.remove();
    while (this.el.children.length < lines.length) this.el.append(h("div"));
    lines.forEach((line, i) => setText(this.el.children[i], line));
    const parent = this.el.offsetParent as HTMLElement | null;
    const [wide, tall] = [this.el.offsetWidth, this.el.offsetHeight];
    const left = Math.max(0, Math.min(x - wide / 2, (parent?.clientWidth ?? wide) - wide));
    this.el.style.transform = `translate(${Math.round(left)}px, ${Math.round(Math.max(0, y - tall - 10))}px)`;
  }

  hide(): void {
    this.el.hidden = true;
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
  const forecasts = s.forecasts.map((f) =>
    isAhead && f?.filled ? [3, 1, 5].map((k) => decimal(f.ends[from + k])) : [],
  );
  const [observed, ...texts] = distinctNumbers([value[row] ?? NaN, ...forecasts.flat()], 4);
  const lines = [s.calendar.text(time[row])];
  if (Number.isFinite(value[row])) lines.push(isTotal ? `observed so far ${observed}` : `observed ${observed}`);
  forecasts.forEach((numbers, i) => {
    const [middle, least, most] = texts.splice(0, numbers.length);
    if (!numbers.length) return;
    const name = s.models.length > 1 ? s.meta.models[s.models[i]].name : "median";
    lines.push(`${name} ${middle} · 80 % ${least} to ${most}`);
  });
  for (const { info, values } of covariatesOf(s)) lines.push(covariateText(info, values[row]));
  return lines.filter(Boolean);
}
