/** Buttons of the view, and thin bars. */

import { h, keyed } from "../../common/src/dom";
import { icon, type IconName } from "./icons";

export function button(text: string, act: () => void, props: Record<string, string> = {}): HTMLButtonElement {
  const el = keyed(h("button", { type: "button", class: "nbf-button", ...props }, text));
  el.addEventListener("click", act);
  return el;
}

/** A button that is only an icon; its label is what it is called, and its tooltip. */
export function iconButton(name: IconName, label: string, act: () => void): HTMLButtonElement {
  const el = keyed(h("button", { type: "button", class: `nbf-icon nbf-icon-${name}`, "aria-label": label, title: label }, icon(name)));
  el.addEventListener("click", (event) => {
    event.stopPropagation();
    act();
  });
  return el;
}

export class Bar {
  readonly el: HTMLElement;
  private readonly fill = h("i");
  private share = -1;

  constructor(label: string) {
    this.el = h("div", { class: "nbf-bar", role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 }, this.fill);
  }

  /** Of 0 .. 1; what is more counts as 1. */
  show(share: number): void {
    const next = Number.isFinite(share) ? Math.max(0, Math.min(1, share)) : 0;
    if (next === this.share) return;
    this.share = next;
    this.fill.style.width = `${100 * next}%`;
    this.el.setAttribute("aria-valuenow", String(Math.floor(next * 100)));
  }
}
