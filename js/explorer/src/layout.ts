/** The skeleton: which element stands where. */

import { h, keyed } from "../../common/src/dom";

export interface Layout {
  root: HTMLElement;
  /** Focusable; takes keys and drags of the origin. */
  surface: HTMLElement;
  legend: HTMLElement;
  stripLegend: HTMLElement;
  chip: HTMLElement;
  main: HTMLElement;
}

export interface Parts {
  head: HTMLElement;
  transport: HTMLElement;
  overview: HTMLElement;
  strip: HTMLElement;
  card: HTMLElement;
  status: HTMLElement;
  progress: HTMLElement;
  tip: HTMLElement;
  live: HTMLElement;
  table: HTMLElement;
}

export function layout(parts: Parts): Layout {
  const surface = keyed(h("div", { class: "nbf-focus", tabindex: "0", role: "slider", "aria-label": "Origin of the forecast", "aria-orientation": "horizontal" }));
  const chip = h("div", { class: "nbf-chip", hidden: true });
  const legend = h("div", { class: "nbf-legend" });
  const stripLegend = h("div", { class: "nbf-legend nbf-strip-legend" });
  const stage = h("div", { class: "nbf-stage" }, surface, chip);
  const main = h("div", { class: "nbf-main" }, parts.overview, legend, stage, parts.strip, parts.transport, stripLegend, parts.status, parts.tip);
  const body = h("div", { class: "nbf-body" }, main, parts.card);
  const frame = h("div", { class: "nbf-frame" }, parts.progress, parts.head, body, parts.live, h("div", { class: "nbf-sr" }, parts.table));
  const root = h("div", { class: "nbf-explorer", role: "group", "aria-label": "Forecast explorer" }, frame);
  return { root, surface, legend, stripLegend, chip, main };
}
