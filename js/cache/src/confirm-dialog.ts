/** The dialog inside the view that confirms the removal of entries. */

import { h, suppressShortcuts } from "../../common/src/dom";
import { button } from "./buttons";

/** A question with its button. */
export interface Question {
  title: string;
  /** What is removed, in words; called again whenever a choice changes. */
  describe: () => string;
  confirm: string;
  act: () => void;
  choices?: readonly (Choice | TextField)[];
  /** Whether nothing is removed, so that the button does not warn. */
  harmless?: boolean;
  /** Whether the focus begins on the button, since the choices are seldom needed. */
  focusesButton?: boolean;
}

/** An option to choose; `set` is called at once with the first value, or the `initial` one. */
export interface Choice {
  label: string;
  options: readonly (readonly [value: string, text: string])[];
  initial?: string;
  set: (value: string) => void;
}

/** A text to write; `set` is called with every change. */
export interface TextField {
  label: string;
  placeholder: string;
  set: (value: string) => void;
}

/** The dialog. */
export class ConfirmDialog {
  readonly el = h("div", { class: "nbf-ask", role: "alertdialog", "aria-label": "Confirm", hidden: true });
  #origin: HTMLElement | null = null;
  #onClose: () => void = () => undefined;

  constructor() {
    this.el.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      this.close();
    });
  }

  /** Shows a question; however it ends, the focus returns to `origin` and `onClose` is called. */
  show(question: Question, origin: HTMLElement, onClose: () => void = () => undefined): void {
    this.close(false);
    [this.#origin, this.#onClose] = [origin, onClose];
    const description = h("p", { class: "nbf-words" });
    const update = (): void => {
      description.textContent = question.describe();
    };
    const choices = (question.choices ?? []).map((choice) =>
      "options" in choice ? this.#choice(choice, update) : this.#field(choice, update, () => confirm.click()),
    );
    const confirm = button(
      question.confirm,
      () => {
        this.close();
        question.act();
      },
      { class: question.harmless ? "nbf-button nbf-primary" : "nbf-button nbf-danger" },
    );
    const buttons = h(
      "div",
      { class: "nbf-buttons" },
      confirm,
      button("Cancel", () => this.close()),
    );
    this.el.replaceChildren(h("strong", {}, question.title), ...choices, description, buttons);
    this.el.setAttribute("aria-label", question.title);
    update();
    this.el.hidden = false;
    const first = question.focusesButton ? null : this.el.querySelector<HTMLElement>("select, input");
    (first ?? confirm).focus({ preventScroll: true });
  }

  close(focus = true): void {
    if (this.el.hidden) return;
    this.el.hidden = true;
    this.el.replaceChildren();
    this.#onClose();
    if (focus && this.#origin?.isConnected) this.#origin.focus({ preventScroll: true });
  }

  #choice({ label, options, initial, set }: Choice, update: () => void): HTMLElement {
    const items = options.map(([value, text]) => h("option", { value, selected: value === initial }, text));
    const select = suppressShortcuts(h("select", { class: "nbf-select" }, ...items));
    set(select.value);
    select.addEventListener("change", () => {
      set(select.value);
      update();
    });
    return h("label", { class: "nbf-choice" }, h("span", {}, label), select);
  }

  #field({ label, placeholder, set }: TextField, update: () => void, submit: () => void): HTMLElement {
    const input = suppressShortcuts(
      h("input", { class: "nbf-filter", type: "text", placeholder, spellcheck: "false" }),
    );
    input.addEventListener("input", () => {
      set(input.value.trim());
      update();
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") submit();
    });
    return h("label", { class: "nbf-choice" }, h("span", {}, label), input);
  }
}
