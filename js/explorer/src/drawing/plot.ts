/** The frame of the zoomed view: grid, axes with their labels, and the faint line of the whole history. */

import type { Frame } from "./fan";
import { mix, type Palette } from "./theme";

const TICK = 4;
/** Between an axis and its labels, and between the lines of a label. */
const GAP = 7;
const LINE = 15;

/** Ticks of an axis: where they are, in pixels, and what they say. */
export interface Ticks {
  places: readonly number[];
  labels: readonly string[];
}

/** On the middle of a pixel, so that a thin line is sharp. */
const sharp = (place: number): number => Math.round(place - 0.5) + 0.5;

/** Paints grid and axes, and a line within the frame. */
export function paintPlot(
  ctx: CanvasRenderingContext2D,
  { left, right, top, bottom }: Frame,
  x: Ticks,
  y: Ticks,
  font: string,
  p: Palette,
  trace: () => void,
): void {
  const strokes = (colour: string, lines: readonly (readonly [number, number, number, number])[]): void => {
    ctx.strokeStyle = colour;
    ctx.lineWidth = 1;
    ctx.beginPath();
    for (const [x0, y0, x1, y1] of lines) {
      ctx.moveTo(x0, y0);
      ctx.lineTo(x1, y1);
    }
    ctx.stroke();
  };
  const base = sharp(bottom);
  strokes(
    p.grid,
    y.places.map((place) => [left, sharp(place), right, sharp(place)] as const),
  );
  strokes(p.rule, [
    [left, base, right, base],
    ...x.places.map((place) => [sharp(place), base, sharp(place), base + TICK] as const),
  ]);
  ctx.font = font;
  ctx.fillStyle = p.soft;
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  y.labels.forEach((label, i) => {
    ctx.fillText(label, left - (left < 40 ? 5 : GAP + 1), y.places[i]);
  });
  ctx.textBaseline = "top";
  ctx.textAlign = "center";
  x.labels.forEach((label, i) => {
    label.split("\n").forEach((text, row) => {
      ctx.fillText(text, x.places[i], bottom + TICK + GAP + row * LINE);
    });
  });
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, right - left, bottom - top);
  ctx.clip();
  ctx.strokeStyle = mix(p.bg, p.ink, 0.3);
  ctx.lineWidth = 1.2;
  ctx.lineJoin = "round";
  ctx.lineCap = "butt";
  ctx.beginPath();
  trace();
  ctx.stroke();
  ctx.restore();
}
