/** Strips of covariates under the zoomed view, aligned with its time: a small line for numbers, coloured spans for categories. */

import { h, Layer } from "../../../common/src/dom";
import { distinctNumbers, number } from "../../../common/src/format";
import type { Selection } from "../state/selection";
import type { Viewport } from "../state/viewport";
import type { CovariateInfo } from "../wire/messages";
import type { Palette } from "./theme";

const HEAD = 15;
const GAP = 7;
const LINE = 22;
const SPANS = 13;
/** The share of covariates that are not known as of the origin. */
const UNKNOWN = 0.35;
const NAME = "11px";
const LABEL = "10px";

/** One strip's part of the canvas, and its values. */
interface Strip {
  info: CovariateInfo;
  values: Float64Array;
  top: number;
  bottom: number;
}

/** The value of a covariate in words; empty where it is not known. */
export function covariateText(info: CovariateInfo, value: number): string {
  if (!Number.isFinite(value)) return "";
  if (!info.labels.length) return `${info.name} ${number(value, 4)}`;
  const isFlag = info.labels.length === 1;
  return `${info.name} ${value < 0 ? (isFlag ? "no" : "none") : info.labels[value]}`;
}

/** The range of a covariate's numbers: "2.1 to 35.0"; empty for categories. */
export function rangeText({ low, high }: CovariateInfo): string {
  return low === null || high === null ? "" : distinctNumbers([low, high]).join(" to ");
}

/** The covariates of the selected series, one after the other. */
export function covariatesOf({ meta, history }: Selection): { info: CovariateInfo; values: Float64Array }[] {
  const size = history.time.length;
  return meta.covariates.map((info, i) => ({ info, values: history.covariates.subarray(i * size, (i + 1) * size) }));
}

/** The strips. */
export class CovariateStrips {
  readonly el = h("div", { class: "nbf-covariates", role: "img", hidden: true });
  readonly #layer = new Layer("nbf-covariate-strips");
  #font = "sans-serif";

  constructor() {
    this.el.append(this.#layer.canvas);
  }

  /** Draws the strips; `x` gives the place of a row in pixels. */
  draw(
    width: number,
    left: number,
    right: number,
    viewport: Viewport,
    x: (row: number) => number,
    selection: Selection,
    palette: Palette,
  ): void {
    const strips: Strip[] = [];
    let bottom = 0;
    for (const { info, values } of covariatesOf(selection)) {
      const top = bottom + HEAD;
      bottom = top + (info.labels.length ? SPANS : LINE);
      strips.push({ info, values, top, bottom });
      bottom += GAP;
    }
    this.el.hidden = !strips.length;
    if (!strips.length) return;
    this.el.setAttribute("aria-label", `Covariates: ${strips.map((s) => describe(s.info)).join("; ")}`);
    if (this.#layer.resize(width, bottom)) this.#font = getComputedStyle(this.el).fontFamily || "sans-serif";
    const ctx = this.#layer.begin();
    if (!ctx) return;
    const first = Math.max(0, Math.floor(viewport.start));
    const last = Math.min(selection.history.time.length - 1, Math.ceil(viewport.start + viewport.span));
    const origin = x(selection.row);
    for (const strip of strips) {
      this.#head(ctx, strip, left, right, palette);
      ctx.save();
      ctx.beginPath();
      ctx.rect(left, strip.top - 1, right - left, strip.bottom - strip.top + 2);
      ctx.clip();
      ctx.fillStyle = palette.wash;
      ctx.fillRect(left, strip.top, right - left, strip.bottom - strip.top);
      const edge = strip.info.ahead ? last : Math.min(last, selection.row);
      this.#values(ctx, strip, first, edge, x, palette);
      ctx.globalAlpha = UNKNOWN;
      if (edge < last) this.#values(ctx, strip, strip.info.labels.length ? edge + 1 : edge, last, x, palette);
      ctx.globalAlpha = 1;
      ctx.fillStyle = palette.accent;
      ctx.fillRect(Math.round(origin) - 0.5, strip.top - 1, 1, strip.bottom - strip.top + 2);
      ctx.restore();
    }
  }

  /** The name, and at the right the range of numbers or the colours of several categories. */
  #head(ctx: CanvasRenderingContext2D, { info, top }: Strip, left: number, right: number, palette: Palette): void {
    ctx.font = `${NAME} ${this.#font}`;
    ctx.textBaseline = "alphabetic";
    ctx.fillStyle = palette.soft;
    ctx.textAlign = "left";
    const name = describeName(info);
    const room = right - left - ctx.measureText(name).width - 24;
    ctx.fillText(name, left, top - 4, right - left);
    const items = info.labels.length > 1 ? info.labels : [rangeText(info)];
    const swatch = info.labels.length > 1 ? 12 : 0;
    const widths = items.map((item) => ctx.measureText(item).width + swatch + 10);
    let shown = items.length;
    const total = (): number => widths.slice(0, shown).reduce((sum, w) => sum + w, -10);
    while (shown > 0 && total() > room) shown--;
    let x = right - total();
    for (let i = 0; i < shown; i++) {
      if (swatch) {
        ctx.fillStyle = palette.categories[i % palette.categories.length];
        ctx.fillRect(x, top - 12, 8, 8);
        ctx.fillStyle = palette.soft;
      }
      ctx.fillText(items[i], x + swatch, top - 4);
      x += widths[i];
    }
  }

  #values(
    ctx: CanvasRenderingContext2D,
    strip: Strip,
    first: number,
    last: number,
    x: (row: number) => number,
    palette: Palette,
  ): void {
    if (strip.info.labels.length) this.#spans(ctx, strip, first, last, x, palette);
    else line(ctx, strip, first, last, x, palette);
  }

