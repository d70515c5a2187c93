/** The whole history in one strip, with the viewport as a brush, the origin, and a line of scores. */

import { h, Layer, suppressShortcuts } from "../../../common/src/dom";
import type { OriginStatus } from "../state/origin-status";
import type { History } from "../state/selection";
import type { Surprises } from "../state/surprises";
import type { Viewport } from "../state/viewport";
import { paintCell, rowsPerCell, summarise } from "./heatmap-cells";
import { LANE, paintChanges, paintLane } from "./odd-marks";
import { mix, type Palette } from "./theme";

/** Its height in pixels, without the line of scores. */
export const TALL = 52;
const HEAT = 5;
/** Between the history and the line of scores: the marks of odd observations. */
const GAP = LANE + 2;
/** Pixels by which a history has to grow before it is drawn again. */
const LEAST_GROWTH = 0.5;
/** Pixels of a bucket of the envelope. */
const BUCKET = 2;

/** Between two pictures of the scores, ms for each row: a few per cent of the time goes into them. */
const PAUSE = 4e-4;
/** How far from the pointer, px, a sketched origin may be that is shown instead of the one under it. */
const REACH = 1.5;

/** What a press takes hold of. */
export type Grip = "scrub" | "start" | "end";

/** The overview. */
export class Overview {
  readonly el = suppressShortcuts(h("div", { class: "nbf-overview" }));
  readonly #base = new Layer("nbf-base");
  readonly #scores = new Layer("nbf-scores");
  readonly #top = new Layer("nbf-top");
  #left = 0;
  #right = 1;
  #rows = 1;
  #total = 1;
  #edges: [number, number] = [0, 1];
  #baseKey: unknown[] = [];
  #drawn: History | null = null;
  #scoresKey: unknown[] = [];
  #scoresDue = 0;

  constructor() {
    this.el.append(this.#base.canvas, this.#scores.canvas, this.#top.canvas);
    this.el.style.height = `${TALL + GAP + HEAT}px`;
  }

  #x(row: number): number {
    return this.#left + ((this.#right - this.#left) * row) / Math.max(this.#total - 1, 1);
  }

