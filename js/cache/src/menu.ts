/** A menu inside the view: of the whole cache, or of one entry. */

import { h, keyed } from "../../common/src/dom";

export interface Item {
  label: string;
  act: () => void;
  /** Why it cannot be chosen; shown as its tooltip. */
  not?: string;
  /** Begins a new group. */
  apart?: boolean;
}

export class Menu {
  readonly el = keyed(h("div", { class: "nbf-menu", role: "menu", tabindex: -1, hidden: true }));
  private back: HTMLElement | null = null;

  constructor(private readonly within: HTMLElement, signal: AbortSignal) {
    this.el.addEventListener("keydown", (event) => this.key(event));
    const outside = (event: Event): void => {
      if (!this.el.hidden && !event.composedPath().includes(this.el)) this.close(false);
    };
    document.addEventListener("pointerdown", outside, { capture: true, signal });
    window.addEventListener("blur", () => this.close(false), { signal });
  }

  /** Opens at a point of the page; focus goes back to `back`. */
  open(items: readonly Item[], x: number, y: number, back: HTMLElement): void {
    this.back = back;
    this.el.replaceChildren(...items.map((item) => this.item(item)));
    this.el.hidden = false;
    const frame = this.within.getBoundingClientRect();
    const left = Math.min(x - frame.left, frame.width - this.el.offsetWidth - 6);
    const below = y - frame.top;
    // Above the point where it would be cut off below.
    const top = below + this.el.offsetHeight > frame.height - 4 && below > this.el.offsetHeight ? below - this.el.offsetHeight : below;
    this.el.style.left = `${Math.max(4, left)}px`;
    this.el.style.top = `${top}px`;
    this.choices[0]?.focus({ preventScroll: true });
  }

  close(focus = true): void {
    if (this.el.hidden) return;
    this.el.hidden = true;
    if (focus) this.back?.focus({ preventScroll: true });
  }

  private get choices(): HTMLElement[] {
    return [...this.el.querySelectorAll<HTMLElement>("[role=menuitem]")];
  }

  private item({ label, act, not, apart }: Item): HTMLElement {
    const props = { type: "button", role: "menuitem", tabindex: -1, class: apart ? "nbf-apart" : undefined, title: not, "aria-disabled": not !== undefined };
    const el = keyed(h("button", props, label));
    el.addEventListener("click", () => {
      if (not !== undefined) return;
      this.close();
      act();
    });
    el.addEventListener("pointermove", () => el.focus({ preventScroll: true }));
    return el;
  }

  private key(event: KeyboardEvent): void {
    const choices = this.choices;
    const at = choices.indexOf(event.target as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (to !== undefined) choices.at(to % choices.length)?.focus();
    else if (event.key === "Escape" || event.key === "Tab") this.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
