/** What the colours mean: the very colours, the coverage written on them. */

import { h } from "../../common/src/dom";
import type { Style } from "./protocol";

function swatch(name: string): HTMLElement {
  return h("i", { class: name, "aria-hidden": "true" });
}

/** `other`: the second model's name, if one is shown. */
export function legend(style: Style, coverages: readonly number[], calibrated: boolean, other: string | null): HTMLElement[] {
  const items = [h("span", {}, swatch("nbf-line nbf-median"), "median")];
  if (style === "bands") {
    const sorted = [...coverages].sort((a, b) => b - a).slice(0, 3);
    const blocks = sorted.map((c, i) => h("b", { class: `nbf-block nbf-band${i}` }, String(c)));
    items.push(h("span", { title: calibrated ? "Calibrated by the errors of past forecasts" : "Central intervals" }, h("span", { class: "nbf-blocks" }, ...blocks), calibrated ? "% calibrated" : "%"));
  } else {
    const blocks = [0, 1, 2].map((i) => h("b", { class: `nbf-block nbf-tint${i}` }));
    items.push(h("span", {}, h("span", { class: "nbf-blocks" }, ...blocks), "density"));
  }
  items.push(h("span", {}, swatch("nbf-line nbf-observed"), "observed later"));
  if (other !== null) items.push(h("span", { class: "nbf-second" }, swatch("nbf-line nbf-other"), h("span", {}, other), ", 80 %"));
  return items;
}

/** The strip's: heights and colours of its cells. */
export function stripLegend(): HTMLElement[] {
  const ramp = h("span", { class: "nbf-ramp", "aria-hidden": "true" }, ...[0, 1, 2, 3, 4].map((i) => h("i", { class: `nbf-heat${i}` })));
  return [
    h("span", {}, "CRPS: better", ramp, "worse"),
    h("span", {}, swatch("nbf-key nbf-key-inferred"), "not scored"),
    h("span", {}, swatch("nbf-key nbf-key-pending"), "pending"),
    h("span", {}, swatch("nbf-key nbf-key-barred"), "unavailable"),
  ];
}
