/** The line that says what was done, or why not; heard by screen readers as well. */

import { h, keyed, say } from "../../common/src/dom";

const READ = 8000;

export class Notice {
  readonly el: HTMLElement;
  private readonly text = h("span");
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    const close = keyed(h("button", { type: "button", class: "nbf-dismiss", "aria-label": "Dismiss" }, "×"));
    close.addEventListener("click", () => this.clear());
    this.el = h("div", { class: "nbf-notice", role: "status", "aria-live": "polite" }, this.text, close);
    this.clear();
  }

  /** What went wrong stays until the next word, the rest goes by itself. */
  tell(text: string, fault = false): void {
    clearTimeout(this.timer);
    say(this.text, text);
    this.el.classList.toggle("nbf-fault", fault);
    this.el.classList.toggle("nbf-quiet", text === "");
    if (text && !fault) this.timer = setTimeout(() => this.clear(), READ);
  }

  clear(): void {
    this.tell("");
  }
}
