/** The badge of live data: live, late or failed, and the way back to the newest origin. */

import { h, setText, suppressShortcuts } from "../../../common/src/dom";
import type { LiveMessage } from "../wire/messages";

const WORDS: Record<LiveMessage["state"], string> = {
  waiting: "Waiting",
  live: "Live",
  late: "Late",
  failed: "Failed",
  stopped: "Stopped",
};

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });

/** A moment in words: the time of day, or the date where that is another day. */
export function moment(since: number, now: number): string {
  const [then, today] = [new Date(since), new Date(now)];
  return then.toDateString() === today.toDateString() ? clock.format(then) : date.format(then);
}

/** What the badge says. */
export function badgeText({ state, since }: LiveMessage, now = Date.now()): string {
  const isOld = since !== null && (state === "late" || state === "failed");
  return isOld ? `${WORDS[state]} since ${moment(since, now)}` : WORDS[state];
}

/** The badge and its button. */
export class LiveBadge {
  readonly el = h("span", { class: "nbf-live", hidden: true });
  readonly #text = h("span", { role: "status" });
  readonly #back: HTMLButtonElement;

  constructor(back: () => void) {
    const title = "Follow the newest origin again (End)";
    this.#back = suppressShortcuts(
      h("button", { type: "button", class: "nbf-button nbf-back", title, hidden: true }, "Back to live"),
    );
    this.#back.addEventListener("click", back);
    this.el.append(h("i", { "aria-hidden": "true" }), this.#text, this.#back);
  }

  /** `live`: null where the data do not grow; `isNewest`: whether the newest origin is in view; `gone`: whether the kernel is. */
  show(live: LiveMessage | null, isNewest: boolean, gone: boolean): void {
    this.el.hidden = !live;
    if (!live) return;
    const state = gone ? "stopped" : live.state;
    this.el.dataset.state = state;
    this.el.title = gone ? "The kernel is gone: nothing follows." : live.text;
    setText(this.#text, gone ? WORDS.stopped : badgeText(live));
    this.#back.hidden = isNewest;
  }
}
