/** Buttons of the view, their icons, and thin bars. */

import { h, suppressShortcuts } from "../../common/src/dom";

/** Icons of sixteen pixels, drawn with the text's colour. */
const ICONS = {
  open: "M2.5 2.5v11h11M5 10.5l2.5-3 2 1.5 3.5-4.5",
  again: "M13 8a5 5 0 1 1-1.6-3.7M13 2.2v2.9h-2.9",
  drop: "M3 4.5h10M6.5 4.5V3h3v1.5M4.3 4.5l.6 8.5h6.2l.6-8.5M6.9 7v3.7M9.1 7v3.7",
  cancel: "M4 4l8 8M12 4l-8 8",
  copy: "M5.5 5.5h7v7h-7zM3.5 10.5v-7h7",
  more: "M3.4 8h.01M8 8h.01M12.6 8h.01",
} as const;

export type IconName = keyof typeof ICONS;

const SVG = "http://www.w3.org/2000/svg";

function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 16 16", width: "16", height: "16", "aria-hidden": "true" }))
    svg.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  if (name === "more") svg.classList.add("nbf-dots");
  return svg;
}

/** A button with a text. */
export function button(text: string, act: () => void, props: Record<string, string> = {}): HTMLButtonElement {
  const el = suppressShortcuts(h("button", { type: "button", class: "nbf-button", ...props }, text));
  el.addEventListener("click", act);
  return el;
}

/** A button that is only an icon; the label is its name and its tooltip. */
export function iconButton(name: IconName, label: string, act: () => void): HTMLButtonElement {
  const el = suppressShortcuts(
    h("button", { type: "button", class: `nbf-icon nbf-icon-${name}`, "aria-label": label, title: label }, icon(name)),
  );
  el.addEventListener("click", (event) => {
    event.stopPropagation();
    act();
  });
  return el;
}

/** A progress bar. */
export class Bar {
  readonly el: HTMLElement;
  readonly #fill = h("i");
  #share = -1;

  constructor(label: string) {
    this.el = h(
      "div",
      { class: "nbf-bar", role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 },
      this.#fill,
    );
  }

  /** Shows a share of 0 to 1; more counts as 1. */
  show(share: number): void {
    const next = Number.isFinite(share) ? Math.max(0, Math.min(1, share)) : 0;
    if (next === this.#share) return;
    this.#share = next;
    this.#fill.style.width = `${100 * next}%`;
    this.el.setAttribute("aria-valuenow", String(Math.floor(next * 100)));
  }
}
