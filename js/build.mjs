/**
 * Builds the widgets, one ES module each with its style sheets inside, and the extension of JupyterLab, which has
 * the same view of the cache in it. Fails above the sizes that are promised.
 */

import { build } from "esbuild";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { slimUplot } from "./explorer/slim-uplot.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const STATIC = join(here, "..", "nbforecast", "jupyter", "static");
const LAB = join(here, "lab");
const LAB_BUILT = join(here, "dist", "labextension");

/** Style sheets as minified text. */
const styleSheets = {
  name: "style-sheets",
  setup(b) {
    b.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const done = await build({ entryPoints: [path], bundle: false, minify: true, write: false });
      return { contents: done.outputFiles[0].text.trim(), loader: "text" };
    });
  },
};

const common = { bundle: true, format: "esm", target: "es2022", legalComments: "none", charset: "utf8", logLevel: "warning" };

const widget = (name, plugins) =>
  build({ ...common, entryPoints: [join(here, name, "src/index.ts")], outfile: join(STATIC, `${name}.js`), minify: true, plugins });

/** First one module by esbuild; then JupyterLab's builder wraps it up, with what JupyterLab itself brings left out. */
async function lab() {
  const external = ["@jupyterlab/*", "@lumino/*"];
  await build({ ...common, entryPoints: [join(LAB, "src/index.ts")], outfile: join(LAB, "build/index.js"), external, plugins: [styleSheets] });
  const { resolve } = createRequire(import.meta.url);
  const builder = resolve("@jupyter/builder/lib/build-labextension.js");
  const core = resolve("@jupyterlab/core-meta/core.package.json");
  try {
    execFileSync(process.execPath, [builder, "--core-package-file", core, LAB], { cwd: here, stdio: "pipe" });
  } catch (error) {
    process.stderr.write(`${error.stdout}${error.stderr}`);
    throw new Error("the extension of JupyterLab has not been built");
  }
}

const kb = (bytes) => `${(bytes / 1000).toFixed(1)} KB`;

/** Says how large files are together; false above the promise. */
function within(name, most, files) {
  const contents = files.map((file) => readFileSync(file));
  const size = contents.reduce((sum, c) => sum + c.length, 0);
  const packed = contents.reduce((sum, c) => sum + gzipSync(c).length, 0);
  console.log(`${name}: ${kb(size)}, ${kb(packed)} gzipped, at most ${kb(most)}`);
  if (size > most) console.error(`${name} is larger than promised`);
  return size <= most;
}

const scripts = (folder) => readdirSync(folder).map((f) => join(folder, f)).filter((f) => statSync(f).isFile() && f.endsWith(".js"));

await Promise.all([widget("explorer", [styleSheets, slimUplot]), widget("cache", [styleSheets]), lab()]);
const kept = [
  within("explorer.js", 120_000, [join(STATIC, "explorer.js")]),
  within("cache.js", 40_000, [join(STATIC, "cache.js")]),
  within("labextension", 75_000, scripts(join(LAB_BUILT, "static"))),
];
if (kept.includes(false)) process.exit(1);
