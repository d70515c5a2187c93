/** The zoomed view: uPlot draws axes and the faint whole line, the layer above it what moves with the origin. */

import uPlot from "uplot";
import { Layer } from "../../common/src/dom";
import { ENDING, paint, type Frame } from "./fan";
import { decimalsFor, value } from "../../common/src/format";
import { ENDS, type Style } from "./protocol";
import { settle, type Range } from "./range";
import type { Row } from "./rows";
import type { History } from "./store";
import { mix, type Palette } from "./theme";
import { extended, type Calendar } from "./time";
import type { Window } from "./window";

const TOP = 30;
const BOTTOM = 36;

export interface Shown {
  row: number;
  window: Window;
  main: Row | null;
  other: Row | null;
  style: Style;
  held: boolean;
  /** Whether the value axis may glide instead of leap. */
  glide: boolean;
}

/** What stays as long as the series does. */
export interface Subject {
  history: History;
  horizon: number;
  step: number | null;
  target: string;
  calendar: Calendar;
}

export class Focus {
  private plot: uPlot | null = null;
  private readonly layer = new Layer("nbf-fan");
  private xs: number[] = [];
  private range: Range | null = null;
  private times: [number, number] = [0, 1];
  private subject: Subject | null = null;
  private colours: Palette | null = null;
  private font = "sans-serif";
  private width = 0;
  private height = 0;
  private drawn = "";
  /** Pixels left and right of the plot, for the values' labels: what stands above and below it is aligned to these. */
  side = 0;

  constructor(private readonly host: HTMLElement) {
    host.append(this.layer.canvas);
  }

  get frame(): Frame {
    return { left: this.side, right: this.width - this.side, top: TOP, bottom: this.height - BOTTOM };
  }

  destroy(): void {
    this.plot?.destroy();
    this.plot = null;
  }

  /** A new series. */
  load(subject: Subject): void {
    this.subject = subject;
    this.range = null;
    this.rebuild();
  }

  recolour(colours: Palette): void {
    this.colours = colours;
    this.font = getComputedStyle(this.host).fontFamily || "sans-serif";
    this.rebuild();
  }

  resize(width: number, height: number): void {
    if (width === this.width && height === this.height) return;
    [this.width, this.height] = [width, height];
    this.host.style.height = `${height}px`;
    // Rebuilt where the margins change with it.
    if (this.plot && this.margin() === this.side) {
      this.drawn = "";
      this.plot.setSize({ width, height });
    } else this.rebuild();
  }

  private rebuild(): void {
    this.destroy();
    this.drawn = "";
    const { subject, colours } = this;
    if (!subject || !colours || this.width < 50) return;
    this.side = this.margin();
    this.xs = extended(subject.history.time, subject.horizon, subject.step);
    const ys = this.xs.map((_, i) => {
      const v = subject.history.value[i];
      return Number.isFinite(v) ? v : null;
    });
    this.plot = new uPlot(this.options(subject, colours), [this.xs, ys], this.host);
    this.host.append(this.layer.canvas);
  }

  /** Room for the longest label of a value, on the axis and at the median's end. */
  private margin(): number {
    const { low, high } = this.subject?.history ?? { low: 0, high: 0 };
    const decimals = decimalsFor((high - low) / 4);
    const need = [low, high].map((v) => this.layer.wide(`${ENDING} ${this.font}`, value(v, decimals)) + 12);
    return Math.max(this.width < 460 ? 34 : 46, Math.min(Math.ceil(Math.max(...need)), this.width / 4));
  }

