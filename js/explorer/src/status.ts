/** The line at the foot and the bar at the top: how the run goes, and whether the kernel answers. */

import { h, keyed, say } from "../../common/src/dom";
import { count, duration, plural, rate } from "../../common/src/format";
import type { ProgressMessage } from "./protocol";

/** The run in words. */
export function progressText(p: ProgressMessage): string {
  const done = Math.min(p.available, Math.max(p.inferred, p.calculated));
  if (p.error) return `Stopped: ${p.error}`;
  if (p.cancelled) return `Cancelled after ${count(done)} of ${plural(p.available, "origin")}`;
  if (p.done) {
    const reused = p.reused ? `, ${count(p.reused)} from the cache` : "";
    return `${plural(p.available, "origin")} done${reused}${p.note}`;
  }
  const parts = [`${count(done)} of ${plural(p.available, "origin")}`];
  if (p.rate !== null && p.rate > 0) parts.push(rate(p.rate));
  if (p.left !== null) parts.push(`${duration(p.left)} left`);
  return parts.join(" · ");
}

export class StatusLine {
  readonly bar = h("div", { class: "nbf-progress", role: "progressbar", "aria-label": "Origins forecast", hidden: true }, h("i"));
  readonly el = h("div", { class: "nbf-status" });
  private readonly text = h("span", { class: "nbf-run" });
  private readonly badge = h("span", { class: "nbf-badge", hidden: true }, "kernel busy: it will catch up");
  private readonly fault = h("span", { class: "nbf-fault", hidden: true });
  private readonly button: HTMLButtonElement;

  constructor(cancel: () => void, signal: AbortSignal) {
    this.button = keyed(h("button", { type: "button", class: "nbf-button nbf-cancel", hidden: true }, "Cancel"));
    this.button.addEventListener("click", cancel, { signal });
    // The button first: it must not move with the numbers.
    this.el.append(this.badge, this.button, this.text, this.fault);
  }

  busy(on: boolean): void {
    this.badge.hidden = !on;
  }

  show(progress: ProgressMessage | null, live: boolean, fault: string): void {
    const running = progress !== null && !progress.done && !progress.cancelled && !progress.error;
    say(this.text, progress ? progressText(progress) : "");
    this.button.hidden = !(running && live);
    this.bar.hidden = !running;
    if (progress && running) {
      const share = progress.available ? Math.min(1, Math.max(progress.inferred, progress.calculated) / progress.available) : 0;
      (this.bar.firstElementChild as HTMLElement).style.transform = `scaleX(${share})`;
      this.bar.setAttribute("aria-valuenow", String(Math.round(share * 100)));
    }
    say(this.fault, fault);
    this.fault.hidden = !fault;
  }
}
