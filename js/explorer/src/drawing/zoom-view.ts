/** The zoomed view: uPlot draws the axes and the faint whole line, a layer above it what moves with the origin. */

import uPlot from "uplot";
import { Layer } from "../../../common/src/dom";
import { integer } from "../../../common/src/format";
import { ENDS, MEDIAN } from "../state/quantiles";
import type { Forecast } from "../state/row-cache";
import type { Selection, Style } from "../state/selection";
import type { Viewport } from "../state/viewport";
import { ENDING, type Frame, paintFan } from "./fan";
import { paintChanges, paintOnChart } from "./odd-marks";
import { mix, type Palette } from "./theme";
import { countTicks, type ValueAxis, valueAxis } from "./value-axis";
import { extent, nextRange, type YRange } from "./y-range";

const TOP = 30;
/** The font of ticks, but its family. */
const TICK = "11px";
const BOTTOM = 36;

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
  #plot: uPlot | null = null;
  readonly #layer = new Layer("nbf-fan");
  #xs: number[] = [];
  #ys: (number | null)[] = [];
  #range: YRange | null = null;
  #axis: ValueAxis = valueAxis(0, 1);
  #times: [number, number] = [0, 1];
  #selection: Selection | null = null;
  #colours: Palette | null = null;
  #font = "sans-serif";
  #width = 0;
  #height = 0;
  #drawnKey = "";
  #isTotal = false;
  /** Pixels left and right of the plot, wide enough for all values' labels so far: the charts above and below are aligned to these. */
  side = 0;
  readonly #host: HTMLElement;

  constructor(host: HTMLElement) {
    this.#host = host;
    host.append(this.#layer.canvas);
  }

  get plotWidth(): number {
    return this.#width - 2 * this.side;
  }

  /** The plot's edges in pixels of the host. */
  get #frame(): Frame {
    return { left: this.side, right: this.#width - this.side, top: TOP, bottom: this.#height - BOTTOM };
  }

  destroy(): void {
    this.#plot?.destroy();
    this.#plot = null;
  }

  recolour(colours: Palette): void {
    this.#colours = colours;
    this.#font = getComputedStyle(this.#host).fontFamily || "sans-serif";
    this.#rebuild();
  }

  resize(width: number, height: number): void {
    if (width === this.#width && height === this.#height) return;
    [this.#width, this.#height] = [width, height];
    this.#host.style.height = `${height}px`;
    this.#drawnKey = "";
    this.side = Math.min(this.side, this.#mostSide);
    if (this.#plot) this.#plot.setSize({ width, height });
    else this.#rebuild();
  }

  #rebuild(): void {
    this.destroy();
    this.#drawnKey = "";
    const [selection, colours] = [this.#selection, this.#colours];
    if (!selection || !colours || this.#width < 50) return;
    const { time } = selection.history;
    this.#xs = selection.meta.slots ? Array.from(time, (_, row) => row) : Array.from(time);
    // Running totals begin anew with each origin: there is no whole line of them.
    this.#ys = this.#xs.map((_, i) => this.#lineAt(selection, i));
    this.#plot = new uPlot(this.#options(selection, colours), [this.#xs, this.#ys], this.#host);
    this.#host.append(this.#layer.canvas);
  }

  #lineAt(selection: Selection, row: number): number | null {
    const v = this.#isTotal ? NaN : selection.history.value[row];
    return Number.isFinite(v) ? v : null;
  }

  /** Takes rows that are new or different, without a look at the others. */
  #extend(selection: Selection): void {
    const { time, changed } = selection.history;
    this.#xs.length = this.#ys.length = changed;
    for (let row = changed; row < time.length; row++) {
      this.#xs.push(selection.meta.slots ? row : time[row]);
      this.#ys.push(this.#lineAt(selection, row));
    }
    this.#plot?.setData([this.#xs, this.#ys], false);
    this.#plot?.redraw(true);
    this.#drawnKey = "";
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

  #options(selection: Selection, colours: Palette): uPlot.Options {
    const { calendar } = selection;
    const { slots } = selection.meta;
    const timed = calendar.clock !== "number";
    const { time } = selection.history;
    const font = `${TICK} ${this.#font}`;
    const quiet = { stroke: colours.soft, font, ticks: { show: false }, border: { show: false } };
    const room = (): number => (this.#width < 460 ? 50 : 74);
    const x: uPlot.Axis = {
      ...quiet,
      size: BOTTOM,
      gap: 7,
      lineGap: 1.35,
      grid: { show: false },
      ticks: { show: true, stroke: colours.rule, width: 1, size: 4 },
      border: { show: true, stroke: colours.rule, width: 1 },
      splits: (u) => {
        const [low, high] = [u.scales.x.min ?? 0, u.scales.x.max ?? 1];
        if (slots) return calendar.slotTicks(time, low, high, this.plotWidth, room());
        return timed ? calendar.ticks(low, high, this.plotWidth, room()) : countTicks(low, high, this.plotWidth);
      },
      values: (_u, ticks) =>
        timed ? calendar.labels(slots ? ticks.map((row) => time[row]) : ticks) : ticks.map(integer),
    };
    const y: uPlot.Axis = {
      ...quiet,
      size: () => this.side,
      gap: this.side < 40 ? 5 : 8,
      grid: { stroke: colours.grid, width: 1 },
      splits: () => this.#axis.ticks,
      values: () => this.#axis.labels,
    };
    return {
      width: this.#width,
      height: this.#height,
      ms: 1,
      padding: [TOP, () => this.side, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: false, auto: false, range: () => this.#times },
        y: { auto: false, range: () => this.#range ?? [0, 1] },
      },
      axes: [x, y],
      series: [{}, { stroke: mix(colours.bg, colours.ink, 0.3), width: 1.2, pxAlign: 0, points: { show: false } }],
    };
  }

  /** The time at a row, between rows and beyond the ends too. */
  #timeAt(row: number): number {
    const n = this.#xs.length;
    const i = Math.max(0, Math.min(n - 2, Math.floor(row)));
    const step = n > 1 ? this.#xs[i + 1] - this.#xs[i] : 1;
    return this.#xs[i] + (row - i) * step;
  }

  /** The place of a row, in pixels of the host. */
  xOf(row: number): number {
    const [low, high] = this.#times;
    const time = row >= 0 && row < this.#xs.length && Number.isInteger(row) ? this.#xs[row] : this.#timeAt(row);
    return this.side + ((time - low) / (high - low)) * this.plotWidth;
  }

  /** Whether a place is within the plot. */
  contains(x: number): boolean {
    return x >= this.side && x <= this.#width - this.side;
  }

  /** The row nearest to a place, in pixels of the host. */
  rowAt(x: number): number {
    const [low, high] = this.#times;
    const t = low + ((x - this.side) / this.plotWidth) * (high - low);
    let from = 0;
    let to = this.#xs.length - 1;
    while (from < to) {
      const middle = (from + to + 1) >> 1;
      if (this.#xs[middle] <= t) from = middle;
      else to = middle - 1;
    }
    return from + 1 < this.#xs.length && this.#xs[from + 1] - t < t - this.#xs[from] ? from + 1 : from;
  }

  /** Draws a selection; true while the value axis is still gliding. */
  draw(selection: Selection, options: ZoomOptions): boolean {
    const isTotal = options.style === "total";
    const before = this.#selection?.history;
    const isNew = selection.history.origin !== before?.origin || isTotal !== this.#isTotal;
    const isLonger = !isNew && selection.history !== before;
    this.#isTotal = isTotal;
    this.#selection = selection;
    if (isLonger) this.#extend(selection);
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
    const sideBefore = isNew ? 0 : this.side;
    this.side = sideBefore;
    this.#widenSide(ends);
    if (isNew) this.#rebuild();
    const [plot, colours] = [this.#plot, this.#colours];
    if (!plot || !colours) return false;
    this.#times = [this.#timeAt(w.start), this.#timeAt(w.start + w.span)];
    const key = `${this.#times.join()}/${range.join()}/${this.side}`;
    // Within one viewport and range only the layer above is painted.
    if (key !== this.#drawnKey) {
      this.#drawnKey = key;
      plot.batch(() => {
        plot.setScale("x", { min: this.#times[0], max: this.#times[1] });
        plot.setScale("y", { min: range[0], max: range[1] });
      });
      if (this.side !== sideBefore) plot.redraw(false, true);
    }
    this.#layer.resize(this.#width, this.#height);
    const ctx = this.#layer.begin();
    if (ctx) {
      this.#paintLayer(ctx, selection, options, colours, first, ends);
      if (!isTotal) this.#paintOdd(ctx, selection, colours, first, last);
    }
    return gliding;
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
    const [main, other = null] = selection.forecasts;
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
      other,
      joint: selection.joints[0],
      style: options.style,
      palette,
      font: this.#font,
      label: calendar.text(history.time[row], this.#width < 480),
      unit: isTotal ? `${meta.target || "values"}, total so far` : meta.target,
      end: ends[0],
      otherEnd: ends[1] ?? "",
      held: options.held,
    });
  }
}
