/** The whole history in one strip, with the visible window as a brush, the origin, and a line of scores. */

import { cell, fill, grouping } from "./cells";
import { h, keyed, Layer } from "../../common/src/dom";
import type { History, Standing } from "./store";
import { mix, type Palette } from "./theme";
import type { Window } from "./window";

export const TALL = 52;
const HEAT = 5;
const GAP = 3;
/** Pixels a bucket of the calm envelope. */
const BUCKET = 2;

export type Grip = "scrub" | "start" | "end";

export class Overview {
  readonly el = keyed(h("div", { class: "nbf-overview" }));
  private readonly base = new Layer("nbf-base");
  private readonly scores = new Layer("nbf-scores");
  private readonly top = new Layer("nbf-top");
  private left = 0;
  private right = 1;
  private rows = 1;
  private total = 1;
  private edges: [number, number] = [0, 1];
  private based: unknown[] = [];
  private scored: unknown[] = [];

  constructor() {
    this.el.append(this.base.canvas, this.scores.canvas, this.top.canvas);
    this.el.style.height = `${TALL + GAP + HEAT}px`;
  }

  private x(row: number): number {
    return this.left + ((this.right - this.left) * row) / Math.max(this.total - 1, 1);
  }

  /** The row at a place, in pixels of the element. */
  rowAt(x: number): number {
    const row = Math.round(((x - this.left) / (this.right - this.left)) * (this.total - 1));
    return Math.max(0, Math.min(this.rows - 1, row));
  }

  /** Rows (fractional, beyond the ends too) for an edge of the window. */
  edgeAt(x: number): number {
    return ((x - this.left) / (this.right - this.left)) * (this.total - 1);
  }

  /** What a press there takes hold of: an edge of the brush, or the origin. */
  gripAt(x: number): Grip {
    const [low, high] = this.edges;
    const inside = Math.min(5, (high - low) / 5);
    if (x > low - 8 && x < low + inside) return "start";
    if (x > high - inside && x < high + 8) return "end";
    return "scrub";
  }

  draw(
    width: number, left: number, right: number, w: Window, row: number, horizon: number,
    history: History, standing: Standing, palette: Palette,
  ): void {
    [this.left, this.right, this.rows, this.total] = [left, right, history.value.length, history.value.length + horizon];
    const resized = [this.base, this.scores, this.top].map((l) => l.resize(width, TALL + GAP + HEAT)).some(Boolean);
    const based = [history, palette, width, left, right];
    if (resized || based.some((v, i) => v !== this.based[i])) {
      this.based = based;
      this.paintBase(history, palette);
    }
    const scored = [standing, standing.version, palette, width];
    if (resized || scored.some((v, i) => v !== this.scored[i])) {
      this.scored = scored;
      this.paintScores(standing, palette);
    }
    this.paintTop(w, row, palette);
  }

  private paintBase(history: History, p: Palette): void {
    const ctx = this.base.begin();
    if (!ctx) return;
    const { value, low, high } = history;
    const n = value.length;
    const y = (v: number): number => TALL - 5 - ((v - low) / (high - low || 1)) * (TALL - 10);
    ctx.fillStyle = p.wash;
    ctx.beginPath();
    ctx.roundRect(this.left, 0, this.right - this.left, TALL, 4);
    ctx.fill();
    const buckets = Math.max(1, Math.floor((this.right - this.left) / BUCKET));
    const each = n / buckets;
    ctx.strokeStyle = mix(p.bg, p.ink, 0.62);
    ctx.lineWidth = 1;
    ctx.lineJoin = "round";
    if (each < 4) {
      ctx.beginPath();
      let open = false;
      for (let i = 0; i < n; i++) {
        if (!Number.isFinite(value[i])) open = false;
        else {
          if (open) ctx.lineTo(this.x(i), y(value[i]));
          else ctx.moveTo(this.x(i), y(value[i]));
          open = true;
        }
      }
      ctx.stroke();
      return;
    }
    this.envelope(ctx, value, buckets, each, y, p);
  }

  /** 10 to 90 % of each bucket, and its mean: calm at any width. */
  private envelope(
    ctx: CanvasRenderingContext2D, value: Float64Array, buckets: number, each: number,
    y: (v: number) => number, p: Palette,
  ): void {
    ctx.fillStyle = mix(p.bg, p.ink, 0.24);
    const means = new Path2D();
    let open = false;
    for (let b = 0; b < buckets; b++) {
      const part = value.subarray(Math.floor(b * each), Math.floor((b + 1) * each)).filter(Number.isFinite).sort();
      if (!part.length) {
        open = false;
        continue;
      }
      const x = this.x((b + 0.5) * each);
      const top = y(part[Math.floor(part.length * 0.9)]);
      const wide = this.x(each) - this.x(0);
      ctx.fillRect(x - wide / 2, top, wide + 0.3, Math.max(y(part[Math.floor(part.length * 0.1)]) - top, 1));
      const mean = y(part.reduce((sum, v) => sum + v, 0) / part.length);
      if (open) means.lineTo(x, mean);
      else means.moveTo(x, mean);
      open = true;
    }
    ctx.stroke(means);
  }

  private paintScores(standing: Standing, p: Palette): void {
    const ctx = this.scores.begin();
    if (!ctx) return;
    const rows = standing.status.length;
    const group = grouping((this.right - this.left) / Math.max(this.total, 1), 2);
    const scale = standing.scale();
    for (let from = 0; from < rows; from += group) {
      const to = Math.min(rows, from + group);
      const x = this.x(from);
      fill(ctx, cell(standing, from, to), scale, p, x, TALL + GAP, Math.max(this.x(to) - x, 0.6), HEAT);
    }
  }

  private paintTop(w: Window, row: number, p: Palette): void {
    const ctx = this.top.begin();
    if (!ctx) return;
    let low = Math.max(this.left, this.x(w.start));
    let high = Math.min(this.right, this.x(w.start + w.span));
    if (high - low < 8) [low, high] = [(low + high) / 2 - 4, (low + high) / 2 + 4];
    this.edges = [low, high];
    ctx.globalAlpha = 0.4;
    ctx.fillStyle = p.bg;
    ctx.fillRect(this.left, 0, low - this.left, TALL);
    ctx.fillRect(high, 0, this.right - high, TALL);
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
    const x = this.x(row);
    ctx.fillStyle = p.accent;
    ctx.fillRect(x - 0.75, 0, 1.5, TALL + GAP + HEAT);
    ctx.beginPath();
    ctx.arc(x, 5, 3.5, 0, 2 * Math.PI);
    ctx.fill();
  }
}
