/**
 * Builds the widgets, each one ES module with its style sheets inside, and the extension of JupyterLab, which contains
 * the same view of the cache. Fails where one is larger than its limit.
 */

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const STATIC = join(here, "..", "nbforecast", "jupyter", "static");
const LAB = join(here, "lab");
const LAB_BUILT = join(here, "dist", "labextension");

/** Style sheets as minified text. */
const styleSheets = {
  name: "style-sheets",
  setup(b) {
    b.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const result = await build({ entryPoints: [path], bundle: false, minify: true, write: false });
      return { contents: result.outputFiles[0].text.trim(), loader: "text" };
    });
  },
};

const common = {
  bundle: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  charset: "utf8",
  logLevel: "warning",
};

const widget = (name) =>
  build({
    ...common,
    entryPoints: [join(here, name, "src/index.ts")],
    outfile: join(STATIC, `${name}.js`),
    minify: true,
    plugins: [styleSheets],
  });

/** Makes one module with esbuild, without the packages of JupyterLab itself; its builder then packs the extension. */
async function lab() {
  const external = ["@jupyterlab/*", "@lumino/*"];
  await build({
    ...common,
    entryPoints: [join(LAB, "src/index.ts")],
    outfile: join(LAB, "build/index.js"),
    external,
    plugins: [styleSheets],
  });
  const { resolve } = createRequire(import.meta.url);
  const builder = resolve("@jupyter/builder/lib/build-labextension.js");
  const core = resolve("@jupyterlab/core-meta/core.package.json");
  try {
    execFileSync(process.execPath, [builder, "--core-package-file", core, LAB], { cwd: here, stdio: "pipe" });
  } catch (error) {
    process.stderr.write(`${error.stdout}${error.stderr}`);
    throw new Error("JupyterLab's extension could not be built");
  }
}

const kb = (bytes) => `${(bytes / 1000).toFixed(1)} KB`;

/** Prints the size of files together; false where it is above the limit. */
function isWithin(name, limit, files) {
  const contents = files.map((file) => readFileSync(file));
  const size = contents.reduce((sum, c) => sum + c.length, 0);
  const packed = contents.reduce((sum, c) => sum + gzipSync(c).length, 0);
  console.log(`${name}: ${kb(size)}, ${kb(packed)} gzipped, at most ${kb(limit)}`);
  if (size > limit) console.error(`${name} is larger than its limit`);
  return size <= limit;
}

const scripts = (folder) =>
  readdirSync(folder)
    .map((f) => join(folder, f))
    .filter((f) => statSync(f).isFile() && f.endsWith(".js"));

await Promise.all([widget("explorer"), widget("cache"), lab()]);
const sizes = [
  isWithin("explorer.js", 150_000, [join(STATIC, "explorer.js")]),
  isWithin("cache.js", 40_000, [join(STATIC, "cache.js")]),
  isWithin("labextension", 75_000, scripts(join(LAB_BUILT, "static"))),
];
if (sizes.includes(false)) process.exit(1);
