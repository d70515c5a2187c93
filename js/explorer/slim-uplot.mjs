/** uPlot without what nothing here calls, which esbuild keeps: other ways of drawing, its own legend and cursor. */

import { readFileSync } from "node:fs";

/** Ways of drawing; without these lines their code falls away too. */
const UNUSED = ["(paths.stepped = stepped);", "(paths.bars    = bars);", "(paths.spline  = monotoneCubic);", "uPlot.join = join;"];
/** uPlot's own legend and cursor are always off here. */
const OFF = { showLegend: /const showLegend = legend\.show;/, showCursor: /const showCursor = +cursor\.show;/ };
const POINTER = ["mouseMove", "mouseDown", "mouseUp", "mouseLeave", "dblClick", "initCursorPt", "initLegendRow"];

/** What is still called, but has no cursor to move. */
const IDLE = "\nfunction updateCursor() {}\n";

/** Text without a match, which must be there: a new version of uPlot is to be looked at. */
function without(text, pattern) {
  const less = text.replace(pattern, "");
  if (less === text) throw new Error(`uPlot has changed: ${pattern}`);
  return less;
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
      // Functions inside others, which esbuild keeps though nothing calls them any more.
      for (const name of POINTER) contents = without(contents, new RegExp(`^(\\t*)function ${name}\\([^]*?^\\1}$`, "m"));
      contents = without(contents, /^(\t*)function updateCursor\([^]*?^\1}$/m) + IDLE;
      return { contents, loader: "js" };
    });
  },
};
