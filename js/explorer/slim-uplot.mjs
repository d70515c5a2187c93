/** Removes from uPlot what the explorer never calls and esbuild keeps: other ways of drawing, legend, cursor, and ticks of its own. */

import { readFileSync } from "node:fs";

/** Ways of drawing; without these lines esbuild drops their code, too. */
const UNUSED = [
  "(paths.stepped = stepped);",
  "(paths.bars    = bars);",
  "(paths.spline  = monotoneCubic);",
  "uPlot.join = join;",
  "uPlot.fmtDate = fmtDate;",
  "uPlot.tzDate  = tzDate;",
  "sc.distr == 3 ? logAxisSplits : sc.distr == 4 ? asinhAxisSplits :",
  "sc.distr >= 3 && sc.log == 10 ? log10AxisValsFilt : sc.distr == 3 && sc.log == 2 ? log2AxisValsFilt :",
];
/** uPlot's own legend, cursor and calendar are always off here. */
const OFF = {
  showLegend: /const showLegend = legend\.show;/,
  showCursor: /const showCursor = +cursor\.show;/,
  isTime: /let isTime = .*;/g,
};
/** Constants of the calendar. */
const TIMES = /^\t*const (_tzDate|_fmtDate|_timeAxisSplits|_timeAxisVals|_timeSeriesVal|\[ time\w+, .*\]) +=.*$/gm;
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
      contents = without(contents, TIMES);
      contents = without(contents, /events\.(mousedown|mousemove|mouseup|dblclick) = \w+;/g);
      // Functions inside others, which esbuild keeps although nothing calls them any more.
      for (const name of POINTER)
        contents = without(contents, new RegExp(`^(\\t*)function ${name}\\([\\s\\S]*?^\\1}$`, "m"));
      contents = without(contents, /^(\t*)function updateCursor\([\s\S]*?^\1}$/m) + IDLE;
      return { contents, loader: "js" };
    });
  },
};
