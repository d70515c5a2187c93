/** For those who hear or feel the chart: what it shows in words, said when the movement rests, and as a table. */

import { h, say } from "../../common/src/dom";
import { ahead, decimalsFor, value } from "../../common/src/format";
import { ENDS } from "./protocol";
import type { Row } from "./rows";

const REST = 700;
/** Most steps in the table; longer horizons are thinned. */
const MOST_STEPS = 60;

export interface Told {
  words: string;
  row: Row | null;
  /** Observed, one a step; NaN where not known. */
  actual: Float64Array;
  horizon: number;
  /** Seconds a step. */
  step: number | null;
  target: string;
}

export class Hearing {
  readonly live = h("div", { class: "nbf-sr", "aria-live": "polite", role: "status" });
  readonly table = h("table", { class: "nbf-sr" });
  private timer: ReturnType<typeof setTimeout> | undefined;
  private heard = "";

  constructor(signal: AbortSignal) {
    signal.addEventListener("abort", () => clearTimeout(this.timer));
  }

  /** To be said once the words have stayed the same for a while; the rest is made only then. */
  tell(words: string, what: () => Told): void {
    // A run that goes on repaints many times a second: the same words do not wait anew.
    if (words === this.heard) return;
    this.heard = words;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const told = what();
      say(this.live, told.words);
      this.fill(told);
    }, REST);
  }

  private fill(t: Told): void {
    const head = ["Ahead", "Median", "80 % from", "80 % to", "Observed"].map((name) => h("th", { scope: "col" }, name));
    const body: HTMLElement[] = [];
    const every = Math.ceil(t.horizon / MOST_STEPS);
    if (t.row?.filled) {
      const { ends } = t.row;
      const decimals = decimalsFor(Math.max(Math.abs(ends[ends.length - 1] - ends[ends.length - ENDS]), 1e-9));
      for (let s = every - 1; s < t.horizon; s += every) {
        const cells = [3, 1, 5].map((q) => h("td", {}, value(ends[s * ENDS + q], decimals)));
        body.push(h("tr", {}, h("th", { scope: "row" }, ahead(s + 1, t.step)), ...cells, h("td", {}, value(t.actual[s], decimals))));
      }
    }
    const caption = h("caption", {}, `Forecast shown${t.target ? ` (${t.target})` : ""}. ${t.words}`);
    this.table.replaceChildren(caption, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...body));
  }
}
