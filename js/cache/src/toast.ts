/** A line with the outcome of an action; screen readers read it as well. */

import { h, setText, suppressShortcuts } from "../../common/src/dom";

const VISIBLE = 8000;

/** Shows one sentence at a time. */
export class Toast {
  readonly el: HTMLElement;
  readonly #text = h("span");
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    const close = suppressShortcuts(
      h("button", { type: "button", class: "nbf-dismiss", "aria-label": "Dismiss" }, "×"),
    );
    close.addEventListener("click", () => this.clear());
    this.el = h("div", { class: "nbf-notice", role: "status", "aria-live": "polite" }, this.#text, close);
    this.clear();
  }

  /** A fault stays until the next sentence, anything else disappears after a while. */
  show(text: string, isFault = false): void {
    clearTimeout(this.#timer);
    setText(this.#text, text);
    this.el.classList.toggle("nbf-fault", isFault);
    this.el.classList.toggle("nbf-quiet", text === "");
    if (text && !isFault) this.#timer = setTimeout(() => this.clear(), VISIBLE);
  }

  clear(): void {
    this.show("");
  }
}
