/** The zoomed view: a layer with the axes and the faint whole line, and one above it with what moves with the origin. */

import { Layer } from "../../../common/src/dom";
import { integer } from "../../../common/src/format";
import { ENDS, MEDIAN } from "../state/quantiles";
import type { Forecast } from "../state/row-cache";
import { rankOf, type Selection, type Style } from "../state/selection";
import type { Viewport } from "../state/viewport";
import { ENDING, type Frame, paintFan, trace } from "./fan";
import { paintChanges, paintOnChart } from "./odd-marks";
import { paintPlot } from "./plot";
import type { Palette } from "./theme";
import { countTicks, type ValueAxis, valueAxis } from "./value-axis";
import { extent, nextRange, type YRange } from "./y-range";

const TOP = 30;
/** The font of ticks, but its family. */
const TICK = "11px";
const BOTTOM = 36;

/** Of the medians of the models drawn over the main one, which colours alone do not tell apart. */
const DASHES = [[], [7, 4], [2, 4], [10, 4, 2, 4], [4, 2]];

/** What is drawn beside the selection. */
export interface ZoomOptions {
  viewport: Viewport;
  style: Style;
  /** Whether the origin is being dragged. */
  held: boolean;
  /** Whether the value axis glides instead of leaping. */
  glide: boolean;
}

/** The view. */
export class ZoomView {
  readonly #base = new Layer("nbf-plot");
  readonly #layer = new Layer("nbf-fan");
  #range: YRange | null = null;
  #axis: ValueAxis = valueAxis(0, 1);
  #times: [number, number] = [0, 1];
  #selection: Selection | null = null;
  #colours: Palette | null = null;
  #font = "sans-serif";
  #width = 0;
  #height = 0;
  #drawnKey: unknown[] = [];
  #isTotal = false;
  /** Paints the chart as it was last drawn. */
  #repaint: (ctx: CanvasRenderingContext2D) => void = () => undefined;
  /** Pixels left and right of the plot, wide enough for all values' labels so far: the charts above and below are aligned to these. */
  side = 0;
  readonly #host: HTMLElement;

