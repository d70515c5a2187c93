/** Removes from uPlot what the explorer never calls and esbuild keeps: other ways of drawing, the legend and the cursor. */

import { readFileSync } from "node:fs";

/** Ways of drawing; without these lines esbuild drops their code, too. */
const UNUSED = [
  "(paths.stepped = stepped);",
  "(paths.bars    = bars);",
  "(paths.spline  = monotoneCubic);",
  "uPlot.join = join;",
];
/** uPlot's own legend and cursor are always off here. */
const OFF = { showLegend: /const showLegend = legend\.show;/, showCursor: /const showCursor = +cursor\.show;/ };
const POINTER = ["mouseMove", "mouseDown", "mouseUp", "mouseLeave", "dblClick", "initCursorPt", "initLegendRow"];

/** Is still called, but has no cursor to move. */
const IDLE = "\nfunction updateCursor() {}\n";

/** A text without a match; throws where there is none, which a new version of uPlot may cause. */
function without(text, pattern) {
  const rest = text.replace(pattern, "");
  if (rest === text) throw new Error(`uPlot has changed: ${pattern}`);
  return rest;
}

/** An esbuild plugin. */
export const slimUplot = {
  name: "slim-uplot",
  setup(b) {
    b.onLoad({ filter: /uPlot\.esm\.js$/ }, ({ path }) => {
      let contents = UNUSED.reduce(without, readFileSync(path, "utf8"));
      for (const [name, line] of Object.entries(OFF)) {
        contents = without(contents, line).replace(new RegExp(`\\b${name}\\b`, "g"), "false");
      }
      contents = without(contents, /events\.(mousedown|mousemove|mouseup|dblclick) = \w+;/g);
      // Functions inside others, which esbuild keeps although nothing calls them any more.
      for (const name of POINTER)
        contents = without(contents, new RegExp(`^(\\t*)function ${name}\\([\\s\\S]*?^\\1}$`, "m"));
      contents = without(contents, /^(\t*)function updateCursor\([\s\S]*?^\1}$/m) + IDLE;
      return { contents, loader: "js" };
    });
  },
};
