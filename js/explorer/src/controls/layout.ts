/** The elements of the explorer and their places, and the legends of its charts. */

import { h, suppressShortcuts } from "../../../common/src/dom";
import type { Style } from "../state/selection";

/** The elements that are filled later. */
export interface Layout {
  root: HTMLElement;
  /** Focusable; takes keys and drags of the origin. */
  surface: HTMLElement;
  legend: HTMLElement;
  chip: HTMLElement;
  /** The stretch that is being brushed. */
  brush: HTMLElement;
  /** The legend of the marks of odd observations. */
  oddLegend: HTMLElement;
  main: HTMLElement;
}

/** The elements that are placed. */
export interface Parts {
  head: HTMLElement;
  transport: HTMLElement;
  overview: HTMLElement;
  covariates: HTMLElement;
  strip: HTMLElement;
  stretch: HTMLElement;
  card: HTMLElement;
  status: HTMLElement;
  readout: HTMLElement;
  cross: HTMLElement;
  help: HTMLElement;
  progress: HTMLElement;
  live: HTMLElement;
  table: HTMLElement;
}

/** Puts all parts into their places. */
export function layOut(parts: Parts): Layout {
  const surface = suppressShortcuts(
    h("div", {
      class: "nbf-focus",
      tabindex: "0",
      role: "slider",
      "aria-label": "Origin of the forecast",
      "aria-orientation": "horizontal",
    }),
  );
  const chip = h("div", { class: "nbf-chip", hidden: true });
  const legend = h("div", { class: "nbf-legend" });
  const oddLegend = h("span", { class: "nbf-odd-legend" });
  const brush = h("div", { class: "nbf-brush", hidden: true });
  const stage = h("div", { class: "nbf-stage" }, surface, parts.cross, brush, chip);
  const main = h(
    "div",
    { class: "nbf-main" },
    parts.overview,
    h("div", { class: "nbf-dock" }, parts.readout, legend),
    stage,
    parts.covariates,
    parts.strip,
    parts.stretch,
    parts.transport,
    stripLegend(oddLegend),
    parts.status,
  );
  const body = h("div", { class: "nbf-body" }, main, parts.card);
  const frame = h(
    "div",
    { class: "nbf-frame" },
    parts.progress,
    parts.head,
    body,
    parts.live,
    h("div", { class: "nbf-sr" }, parts.table),
    parts.help,
  );
  // Focusable by clicks, so that one anywhere inside takes the focus from the notebook.
  const root = suppressShortcuts(
    h("div", { class: "nbf-explorer", role: "group", "aria-label": "Forecast explorer", tabindex: "-1" }, frame),
  );
  return { root, surface, legend, chip, brush, oddLegend, main };
}

function swatch(name: string): HTMLElement {
  return h("i", { class: name, "aria-hidden": "true" });
}

/** A model of the legend: one drawn over the main one, or that may be. */
export interface LegendModel {
  name: string;
  /** The place of its colour. */
  rank: number;
  isShown: boolean;
  /** Null where there is only one to choose, which has a list of its own. */
  toggle: (() => void) | null;
}

/** The items of the fan's legend, with the coverage on the colours. */
export function legendItems(
  style: Style,
  coverages: readonly number[],
  calibrated: boolean,
  others: readonly LegendModel[],
  pin: string | null,
  hasPast: boolean,
): HTMLElement[] {
  const items: HTMLElement[] = [h("span", {}, swatch("nbf-line nbf-median"), "median")];
  if (style === "paths") items.push(h("span", {}, swatch("nbf-line nbf-path"), "paths"));
  else if (style !== "density") {
    const sorted = [...coverages].sort((a, b) => b - a).slice(0, 3);
    const blocks = sorted.map((c, i) => h("b", { class: `nbf-block nbf-band${i}` }, String(c)));
    items.push(
      h(
        "span",
        {
          title:
            style === "total"
              ? "Central intervals of the sum since the origin"
              : calibrated
                ? "Calibrated by the errors of past forecasts"
                : "Central intervals",
        },
        h("span", { class: "nbf-blocks" }, ...blocks),
        style === "total" ? "% of the total so far" : calibrated ? "% calibrated" : "%",
      ),
    );
  } else {
    const blocks = [0, 1, 2].map((i) => h("b", { class: `nbf-block nbf-tint${i}` }));
    items.push(h("span", {}, h("span", { class: "nbf-blocks" }, ...blocks), "density"));
  }
  items.push(h("span", {}, swatch("nbf-line nbf-observed"), "observed later"));
  if (hasPast) items.push(h("span", {}, swatch("nbf-line nbf-earlier"), "earlier forecasts"));
  if (pin !== null) items.push(h("span", { class: "nbf-pinned" }, swatch("nbf-line nbf-pin"), `pinned ${pin}, 80 %`));
  for (const { name, rank, isShown, toggle } of others) {
    const line = swatch("nbf-line");
    line.style.borderColor = `var(--nbf-other${rank})`;
    line.classList.add(`nbf-dash${rank}`);
    const text = [line, h("span", {}, name), toggle ? "" : ", 80 %"];
    const item = toggle
      ? suppressShortcuts(
          h("button", { type: "button", class: "nbf-second", "aria-pressed": String(isShown) }, ...text),
        )
      : h("span", { class: "nbf-second" }, ...text);
    item.style.color = isShown ? `var(--nbf-other${rank})` : "";
    if (toggle) {
      item.title = isShown ? `Hide ${name}` : `Draw ${name} over the forecast`;
      item.addEventListener("click", toggle);
    }
    items.push(item);
  }
  return items;
}

/** The strip's legend: heights and colours of its cells. */
function stripLegend(odd: HTMLElement): HTMLElement {
  const ramp = h(
    "span",
    { class: "nbf-ramp", "aria-hidden": "true" },
    ...[0, 1, 2, 3, 4].map((i) => h("i", { class: `nbf-heat${i}` })),
  );
  return h(
    "div",
    { class: "nbf-legend nbf-strip-legend" },
    h("span", {}, "CRPS: better", ramp, "worse"),
    h("span", {}, swatch("nbf-key nbf-key-inferred"), "not scored"),
    h("span", {}, swatch("nbf-key nbf-key-pending"), "pending"),
    h("span", {}, swatch("nbf-key nbf-key-barred"), "unavailable"),
    odd,
    h("span", { class: "nbf-duel" }, swatch("nbf-key-duel"), "below: the better model"),
  );
}