  #spans(
    ctx: CanvasRenderingContext2D,
    { info, values, top, bottom }: Strip,
    first: number,
    last: number,
    x: (row: number) => number,
    palette: Palette,
  ): void {
    ctx.font = `${LABEL} ${this.#font}`;
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    for (let from = first; from <= last; ) {
      const code = values[from];
      let to = from + 1;
      while (to <= last && values[to] === code) to++;
      if (code >= 0) {
        const [start, end] = [x(from - 0.5), x(to - 0.5)];
        ctx.fillStyle = palette.categories[code % palette.categories.length];
        ctx.fillRect(start, top, Math.max(end - start, 1), bottom - top);
        const label = info.labels[code];
        const room = end - start - 6;
        if (info.labels.length > 1 && ctx.measureText(label).width <= room) {
          ctx.fillStyle = palette.ink;
          ctx.fillText(label, start + 3, (top + bottom) / 2 + 0.5);
        }
      }
      from = to;
    }
  }
}

/** A line that is open where a number is not known; alone, a number is a dot. */
function line(
  ctx: CanvasRenderingContext2D,
  { info, values, top, bottom }: Strip,
  first: number,
  last: number,
  x: (row: number) => number,
  palette: Palette,
): void {
  const [low, high] = [info.low ?? 0, info.high ?? 1];
  const scale = high > low ? (bottom - top - 4) / (high - low) : 0;
  const middle = (top + bottom) / 2;
  const y = (v: number): number => (scale ? bottom - 2 - (v - low) * scale : middle);
  ctx.beginPath();
  let isOpen = false;
  for (let row = first; row <= last; row++) {
    const v = values[row];
    if (!Number.isFinite(v)) isOpen = false;
    else if (isOpen) ctx.lineTo(x(row), y(v));
    else {
      ctx.moveTo(x(row) - 0.5, y(v));
      ctx.lineTo(x(row), y(v));
      isOpen = true;
    }
  }
  ctx.strokeStyle = palette.ink;
  ctx.lineWidth = 1.1;
  ctx.lineJoin = "round";
  ctx.stroke();
}

/** The name of a covariate, and that it is not known ahead where it is not. */
const describeName = ({ name, ahead }: CovariateInfo): string => (ahead ? name : `${name}, known up to the origin`);

function describe(info: CovariateInfo): string {
  const range = info.labels.length > 1 ? `: ${info.labels.join(", ")}` : info.low === null ? "" : ` ${rangeText(info)}`;
  return describeName(info) + range;
}