  private options(subject: Subject, colours: Palette): uPlot.Options {
    const { calendar } = subject;
    const timed = calendar.clock !== "number";
    const font = `11px ${this.font}`;
    const quiet = { stroke: colours.soft, font, ticks: { show: false }, border: { show: false } };
    const room = this.width < 460 ? 50 : 74;
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
        splits: (u) => calendar.ticks(u.scales.x.min ?? 0, u.scales.x.max ?? 1, this.width - 2 * side, room),
        values: (_u: uPlot, ticks: number[]) => calendar.labels(ticks),
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
      width: this.width,
      height: this.height,
      ms: 1,
      padding: [TOP, side, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: timed, auto: false, range: () => this.times }, y: { auto: false, range: () => this.range ?? [0, 1] } },
      axes: [x, y],
      series: [{}, { stroke: mix(colours.bg, colours.ink, 0.3), width: 1.2, pxAlign: 0, points: { show: false } }],
    };
  }

  /** The time at a row, between rows and beyond the ends too. */
  private timeAt(row: number): number {
    const n = this.xs.length;
    const i = Math.max(0, Math.min(n - 2, Math.floor(row)));
    const step = n > 1 ? this.xs[i + 1] - this.xs[i] : 1;
    return this.xs[i] + (row - i) * step;
  }

  xOf(row: number): number {
    const [low, high] = this.times;
    const at = row >= 0 && row < this.xs.length && Number.isInteger(row) ? this.xs[row] : this.timeAt(row);
    return this.side + ((at - low) / (high - low)) * (this.width - 2 * this.side);
  }

  /** The row nearest to a place, in pixels of the host. */
  rowAt(x: number): number {
    const [low, high] = this.times;
    const t = low + ((x - this.side) / (this.width - 2 * this.side)) * (high - low);
    let from = 0;
    let to = this.xs.length - 1;
    while (from < to) {
      const middle = (from + to + 1) >> 1;
      if (this.xs[middle] <= t) from = middle;
      else to = middle - 1;
    }
    return from + 1 < this.xs.length && this.xs[from + 1] - t < t - this.xs[from] ? from + 1 : from;
  }

  /** Draws; true while the value axis is still gliding. */
  draw(shown: Shown): boolean {
    const { subject, plot, colours } = this;
    if (!subject || !plot || !colours) return false;
    const { window: w } = shown;
    this.times = [this.timeAt(w.start), this.timeAt(w.start + w.span)];
    const first = Math.max(0, Math.floor(w.start));
    const need = extent(subject, shown, first, Math.min(subject.history.value.length - 1, Math.ceil(w.start + w.span)));
    const moved = settle(this.range, need, shown.glide);
    this.range = moved.range;
    const key = `${this.times.join()}/${this.range.join()}`;
    // Within one window and range only the layer above is painted.
    if (key !== this.drawn) {
      this.drawn = key;
      const [low, high] = this.range;
      plot.batch(() => {
        plot.setScale("x", { min: this.times[0], max: this.times[1] });
        plot.setScale("y", { min: low, max: high });
      });
    }
    this.layer.resize(this.width, this.height);
    const ctx = this.layer.begin();
    if (ctx) this.overlay(ctx, subject, shown, colours, first);
    return moved.gliding;
  }

  private overlay(ctx: CanvasRenderingContext2D, subject: Subject, shown: Shown, palette: Palette, first: number): void {
    const frame = this.frame;
    const [low, high] = this.range ?? [0, 1];
    const scale = (frame.bottom - frame.top) / (high - low);
    const end = (row: Row | null): string => value(row?.ends[(subject.horizon - 1) * ENDS + 3], decimalsFor(high - low));
    paint(ctx, {
      frame,
      x: (row) => this.xOf(row),
      y: (v) => frame.bottom - (v - low) * scale,
      value: subject.history.value,
      first,
      row: shown.row,
      horizon: subject.horizon,
      main: shown.main,
      other: shown.other,
      style: shown.style,
      palette,
      font: this.font,
      label: subject.calendar.text(subject.history.time[shown.row], this.width < 480),
      unit: subject.target,
      end: end(shown.main),
      otherEnd: end(shown.other),
      held: shown.held,
    });
  }
}

/** Lowest and highest of what is in view: values, and the fan. */
function extent(subject: Subject, shown: Shown, first: number, last: number): Range | null {
  const { value: values, low: least, high: most } = subject.history;
  let low = Infinity;
  let high = -Infinity;
  const take = (v: number): void => {
    if (v < low) low = v;
    if (v > high) high = v;
  };
  for (let i = first; i <= last; i++) take(values[i]);
  // A fan that explodes must not flatten everything else.
  const room = most - least || Math.abs(most) || 1;
  for (const row of [shown.main, shown.other]) {
    if (!row?.filled) continue;
    // Densities reach somewhat beyond the outermost quantiles.
    const more = shown.style === "density" && row === shown.main ? 1.3 : 1;
    for (let i = 0; i < row.ends.length; i++) {
      const middle = row.ends[i - (i % ENDS) + 3];
      take(Math.max(least - room, Math.min(most + room, middle + (row.ends[i] - middle) * more)));
    }
  }
  return high >= low ? [low, high] : null;
}
