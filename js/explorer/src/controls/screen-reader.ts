/** The chart for screen readers: in words, once the origin rests, and as a table. */

import { h, setText } from "../../../common/src/dom";
import { ahead, decimal, distinctNumbers } from "../../../common/src/format";
import { ENDS } from "../state/quantiles";
import type { Forecast } from "../state/row-cache";

const REST = 700;
/** Most steps in the table; longer horizons are thinned. */
const MAX_STEPS = 60;

/** What screen readers read. */
export interface Description {
  text: string;
  forecast: Forecast | null;
  /** The observation for each step; NaN where there is none. */
  actual: Float64Array;
  horizon: number;
  /** Seconds between steps. */
  step: number | null;
  target: string;
}

/** The live region and the table. */
export class LiveRegion {
  readonly live = h("div", { class: "nbf-sr", "aria-live": "polite", role: "status" });
  readonly table = h("table", { class: "nbf-sr" });
  #timer: ReturnType<typeof setTimeout> | undefined;
  #text = "";

  constructor(signal: AbortSignal) {
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** Announces a text once it has stayed the same for a while; `describe` is called only then. */
  announce(text: string, describe: () => Description): void {
    // A run that goes on repaints many times a second: the same text does not wait anew.
    if (text === this.#text) return;
    this.#text = text;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const description = describe();
      setText(this.live, description.text);
      this.#fill(description);
    }, REST);
  }

  /** Says a text in place of a forecast, at once. */
  clear(text: string): void {
    if (text === this.#text) return;
    this.#text = text;
    clearTimeout(this.#timer);
    setText(this.live, text);
    this.table.replaceChildren();
  }

  #fill(d: Description): void {
    const head = ["Ahead", "Median", "80 % from", "80 % to", "Observed"].map((name) => h("th", { scope: "col" }, name));
    const body: HTMLElement[] = [];
    const every = Math.ceil(d.horizon / MAX_STEPS);
    if (d.forecast?.filled) {
      const { ends } = d.forecast;
      for (let s = every - 1; s < d.horizon; s += every) {
        const numbers = [...[3, 1, 5].map((q) => decimal(ends[s * ENDS + q])), d.actual[s] ?? NaN];
        const cells = distinctNumbers(numbers, 4).map((text) => h("td", {}, text));
        body.push(h("tr", {}, h("th", { scope: "row" }, ahead(s + 1, d.step)), ...cells));
      }
    }
    const caption = h("caption", {}, `Forecast shown${d.target ? ` (${d.target})` : ""}. ${d.text}`);
    this.table.replaceChildren(caption, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...body));
  }
}
