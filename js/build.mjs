/** Bundles the explorer into one ES module with its style sheets inside; fails above the size that is promised. */

import { build } from "esbuild";
import { mkdir, stat } from "node:fs/promises";
import { dirname, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { readFileSync } from "node:fs";

const MOST = 140 * 1024;
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

/** Ways of drawing that uPlot offers and nothing here calls; without these lines the rest of them falls away too. */
const UNUSED = ["(paths.stepped = stepped);", "(paths.bars    = bars);", "(paths.spline  = monotoneCubic);", "uPlot.join = join;"];
const lean = {
  name: "lean",
  setup(b) {
    b.onLoad({ filter: /uPlot\.esm\.js$/ }, ({ path }) => {
      let contents = readFileSync(path, "utf8");
      for (const line of UNUSED) {
        if (!contents.includes(line)) throw new Error(`uPlot has changed: ${line}`);
        contents = contents.replace(line, "");
      }
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
const kb = (bytes) => `${(bytes / 1024).toFixed(1)} KB`;
console.log(`${relative(here, outfile)}: ${kb(size)}, ${kb(packed)} gzipped, at most ${kb(MOST)}`);
if (size > MOST) {
  console.error("explorer.js is larger than promised");
  process.exit(1);
}
