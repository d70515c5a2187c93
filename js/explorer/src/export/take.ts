/** Copies or saves what is shown. */

import { forecastWords } from "../controls/origin-scores";
import type { Taken } from "../controls/take-menu";
import type { Palette } from "../drawing/theme";
import { rankOf, type Selection, type Style } from "../state/selection";
import type { Viewport } from "../state/viewport";
import { copyText, saveFile } from "./deliver";
import { captionOf, type Drawable, pngOf, svgOf } from "./picture";
import { codeOf, csvOf, linkOf } from "./text";

/** What is shown. */
export interface Shown {
  selection: Selection;
  series: number;
  style: Style;
  viewport: Viewport;
  chart: Drawable;
  colours: Palette;
  /** What is read out under the pointer; empty where it is elsewhere. */
  readout: readonly string[];
}

/** The values under the pointer, or the forecast in view, as lines. */
function valuesOf({ selection: s, readout }: Shown): string {
  if (readout.length) return readout.join("\n");
  const words = forecastWords(s.meta, s.forecasts[0], s.history.value, s.row);
  return [s.calendar.text(s.history.time[s.row]), ...words].join("\n");
}

function textOf(what: "value" | "code" | "link", shown: Shown): string {
  const { selection, series, style } = shown;
  if (what === "value") return valuesOf(shown);
  if (what === "code") return codeOf(selection, series, style);
  // Of a report, whose explorer is in a frame, the report's own address.
  let { href } = window.location;
  try {
    href = window.parent.location.href;
  } catch {
    // The page around is another site's.
  }
  return href.replace(/#.*/, "") + linkOf(selection, series);
}

/** Copies or saves it, and says what was done. */
export async function take(what: Taken, shown: Shown): Promise<string> {
  if (what === "value" || what === "code" || what === "link")
    return (await copyText(textOf(what, shown))) ? "Copied" : "Not allowed here";
  const { selection: s, series, chart, colours, style } = shown;
  const palette = s.models.map((_, i) => (i ? colours.others[rankOf(s, i)] : colours.median));
  const caption = captionOf(s, series, style, palette, colours);
  const name = `${caption.title} ${s.calendar.iso(s.history.time[s.row])}.${what}`;
  const content =
    what === "csv"
      ? new Blob([csvOf(s, series, shown.viewport)], { type: "text/csv" })
      : what === "svg"
        ? new Blob([svgOf(chart, caption, colours)], { type: "image/svg+xml" })
        : await pngOf(chart, caption, colours);
  if (!content) return "Not possible here";
  saveFile(name, content);
  return "Saved";
}
