/** A menu inside the view: of the whole cache, or of one entry. */

import { h, suppressShortcuts } from "../../common/src/dom";

/** An item of a menu. */
export interface MenuItem {
  label: string;
  act: () => void;
  /** Why it cannot be chosen; its tooltip. */
  disabled?: string;
  /** Whether it begins a new group. */
  separated?: boolean;
}

/** The menu. */
export class Menu {
  readonly el = suppressShortcuts(h("div", { class: "nbf-menu", role: "menu", tabindex: -1, hidden: true }));
  #origin: HTMLElement | null = null;
  readonly #container: HTMLElement;

  constructor(container: HTMLElement, signal: AbortSignal) {
    this.#container = container;
    this.el.addEventListener("keydown", (event) => this.#key(event));
    const outside = (event: Event): void => {
      if (!this.el.hidden && !event.composedPath().includes(this.el)) this.close(false);
    };
    document.addEventListener("pointerdown", outside, { capture: true, signal });
    window.addEventListener("blur", () => this.close(false), { signal });
  }

  /** Opens at a point of the page; the focus returns to `origin`. */
  open(items: readonly MenuItem[], x: number, y: number, origin: HTMLElement): void {
    this.#origin = origin;
    this.el.replaceChildren(...items.map((item) => this.#item(item)));
    this.el.hidden = false;
    const frame = this.#container.getBoundingClientRect();
    const left = Math.min(x - frame.left, frame.width - this.el.offsetWidth - 6);
    const below = y - frame.top;
    // Above the point where it would be cut off below.
    const top =
      below + this.el.offsetHeight > frame.height - 4 && below > this.el.offsetHeight
        ? below - this.el.offsetHeight
        : below;
    this.el.style.left = `${Math.max(4, left)}px`;
    this.el.style.top = `${top}px`;
    this.#choices[0]?.focus({ preventScroll: true });
  }

  close(focus = true): void {
    if (this.el.hidden) return;
    this.el.hidden = true;
    if (focus) this.#origin?.focus({ preventScroll: true });
  }

  get #choices(): HTMLElement[] {
    return [...this.el.querySelectorAll<HTMLElement>("[role=menuitem]")];
  }

  #item({ label, act, disabled, separated }: MenuItem): HTMLElement {
    const props = {
      type: "button",
      role: "menuitem",
      tabindex: -1,
      class: separated ? "nbf-apart" : undefined,
      title: disabled,
      "aria-disabled": disabled !== undefined,
    };
    const el = suppressShortcuts(h("button", props, label));
    el.addEventListener("click", () => {
      if (disabled !== undefined) return;
      this.close();
      act();
    });
    el.addEventListener("pointermove", () => el.focus({ preventScroll: true }));
    return el;
  }

  #key(event: KeyboardEvent): void {
    const choices = this.#choices;
    const index = choices.indexOf(event.target as HTMLElement);
    const next = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: -1 }[event.key];
    if (next !== undefined) choices.at(next % choices.length)?.focus();
    else if (event.key === "Escape" || event.key === "Tab") this.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
