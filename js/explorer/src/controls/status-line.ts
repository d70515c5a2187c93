/** The line at the foot and the bar at the top: the progress of the run, and whether the kernel answers. */

import { h, setText, suppressShortcuts } from "../../../common/src/dom";
import { duration, integer, plural, rate } from "../../../common/src/format";
import type { ProgressMessage } from "../wire/messages";

/** The progress of a run in words. */
export function progressText(p: ProgressMessage): string {
  const finished = Math.min(p.available, Math.max(p.inferred, p.calculated));
  if (p.error) return `Stopped: ${p.error}`;
  if (p.cancelled) return `Cancelled after ${integer(finished)} of ${plural(p.available, "origin")}`;
  if (p.done) {
    const reused = p.reused ? `, ${integer(p.reused)} from the cache` : "";
    return `${plural(p.available, "origin")} done${reused}${p.note}`;
  }
  const parts = [`${integer(finished)} of ${plural(p.available, "origin")}`];
  if (p.rate !== null && p.rate > 0) parts.push(rate(p.rate));
  if (p.eta_seconds !== null) parts.push(`${duration(p.eta_seconds)} left`);
  return parts.join(" · ");
}

const GONE = "kernel gone: what is loaded still works; run the cell again for the rest";

/** The line and the bar. */
export class StatusLine {
  readonly bar = h(
    "div",
    { class: "nbf-progress", role: "progressbar", "aria-label": "Origins forecast", hidden: true },
    h("i"),
  );
  readonly el = h("div", { class: "nbf-status" });
  readonly #text = h("span", { class: "nbf-run" });
  readonly #badge = h("span", { class: "nbf-badge", hidden: true });
  readonly #fault = h("span", { class: "nbf-fault", hidden: true });
  readonly #button: HTMLButtonElement;

  constructor(cancel: () => void, signal: AbortSignal) {
    this.#button = suppressShortcuts(
      h("button", { type: "button", class: "nbf-button nbf-cancel", hidden: true }, "Cancel"),
    );
    this.#button.addEventListener("click", cancel, { signal });
    // The button comes first, so that it does not move with the numbers.
    this.el.append(this.#badge, this.#button, this.#text, this.#fault);
  }

  /** `live`: whether a kernel answers at all; `busy`: whether it owes an answer; `gone`: whether it is gone for good. */
  show(progress: ProgressMessage | null, live: boolean, busy: boolean, gone: boolean, fault: string): void {
    this.#badge.hidden = !busy && !gone;
    setText(this.#badge, gone ? GONE : "kernel busy: it will catch up");
    const isRunning = progress !== null && !progress.done && !progress.cancelled && !progress.error && !gone;
    setText(this.#text, progress ? progressText(progress) : "");
    this.#button.hidden = !(isRunning && live);
    this.bar.hidden = !isRunning;
    if (progress && isRunning) {
      const share = progress.available
        ? Math.min(1, Math.max(progress.inferred, progress.calculated) / progress.available)
        : 0;
      (this.bar.firstElementChild as HTMLElement).style.transform = `scaleX(${share})`;
      this.bar.setAttribute("aria-valuenow", String(Math.round(share * 100)));
    }
    setText(this.#fault, fault);
    this.#fault.hidden = !fault;
  }
}
