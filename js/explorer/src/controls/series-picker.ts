/** The series picker: a button that opens a list with a search box; made for thousands of series. */

import { h, setText, suppressShortcuts } from "../../../common/src/dom";
import { integer } from "../../../common/src/format";

/** Most items in the list. */
export const MAX_ITEMS = 200;

/** What a search finds. */
export interface SearchResult {
  /** Positions, in order; at most `MAX_ITEMS`. */
  positions: number[];
  total: number;
}

/** Names that hold all the words of a query, those that begin with it first; case does not matter. */
export function search(names: readonly string[], query: string, most = MAX_ITEMS): SearchResult {
  const words = query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const start: number[] = [];
  const rest: number[] = [];
  names.forEach((name, i) => {
    const low = name.toLocaleLowerCase();
    if (!words.every((w) => low.includes(w))) return;
    (words.length && low.startsWith(words[0]) ? start : rest).push(i);
  });
  return { positions: [...start, ...rest].slice(0, most), total: start.length + rest.length };
}

let pickers = 0;

/** The picker. */
export class SeriesPicker {
  readonly el = h("div", { class: "nbf-picker" });
  readonly #id = `nbf-list-${++pickers}`;
  readonly #button: HTMLButtonElement;
  readonly #label = h("span", { class: "nbf-picked" });
  readonly #popup = h("div", { class: "nbf-pop", hidden: true });
  readonly #input: HTMLInputElement;
  readonly #list: HTMLUListElement;
  readonly #more = h("div", { class: "nbf-more" });
  #positions: number[] = [];
  #active = 0;
  #names: string[] = [];
  #current = 0;
  readonly #pick: (position: number) => void;

  constructor(pick: (position: number) => void, signal: AbortSignal) {
    this.#pick = pick;
    const expanded = { "aria-haspopup": "listbox", "aria-expanded": "false" };
    this.#button = suppressShortcuts(h("button", { type: "button", class: "nbf-select", ...expanded }, this.#label));
    this.#input = suppressShortcuts(
      h("input", {
        type: "text",
        class: "nbf-search",
        placeholder: "Find a series",
        role: "combobox",
        autocomplete: "off",
        spellcheck: "false",
        "aria-label": "Find a series",
        "aria-expanded": "true",
        "aria-controls": this.#id,
        "aria-autocomplete": "list",
      }),
    );
    this.#list = h("ul", { role: "listbox", id: this.#id, class: "nbf-list", "aria-label": "Series" });
    this.#popup.append(this.#input, this.#list, this.#more);
    this.el.append(this.#button, this.#popup);
    this.#button.addEventListener("click", () => this.#toggle(this.#popup.hidden), { signal });
    this.#input.addEventListener("input", () => this.#filter(), { signal });
    this.#input.addEventListener("keydown", (e) => this.#key(e), { signal });
    this.#list.addEventListener("pointerdown", (e) => e.preventDefault(), { signal });
    this.#list.addEventListener("click", (e) => this.#click(e), { signal });
    this.el.addEventListener(
      "focusout",
      (e) => {
        if (!this.el.contains(e.relatedTarget as Node | null)) this.#toggle(false);
      },
      { signal },
    );
  }

  /** Shows which series there are, and which one is chosen. */
  show(names: string[], current: number): void {
    this.#names = names;
    this.#current = current;
    setText(this.#label, names[current] || "series");
    this.#button.setAttribute("aria-label", `Series: ${names[current] ?? ""}`);
    this.el.hidden = names.length < 2;
  }

  #toggle(open: boolean): void {
    this.#popup.hidden = !open;
    this.#button.setAttribute("aria-expanded", String(open));
    if (!open) return;
    this.#input.value = "";
    this.#filter();
    const item = this.#positions.indexOf(this.#current);
    if (item >= 0) this.#mark(item);
    this.#input.focus();
  }

  #filter(): void {
    const { positions, total } = search(this.#names, this.#input.value);
    this.#positions = positions;
    this.#list.replaceChildren(
      ...positions.map((position, i) => {
        const isChosen = String(position === this.#current);
        return h(
          "li",
          { role: "option", id: `${this.#id}-${i}`, "aria-selected": isChosen, "data-at": i },
          this.#names[position] || "(no name)",
        );
      }),
    );
    setText(
      this.#more,
      total > positions.length
        ? `${integer(total - positions.length)} more: keep typing`
        : total
          ? ""
          : "No series of that name",
    );
    this.#more.hidden = !this.#more.textContent;
    this.#mark(0);
  }

  #mark(item: number): void {
    this.#list.children[this.#active]?.classList.remove("nbf-active");
    this.#active = Math.max(0, Math.min(this.#positions.length - 1, item));
    const el = this.#list.children[this.#active];
    if (!el) {
      this.#input.removeAttribute("aria-activedescendant");
      return;
    }
    el.classList.add("nbf-active");
    this.#input.setAttribute("aria-activedescendant", el.id);
    // The list alone scrolls, never the notebook.
    const [top, bottom] = [
      (el as HTMLElement).offsetTop,
      (el as HTMLElement).offsetTop + (el as HTMLElement).offsetHeight,
    ];
    if (top < this.#list.scrollTop) this.#list.scrollTop = top;
    else if (bottom > this.#list.scrollTop + this.#list.clientHeight)
      this.#list.scrollTop = bottom - this.#list.clientHeight;
  }

  #key(e: KeyboardEvent): void {
    const step: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
    if (e.key in step) this.#mark(this.#active + step[e.key]);
    else if (e.key === "Enter") this.#choose(this.#active);
    else if (e.key === "Escape") {
      this.#toggle(false);
      this.#button.focus();
    } else return;
    e.preventDefault();
    e.stopPropagation();
  }

  #click(e: Event): void {
    const li = (e.target as Element).closest<HTMLElement>("li");
    if (li?.dataset.at) this.#choose(Number(li.dataset.at));
  }

  #choose(item: number): void {
    const position = this.#positions[item];
    if (position === undefined) return;
    this.#toggle(false);
    this.#button.focus();
    this.#pick(position);
  }
}
