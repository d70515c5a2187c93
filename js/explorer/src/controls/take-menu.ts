/** The menu of what can be taken along: values, code and links to copy, pictures and tables to save. */

import { h, setText, suppressShortcuts } from "../../../common/src/dom";

/** What can be taken along. */
export type Taken = "value" | "code" | "link" | "png" | "svg" | "csv";

const ITEMS: [Taken, string, string][] = [
  ["value", "Copy the values", "C"],
  ["code", "Copy as Python", "Shift C"],
  ["link", "Copy a link", ""],
  ["png", "Save as PNG", ""],
  ["svg", "Save as SVG", ""],
  ["csv", "Save as CSV", ""],
];

/** How long the button says what was done, ms. */
const NOTE = 1600;

/** The button and its list. */
export class TakeMenu {
  readonly el: HTMLElement;
  readonly #button: HTMLButtonElement;
  readonly #list = h("div", { class: "nbf-pop nbf-take", role: "menu", "aria-label": "Take along", hidden: true });
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(take: (what: Taken) => void, signal: AbortSignal) {
    const props = { type: "button", class: "nbf-button", "aria-haspopup": "menu", "aria-expanded": "false" };
    this.#button = suppressShortcuts(h("button", { ...props, title: "Copy or save what is shown" }, "Copy"));
    this.el = suppressShortcuts(h("div", { class: "nbf-picker" }, this.#button, this.#list));
    for (const [what, text, key] of ITEMS) {
      const props = { type: "button", role: "menuitem", "data-what": what };
      const item = suppressShortcuts(h("button", props, h("span", {}, text), h("kbd", {}, key)));
      item.addEventListener(
        "click",
        () => {
          this.#open(false);
          take(what);
        },
        { signal },
      );
      this.#list.append(item);
    }
    this.#button.addEventListener("click", () => this.#open(this.#list.hidden), { signal });
    this.el.addEventListener("keydown", (e) => this.#press(e), { signal });
    this.el.addEventListener(
      "focusout",
      (e) => !this.el.contains(e.relatedTarget as Node | null) && this.#open(false, false),
      { signal },
    );
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** Says for a moment what was done. */
  note(text: string): void {
    setText(this.#button, text);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => setText(this.#button, "Copy"), NOTE);
  }

  /** A link leads to a page: without one there is none to copy. */
  set hasLinks(on: boolean) {
    (this.#list.querySelector("[data-what=link]") as HTMLElement).hidden = !on;
  }

  #open(on: boolean, keepsFocus = true): void {
    if (this.#list.hidden !== on) return;
    this.#list.hidden = !on;
    this.#button.setAttribute("aria-expanded", String(on));
    if (on) this.#items[0].focus({ preventScroll: true });
    else if (keepsFocus) this.#button.focus({ preventScroll: true });
  }

  get #items(): HTMLElement[] {
    return [...this.#list.querySelectorAll<HTMLElement>("button:not([hidden])")];
  }

  #press(e: KeyboardEvent): void {
    if (this.#list.hidden) return;
    const items = this.#items;
    const at = items.indexOf(e.target as HTMLElement);
    const step = e.key === "ArrowDown" ? 1 : e.key === "ArrowUp" ? -1 : 0;
    if (step) items[(at + step + items.length) % items.length].focus({ preventScroll: true });
    else if (e.key === "Escape") this.#open(false);
    else if (e.key !== "Enter" && e.key !== " ") return;
    e.stopPropagation();
    if (e.key !== "Enter" && e.key !== " ") e.preventDefault();
  }
}
