/** Asks inside the view before something goes, and says what that is. */

import { h, keyed } from "../../common/src/dom";
import { button } from "./button";

export interface Question {
  title: string;
  /** What will go, in words; called again whenever a choice is made. */
  words: () => string;
  confirm: string;
  act: () => void;
  choices?: readonly Choice[];
}

/** Something to be chosen before; `set` is called at once with the first option, or the one that is `chosen`. */
export interface Choice {
  label: string;
  options: readonly (readonly [value: string, text: string])[];
  chosen?: string;
  set: (value: string) => void;
}

export class Ask {
  readonly el = h("div", { class: "nbf-ask", role: "alertdialog", "aria-label": "Confirm", hidden: true });
  private back: HTMLElement | null = null;
  private closed: () => void = () => undefined;

  constructor() {
    this.el.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      this.close();
    });
  }

  /** Shows a question; focus goes back to `back`, and `closed` is told, however it ends. */
  show(question: Question, back: HTMLElement, closed: () => void = () => undefined): void {
    this.close(false);
    [this.back, this.closed] = [back, closed];
    const words = h("p", { class: "nbf-words" });
    const renew = (): void => {
      words.textContent = question.words();
    };
    const choices = (question.choices ?? []).map((choice) => this.choice(choice, renew));
    const confirm = button(question.confirm, () => {
      this.close();
      question.act();
    }, { class: "nbf-button nbf-danger" });
    const buttons = h("div", { class: "nbf-buttons" }, confirm, button("Cancel", () => this.close()));
    this.el.replaceChildren(h("strong", {}, question.title), ...choices, words, buttons);
    this.el.setAttribute("aria-label", question.title);
    renew();
    this.el.hidden = false;
    (this.el.querySelector("select") ?? confirm).focus({ preventScroll: true });
  }

  close(focus = true): void {
    if (this.el.hidden) return;
    this.el.hidden = true;
    this.el.replaceChildren();
    this.closed();
    if (focus && this.back?.isConnected) this.back.focus({ preventScroll: true });
  }

  private choice({ label, options, chosen, set }: Choice, renew: () => void): HTMLElement {
    const made = options.map(([value, text]) => h("option", { value, selected: value === chosen }, text));
    const select = keyed(h("select", { class: "nbf-select" }, ...made));
    set(select.value);
    select.addEventListener("change", () => {
      set(select.value);
      renew();
    });
    return h("label", { class: "nbf-choice" }, h("span", {}, label), select);
  }
}
