/** Bundles the explorer into one ES module with its style sheets inside; fails above the size that is promised. */

import { build } from "esbuild";
import { mkdir, stat } from "node:fs/promises";
import { dirname, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { readFileSync } from "node:fs";

const MOST = 120_000;
const here = dirname(fileURLToPath(import.meta.url));
const outfile = fileURLToPath(new URL("../nbforecast/notebook/static/explorer.js", import.meta.url));

/** Style sheets as minified text. */
const sheets = {
  name: "sheets",
  setup(b) {
    b.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const done = await build({ entryPoints: [path], bundle: false, minify: true, write: false });
      return { contents: done.outputFiles[0].text.trim(), loader: "text" };
    });
  },
};

/** Ways of drawing that uPlot offers and nothing here calls; without these lines their code falls away too. */
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

const lean = {
  name: "lean",
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

await mkdir(dirname(outfile), { recursive: true });
await build({
  entryPoints: [`${here}/explorer/src/index.ts`],
  outfile,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  charset: "utf8",
  plugins: [sheets, lean],
});
const { size } = await stat(outfile);
const packed = gzipSync(readFileSync(outfile)).length;
const kb = (bytes) => `${(bytes / 1000).toFixed(1)} KB`;
console.log(`${relative(here, outfile)}: ${kb(size)}, ${kb(packed)} gzipped, at most ${kb(MOST)}`);
if (size > MOST) {
  console.error("explorer.js is larger than promised");
  process.exit(1);
}
