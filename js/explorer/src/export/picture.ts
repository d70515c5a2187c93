/** The chart as a picture: what is on the page, under its title and above its legend. */

import { forecastWords } from "../controls/origin-scores";
import { mix, type Palette } from "../drawing/theme";
import type { Selection, Style } from "../state/selection";
import { SvgContext } from "./svg";

const HEAD = 54;
const FOOT = 34;
const EDGE = 16;
/** Pixels of a PNG image to one of the page. */
const RATIO = 2;

/** The chart of the page, which can be drawn once more. */
export interface Drawable {
  width: number;
  height: number;
  /** Pixels left and right of its plot. */
  side: number;
  font: string;
  paint(ctx: CanvasRenderingContext2D): void;
}

/** What is written around the chart. */
export interface Caption {
  title: string;
  subtitle: string;
  /** What is drawn, with its colour, and whether as a line. */
  legend: readonly (readonly [string, string, boolean])[];
}

/** The caption of the view. */
export function captionOf(s: Selection, series: number, style: Style, colours: readonly string[], p: Palette): Caption {
  const { meta, models, forecasts, history, row, calendar } = s;
  const id = meta.series.length > 1 ? meta.series[series].id : "";
  const names = models.map((m) => meta.models[m].name);
  const [words] = forecastWords(meta, forecasts[0], history.value, row);
  const bands = style === "density" || style === "paths" ? [] : [...meta.coverages].sort((a, b) => b - a).slice(0, 3);
  return {
    title: [meta.title || "Forecasts", id].filter(Boolean).join(" · "),
    subtitle: `As of ${calendar.text(history.time[row])}: ${words}`,
    legend: [
      ...names.map((name, i) => [name, colours[i], true] as const),
      ...bands.map((coverage, i) => [`${coverage} %`, p.bands[i], false] as const),
      ["observed later", mix(p.bg, p.ink, 0.62), true],
    ],
  };
}

function paintPicture(ctx: CanvasRenderingContext2D, chart: Drawable, caption: Caption, p: Palette): void {
  const { width, height, font } = chart;
  ctx.fillStyle = p.bg;
  ctx.fillRect(0, 0, width, height + HEAD + FOOT);
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  ctx.fillStyle = p.ink;
  ctx.font = `650 16px ${font}`;
  ctx.fillText(caption.title, EDGE, 26);
  ctx.fillStyle = p.soft;
  ctx.font = `12px ${font}`;
  ctx.fillText(caption.subtitle, EDGE, 45);
  ctx.save();
  ctx.translate(0, HEAD);
  chart.paint(ctx);
  ctx.restore();
  ctx.font = `11px ${font}`;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  let x = chart.side;
  const y = height + HEAD + 14;
  for (const [text, colour, isLine] of caption.legend) {
    const wide = ctx.measureText(text).width;
    if (x + wide + 22 > width - 4) break;
    ctx.fillStyle = colour;
    ctx.fillRect(x, isLine ? y - 1 : y - 5, 16, isLine ? 2 : 10);
    ctx.fillStyle = p.soft;
    ctx.fillText(text, x + 22, y);
    x += wide + 40;
  }
}

/** The picture as an SVG document. */
export function svgOf(chart: Drawable, caption: Caption, p: Palette): string {
  const canvas = document.createElement("canvas").getContext("2d");
  const measure = (font: string, text: string): number => {
    if (!canvas) return 6 * text.length;
    canvas.font = font;
    return canvas.measureText(text).width;
  };
  const svg = new SvgContext(chart.width, chart.height + HEAD + FOOT, measure);
  // It has all that the charts use of a context.
  paintPicture(svg as unknown as CanvasRenderingContext2D, chart, caption, p);
  return svg.document(`${caption.title}. ${caption.subtitle}`);
}

/** The picture as a PNG image; null where there is no canvas. */
export function pngOf(chart: Drawable, caption: Caption, p: Palette): Promise<Blob | null> {
  const canvas = document.createElement("canvas");
  canvas.width = chart.width * RATIO;
  canvas.height = (chart.height + HEAD + FOOT) * RATIO;
  const ctx = canvas.getContext("2d");
  if (!ctx) return Promise.resolve(null);
  ctx.scale(RATIO, RATIO);
  paintPicture(ctx, chart, caption, p);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}
