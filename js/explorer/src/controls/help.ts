/** The list of keys and gestures, which `?` opens and closes. */

import { h, suppressShortcuts } from "../../../common/src/dom";

const KEYS: [string, string][] = [
  ["← →", "one step back, ahead"],
  ["Shift ← →, Page", "one season"],
  ["Home, End", "first, newest origin"],
  ["W, N", "worst, next worst"],
  ["Shift W", "worst of all series"],
  ["S", "next surprise"],
  ["R", "random origin"],
  ["P", "earlier forecasts"],
  ["F", "pin this forecast, unpin"],
  ["C, Shift C", "copy the values, the Python"],
  ["[ ]", "select origins from, to here"],
  ["Space", "play, pause"],
  ["+ − 0", "zoom in, out, back"],
  ["Click", "origin there"],
  ["Drag", "zoom to a stretch"],
  ["Drag in the strip", "select origins"],
  ["Shift drag, sideways wheel", "pan"],
  ["Ctrl wheel", "zoom"],
  ["Double click", "zoom back"],
  ["Esc", "leave the chart"],
];

/** The button and its list. */
export class Help {
  readonly button: HTMLButtonElement;
  readonly el = h("div", { class: "nbf-help", role: "dialog", "aria-label": "Keys and gestures", hidden: true });

  constructor(signal: AbortSignal) {
    const rows = KEYS.map(([key, what]) => h("tr", {}, h("th", { scope: "row" }, key), h("td", {}, what)));
    this.el.append(h("table", {}, h("tbody", {}, ...rows)));
    const props = {
      type: "button",
      class: "nbf-button nbf-ask",
      title: "Keys and gestures (?)",
      "aria-expanded": "false",
    };
    this.button = suppressShortcuts(h("button", { ...props, "aria-label": "Keys and gestures" }, "?"));
    this.button.addEventListener("click", () => this.toggle(), { signal });
  }

  toggle(open = this.el.hidden): void {
    this.el.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
  }
}