  constructor(host: HTMLElement) {
    this.#host = host;
    host.append(this.#base.canvas, this.#layer.canvas);
  }

  get width(): number {
    return this.#width;
  }

  get height(): number {
    return this.#height;
  }

  get font(): string {
    return this.#font;
  }

  /** Paints the chart as it is on the page on another canvas. */
  paint(ctx: CanvasRenderingContext2D): void {
    this.#repaint(ctx);
  }

  get plotWidth(): number {
    return this.#width - 2 * this.side;
  }

  /** The plot's edges in pixels of the host. */
  get #frame(): Frame {
    return { left: this.side, right: this.#width - this.side, top: TOP, bottom: this.#height - BOTTOM };
  }

  recolour(colours: Palette): void {
    this.#colours = colours;
    this.#font = getComputedStyle(this.#host).fontFamily || "sans-serif";
    this.#drawnKey = [];
  }

  resize(width: number, height: number): void {
    if (width === this.#width && height === this.#height) return;
    [this.#width, this.#height] = [width, height];
    this.#host.style.height = `${height}px`;
    this.side = Math.min(this.side, this.#mostSide);
  }

  get #mostSide(): number {
    return Math.floor(this.#width / 4);
  }

  /** Makes room for the labels on the axis and at the medians' ends; it never shrinks, so that nothing moves back and forth. */
  #widenSide(ends: readonly string[]): void {
    const width = (font: string, texts: readonly string[]): number =>
      texts.reduce((most, text) => Math.max(most, this.#layer.textWidth(`${font} ${this.#font}`, text)), 0);
    const needed = Math.max(width(TICK, this.#axis.labels) + 9, width(ENDING, ends) + 12);
    const least = this.#width < 460 ? 34 : 46;
    this.side = Math.min(Math.max(this.side, least, Math.ceil(needed)), this.#mostSide);
  }

  /** Where a row is on the axis: at its time, or in the order of slots. */
  #placeOf(row: number): number {
    const { meta, history } = this.#selection as Selection;
    return meta.slots ? row : history.time[row];
  }

  /** The time at a row, between rows and beyond the ends too. */
  #timeAt(row: number): number {
    const n = this.#selection?.history.time.length ?? 0;
    if (!n) return row;
    const i = Math.max(0, Math.min(n - 2, Math.floor(row)));
    const start = this.#placeOf(i);
    const step = n > 1 ? this.#placeOf(i + 1) - start : 1;
    return start + (row - i) * step;
  }

  /** The place of a row, in pixels of the host. */
  xOf(row: number): number {
    const [low, high] = this.#times;
    return this.side + ((this.#timeAt(row) - low) / (high - low)) * this.plotWidth;
  }

  /** Whether a place is within the plot. */
  contains(x: number): boolean {
    return x >= this.side && x <= this.#width - this.side;
  }

  /** The row nearest to a place, in pixels of the host. */
  rowAt(x: number): number {
    const [low, high] = this.#times;
    const t = low + ((x - this.side) / this.plotWidth) * (high - low);
    const end = (this.#selection?.history.time.length ?? 1) - 1;
    let from = 0;
    let to = end;
    while (from < to) {
      const middle = (from + to + 1) >> 1;
      if (this.#placeOf(middle) <= t) from = middle;
      else to = middle - 1;
    }
    return from < end && this.#placeOf(from + 1) - t < t - this.#placeOf(from) ? from + 1 : from;
  }

  /** Draws a selection; true while the value axis is still gliding. */
  draw(selection: Selection, options: ZoomOptions): boolean {
    const isTotal = options.style === "total";
    const isNew = selection.history.origin !== this.#selection?.history.origin || isTotal !== this.#isTotal;
    this.#isTotal = isTotal;
    this.#selection = selection;
    const { viewport: w } = options;
    const first = Math.max(0, Math.floor(w.start));
    const last = Math.min(selection.history.value.length - 1, Math.ceil(w.start + w.span));
    const { range, gliding } = nextRange(
      isNew ? null : this.#range,
      extent(selection, options.style, first, last),
      options.glide,
    );
    this.#axis = valueAxis(...range, Math.max((this.#frame.bottom - this.#frame.top) / 46, 2));
    this.#range = range;
    const ends = selection.forecasts.map((forecast) => this.#endText(forecast, selection.meta.horizon));
    if (isNew) this.side = 0;
    this.#widenSide(ends);
    const colours = this.#colours;
    if (!colours || this.#width < 50) return false;
    this.#times = [this.#timeAt(w.start), this.#timeAt(w.start + w.span)];
    const isResized = this.#base.resize(this.#width, this.#height);
    const key = [selection.history, colours, isTotal, ...this.#times, ...range, this.side];
    const paintBase = (ctx: CanvasRenderingContext2D): void => this.#paintBase(ctx, selection, colours, first, last);
    const paintLayer = (ctx: CanvasRenderingContext2D): void => {
      this.#paintLayer(ctx, selection, options, colours, first, ends);
      if (!isTotal) this.#paintOdd(ctx, selection, colours, first, last);
    };
    // Within one viewport and range only the layer above is painted.
    if (isResized || key.some((v, i) => v !== this.#drawnKey[i])) {
      this.#drawnKey = key;
      const ctx = this.#base.begin();
      if (ctx) paintBase(ctx);
    }
    this.#layer.resize(this.#width, this.#height);
    const ctx = this.#layer.begin();
    if (ctx) paintLayer(ctx);
    this.#repaint = (other) => {
      paintBase(other);
      paintLayer(other);
    };
    return gliding;
  }

  #paintBase(ctx: CanvasRenderingContext2D, selection: Selection, palette: Palette, first: number, last: number): void {
    const { meta, calendar, history } = selection;
    const frame = this.#frame;
    const x = this.#timeTicks(selection);
    const places = x.map(
      (t) => this.side + ((t - this.#times[0]) / (this.#times[1] - this.#times[0])) * this.plotWidth,
    );
    const labels =
      calendar.clock === "number"
        ? x.map(integer)
        : calendar.labels(meta.slots ? x.map((row) => history.time[row]) : x);
    const y = { places: this.#axis.ticks.map((v) => this.#y(v)), labels: this.#axis.labels };
    paintPlot(ctx, frame, { places, labels }, y, `${TICK} ${this.#font}`, palette, () => {
      // Running totals begin anew with each origin: there is no whole line of them.
      if (this.#isTotal) return;
      const scene = { frame, x: (row: number) => this.xOf(row), y: (v: number) => this.#y(v), value: history.value };
      trace(ctx, scene, Math.max(first - 1, 0), last);
    });
  }

  /** Ticks of the axis of time: times, or rows where it counts slots. */
  #timeTicks({ calendar, meta, history }: Selection): number[] {
    const [low, high] = this.#times;
    const room = this.#width < 460 ? 50 : 74;
    if (meta.slots) return calendar.slotTicks(history.time, low, high, this.plotWidth, room);
    return calendar.clock === "number"
      ? countTicks(low, high, this.plotWidth)
      : calendar.ticks(low, high, this.plotWidth, room);
  }

  /** Marks the odd observations in view, and where the series changed. */
  #paintOdd(ctx: CanvasRenderingContext2D, s: Selection, palette: Palette, first: number, last: number): void {
    if (!s.surprises) return;
    const { left, right, top, bottom } = this.#frame;
    const x = (row: number): number => this.xOf(row);
    const odd = s.surprises.between(first, last + 1).filter(({ row }) => x(row) >= left - 1 && x(row) <= right + 1);
    paintChanges(ctx, s.surprises.changes, x, left, right, top - 4, bottom, palette);
    paintOnChart(ctx, odd, s.history.value, x, (v) => this.#y(v), bottom, palette);
  }

  /** The place of a value, in pixels of the host. */
  #y(v: number): number {
    const { top, bottom } = this.#frame;
    const [low, high] = this.#range ?? [0, 1];
    return bottom - ((v - low) * (bottom - top)) / (high - low);
  }

  /** The value at a median's end. */
  #endText(forecast: Forecast | null, horizon: number): string {
    const end = forecast?.ends[(horizon - 1) * ENDS + MEDIAN] ?? NaN;
    return Number.isFinite(end) ? this.#axis.exact(end) : "";
  }

  #paintLayer(
    ctx: CanvasRenderingContext2D,
    selection: Selection,
    options: ZoomOptions,
    palette: Palette,
    first: number,
    ends: readonly string[],
  ): void {
    const frame = this.#frame;
    const { meta, calendar, history, row } = selection;
    const [main, ...others] = selection.forecasts;
    const isTotal = options.style === "total";
    paintFan(ctx, {
      frame,
      x: (row) => this.xOf(row),
      y: (v) => this.#y(v),
      value: history.value,
      first,
      row,
      horizon: meta.horizon,
      anchor: isTotal ? 0 : history.value[row],
      main,
      near: selection.near,
      others: others.map((forecast, i) => {
        const rank = rankOf(selection, i + 1);
        return { forecast, colour: palette.others[rank], dash: DASHES[rank], end: ends[i + 1] };
      }),
      past: isTotal ? [] : selection.past,
      pin: isTotal ? null : selection.pin,
      joint: selection.joints[0],
      style: options.style,
      palette,
      font: this.#font,
      label: calendar.text(history.time[row], this.#width < 480),
      unit: isTotal ? `${meta.target || "values"}, total so far` : meta.target,
      end: ends[0],
      held: options.held,
    });
  }
}
