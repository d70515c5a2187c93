/** The zoomed view: uPlot draws the axes and the faint whole line, a layer above it what moves with the origin. */

import uPlot from "uplot";
import { Layer } from "../../../common/src/dom";
import { decimalsFor, value } from "../../../common/src/format";
import { ENDS, MEDIAN } from "../state/quantiles";
import type { Forecast } from "../state/row-cache";
import type { Selection, Style } from "../state/selection";
import type { Viewport } from "../state/viewport";
import { ENDING, type Frame, paintFan } from "./fan";
import { mix, type Palette } from "./theme";
import { nextRange, type YRange } from "./y-range";

const TOP = 30;
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
  #range: YRange | null = null;
  #times: [number, number] = [0, 1];
  #selection: Selection | null = null;
  #colours: Palette | null = null;
  #font = "sans-serif";
  #width = 0;
  #height = 0;
  #drawnKey = "";
  /** Pixels left and right of the plot, for the values' labels: the charts above and below are aligned to these. */
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
    // Rebuilt where the margins change.
    if (this.#plot && this.#margin() === this.side) {
      this.#drawnKey = "";
      this.#plot.setSize({ width, height });
    } else this.#rebuild();
  }

  #rebuild(): void {
    this.destroy();
    this.#drawnKey = "";
    const [selection, colours] = [this.#selection, this.#colours];
    if (!selection || !colours || this.#width < 50) return;
    this.side = this.#margin();
    const { time } = selection.history;
    this.#xs = selection.meta.slots ? Array.from(time, (_, row) => row) : Array.from(time);
    const ys = this.#xs.map((_, i) => {
      const v = selection.history.value[i];
      return Number.isFinite(v) ? v : null;
    });
    this.#plot = new uPlot(this.#options(selection, colours), [this.#xs, ys], this.#host);
    this.#host.append(this.#layer.canvas);
  }

  /** Room for the longest label of a value, on the axis and at the median's end. */
  #margin(): number {
    const { low, high } = this.#selection?.history ?? { low: 0, high: 0 };
    const decimals = decimalsFor((high - low) / 4);
    const widths = [low, high].map((v) => this.#layer.textWidth(`${ENDING} ${this.#font}`, value(v, decimals)) + 12);
    return Math.max(this.#width < 460 ? 34 : 46, Math.min(Math.ceil(Math.max(...widths)), this.#width / 4));
  }

  #options(selection: Selection, colours: Palette): uPlot.Options {
    const { calendar } = selection;
    const timed = calendar.clock !== "number" && !selection.meta.slots;
    const { time } = selection.history;
    const font = `11px ${this.#font}`;
    const quiet = { stroke: colours.soft, font, ticks: { show: false }, border: { show: false } };
    const room = this.#width < 460 ? 50 : 74;
    const { side } = this;
    const x: uPlot.Axis = {
      ...quiet,
      size: BOTTOM,
      gap: 7,
      lineGap: 1.35,
      grid: { show: false },
      ticks: { show: true, stroke: colours.rule, width: 1, size: 4 },
      border: { show: true, stroke: colours.rule, width: 1 },
      space: room,
      ...(timed && {
        splits: (u) => calendar.ticks(u.scales.x.min ?? 0, u.scales.x.max ?? 1, this.#width - 2 * side, room),
        values: (_u: uPlot, ticks: number[]) => calendar.labels(ticks),
      }),
      ...(selection.meta.slots && {
        splits: (u) => calendar.slotTicks(time, u.scales.x.min ?? 0, u.scales.x.max ?? 1, this.#width - 2 * side, room),
        values: (_u: uPlot, rows: number[]) => calendar.labels(rows.map((row) => time[row])),
      }),
    };
    const y: uPlot.Axis = {
      ...quiet,
      size: side,
      gap: side < 40 ? 5 : 8,
      space: 42,
      grid: { stroke: colours.grid, width: 1 },
      values: (_u, ticks) => ticks.map((t) => value(t, ticks.length > 1 ? decimalsFor((ticks[1] - ticks[0]) * 99) : 0)),
    };
    return {
      width: this.#width,
      height: this.#height,
      ms: 1,
      padding: [TOP, side, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: timed, auto: false, range: () => this.#times },
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
    const isNew = selection.history !== this.#selection?.history;
    this.#selection = selection;
    if (isNew) {
      this.#range = null;
      this.#rebuild();
    }
    const [plot, colours] = [this.#plot, this.#colours];
    if (!plot || !colours) return false;
    const { viewport: w } = options;
    this.#times = [this.#timeAt(w.start), this.#timeAt(w.start + w.span)];
    const first = Math.max(0, Math.floor(w.start));
    const need = extent(
      selection,
      options.style,
      first,
      Math.min(selection.history.value.length - 1, Math.ceil(w.start + w.span)),
    );
    const { range, gliding } = nextRange(this.#range, need, options.glide);
    this.#range = range;
    const key = `${this.#times.join()}/${this.#range.join()}`;
    // Within one viewport and range only the layer above is painted.
    if (key !== this.#drawnKey) {
      this.#drawnKey = key;
      const [low, high] = this.#range;
      plot.batch(() => {
        plot.setScale("x", { min: this.#times[0], max: this.#times[1] });
        plot.setScale("y", { min: low, max: high });
      });
    }
    this.#layer.resize(this.#width, this.#height);
    const ctx = this.#layer.begin();
    if (ctx) this.#paintLayer(ctx, selection, options, colours, first);
    return gliding;
  }

  #paintLayer(
    ctx: CanvasRenderingContext2D,
    selection: Selection,
    options: ZoomOptions,
    palette: Palette,
    first: number,
  ): void {
    const frame = this.#frame;
    const { meta, calendar, history, row } = selection;
    const [main, other = null] = selection.forecasts;
    const [low, high] = this.#range ?? [0, 1];
    const scale = (frame.bottom - frame.top) / (high - low);
    const end = (forecast: Forecast | null): string =>
      value(forecast?.ends[(meta.horizon - 1) * ENDS + MEDIAN], decimalsFor(high - low));
    paintFan(ctx, {
      frame,
      x: (row) => this.xOf(row),
      y: (v) => frame.bottom - (v - low) * scale,
      value: history.value,
      first,
      row,
      horizon: meta.horizon,
      main,
      other,
      style: options.style,
      palette,
      font: this.#font,
      label: calendar.text(history.time[row], this.#width < 480),
      unit: meta.target,
      end: end(main),
      otherEnd: end(other),
      held: options.held,
    });
  }
}

/** The lowest and the highest of the values in view and the fans. */
function extent({ history, forecasts }: Selection, style: Style, first: number, last: number): YRange | null {
  const { value: values, low: least, high: most } = history;
  let low = Infinity;
  let high = -Infinity;
  const take = (v: number): void => {
    if (v < low) low = v;
    if (v > high) high = v;
  };
  for (let i = first; i <= last; i++) take(values[i]);
  // A fan that explodes must not flatten everything else.
  const room = most - least || Math.abs(most) || 1;
  for (const forecast of forecasts) {
    if (!forecast?.filled) continue;
    // Densities reach somewhat beyond the outermost quantiles.
    const stretch = style === "density" && forecast === forecasts[0] ? 1.3 : 1;
    for (let i = 0; i < forecast.ends.length; i++) {
      const median = forecast.ends[i - (i % ENDS) + MEDIAN];
      take(Math.max(least - room, Math.min(most + room, median + (forecast.ends[i] - median) * stretch)));
    }
  }
  return high >= low ? [low, high] : null;
}