  /** The row at a place, in pixels of the element. */
  rowAt(x: number): number {
    const row = Math.round(((x - this.#left) / (this.#right - this.#left)) * (this.#total - 1));
    return Math.max(0, Math.min(this.#rows - 1, row));
  }

  /** Rows that are too near to each other for the pointer to tell them apart. */
  get reach(): number {
    return (REACH * this.#total) / Math.max(this.#right - this.#left, 1);
  }

  /** The row, fractional and beyond the ends too, for an edge of the viewport. */
  edgeAt(x: number): number {
    return ((x - this.#left) / (this.#right - this.#left)) * (this.#total - 1);
  }

  /** What a press at a place takes hold of: an edge of the brush, or the origin. */
  gripAt(x: number): Grip {
    const [low, high] = this.#edges;
    const inside = Math.min(5, (high - low) / 5);
    if (x > low - 8 && x < low + inside) return "start";
    if (x > high - inside && x < high + 8) return "end";
    return "scrub";
  }

  /** Draws it; true while scores that have come are still to be drawn. */
  draw(
    width: number,
    left: number,
    right: number,
    viewport: Viewport,
    row: number,
    horizon: number,
    history: History,
    origins: OriginStatus,
    surprises: Surprises | null,
    palette: Palette,
  ): boolean {
    [this.#left, this.#right, this.#rows, this.#total] = [
      left,
      right,
      history.value.length,
      history.value.length + horizon,
    ];
    const resized = [this.#base, this.#scores, this.#top].map((l) => l.resize(width, TALL + GAP + HEAT)).some(Boolean);
    const baseKey = [this.#drawable(history), palette, width, left, right];
    if (resized || baseKey.some((v, i) => v !== this.#baseKey[i])) {
      this.#baseKey = baseKey;
      this.#paintBase(history, palette);
    }
    const scoresKey = [origins, surprises, palette, width, left, right, origins.version];
    const changed = scoresKey.findIndex((v, i) => v !== this.#scoresKey[i]);
    // While a run goes on the scores of many origins change with each message.
    const isSoon = changed === scoresKey.length - 1 && performance.now() < this.#scoresDue;
    if (resized || (changed >= 0 && !isSoon)) {
      this.#scoresKey = scoresKey;
      this.#scoresDue = performance.now() + origins.status.length * PAUSE;
      this.#paintScores(origins, palette);
      if (surprises) this.#paintOdd(surprises, history.value, palette);
    }
    this.#paintTop(viewport, row, palette);
    return isSoon;
  }

  /** The history to draw: the one that is drawn already, where what has grown since is too little to see. */
  #drawable(history: History): History {
    const drawn = this.#drawn;
    const pixels = ((this.#right - this.#left) * (history.value.length - (drawn?.value.length ?? 0))) / this.#total;
    const isDrawn =
      drawn?.origin === history.origin &&
      drawn.low === history.low &&
      drawn.high === history.high &&
      (history === drawn || (history.changed >= drawn.value.length && pixels < LEAST_GROWTH));
    if (!isDrawn) this.#drawn = history;
    return this.#drawn ?? history;
  }

  #paintBase(history: History, p: Palette): void {
    const ctx = this.#base.begin();
    if (!ctx) return;
    const { value, low, high, overview } = history;
    const n = value.length;
    const y = (v: number): number => TALL - 5 - ((v - low) / (high - low || 1)) * (TALL - 10);
    ctx.fillStyle = p.wash;
    ctx.beginPath();
    ctx.roundRect(this.#left, 0, this.#right - this.#left, TALL, 4);
    ctx.fill();
    const buckets = Math.max(1, Math.floor((this.#right - this.#left) / BUCKET));
    const each = n / buckets;
    ctx.strokeStyle = mix(p.bg, p.ink, 0.62);
    ctx.lineWidth = 1;
    ctx.lineJoin = "round";
    if (overview) {
      const parts = overview.length / 3;
      this.#envelope(ctx, parts, n / parts, (part) => overview.subarray(3 * part, 3 * part + 3), y, p);
      return;
    }
    if (each < 4) {
      ctx.beginPath();
      let isOpen = false;
      for (let i = 0; i < n; i++) {
        if (!Number.isFinite(value[i])) isOpen = false;
        else {
          if (isOpen) ctx.lineTo(this.#x(i), y(value[i]));
          else ctx.moveTo(this.#x(i), y(value[i]));
          isOpen = true;
        }
      }
      ctx.stroke();
      return;
    }
    const summary = (b: number): ArrayLike<number> => {
      const part = value
        .subarray(Math.floor(b * each), Math.floor((b + 1) * each))
        .filter(Number.isFinite)
        .sort();
      const end = (share: number): number => part[Math.floor(part.length * share)];
      return [end(0.1), end(0.9), part.reduce((sum, v) => sum + v, 0) / part.length];
    };
    this.#envelope(ctx, buckets, each, summary, y, p);
  }

  /** Paints 10 to 90 % of each bucket, and its mean, which is smooth at any width. */
  #envelope(
    ctx: CanvasRenderingContext2D,
    buckets: number,
    each: number,
    summary: (bucket: number) => ArrayLike<number>,
    y: (v: number) => number,
    p: Palette,
  ): void {
    ctx.fillStyle = mix(p.bg, p.ink, 0.24);
    const means = new Path2D();
    let isOpen = false;
    for (let b = 0; b < buckets; b++) {
      const [low, high, middle] = Array.from(summary(b));
      if (!Number.isFinite(middle)) {
        isOpen = false;
        continue;
      }
      const x = this.#x((b + 0.5) * each);
      const top = y(high);
      const wide = this.#x(each) - this.#x(0);
      ctx.fillRect(x - wide / 2, top, wide + 0.3, Math.max(y(low) - top, 1));
      const mean = y(middle);
      if (isOpen) means.lineTo(x, mean);
      else means.moveTo(x, mean);
      isOpen = true;
    }
    ctx.stroke(means);
  }

  #paintScores(origins: OriginStatus, p: Palette): void {
    const ctx = this.#scores.begin();
    if (!ctx) return;
    const rows = origins.status.length;
    const group = rowsPerCell((this.#right - this.#left) / Math.max(this.#total, 1), 2);
    const scale = origins.scale();
    for (let from = 0; from < rows; from += group) {
      const to = Math.min(rows, from + group);
      const x = this.#x(from);
      paintCell(ctx, summarise(origins, from, to), scale, p, x, TALL + GAP, Math.max(this.#x(to) - x, 0.6), HEAT);
    }
  }

  #paintOdd({ all, changes }: Surprises, value: Float64Array, p: Palette): void {
    const ctx = this.#scores.begin(false);
    if (!ctx) return;
    const x = (row: number): number => this.#x(row);
    paintChanges(ctx, changes, x, this.#left, this.#right, 0, TALL, p);
    paintLane(ctx, all, changes, value, x, TALL + GAP / 2, this.#right, p);
  }

  #paintTop(viewport: Viewport, row: number, p: Palette): void {
    const ctx = this.#top.begin();
    if (!ctx) return;
    let low = Math.max(this.#left, this.#x(viewport.start));
    let high = Math.min(this.#right, this.#x(viewport.start + viewport.span));
    if (high - low < 8) [low, high] = [(low + high) / 2 - 4, (low + high) / 2 + 4];
    this.#edges = [low, high];
    ctx.globalAlpha = 0.4;
    ctx.fillStyle = p.bg;
    ctx.fillRect(this.#left, 0, low - this.#left, TALL);
    ctx.fillRect(high, 0, this.#right - high, TALL);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = mix(p.bg, p.ink, 0.5);
    ctx.lineWidth = 1.25;
    ctx.beginPath();
    ctx.roundRect(low, 0.75, high - low, TALL - 1.5, 3);
    ctx.stroke();
    ctx.fillStyle = mix(p.bg, p.ink, 0.5);
    for (const edge of [low, high]) {
      ctx.beginPath();
      ctx.roundRect(edge - 2, TALL / 2 - 7, 4, 14, 2);
      ctx.fill();
    }
    const x = this.#x(row);
    ctx.fillStyle = p.accent;
    ctx.fillRect(x - 0.75, 0, 1.5, TALL + GAP + HEAT);
    ctx.beginPath();
    ctx.arc(x, 5, 3.5, 0, 2 * Math.PI);
    ctx.fill();
  }
}
