/** The series picker: a button that opens a searched list; made for thousands of series. */

import { h, keyed, say } from "../../common/src/dom";
import { count } from "../../common/src/format";

/** Most entries shown at once. */
export const MOST_SHOWN = 200;

export interface Found {
  /** Positions, in order; at most `MOST_SHOWN`. */
  shown: number[];
  total: number;
}

/** Names that hold all the words of a query, those that begin with it first; case does not matter. */
export function search(names: readonly string[], query: string, most = MOST_SHOWN): Found {
  const words = query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const start: number[] = [];
  const rest: number[] = [];
  names.forEach((name, i) => {
    const low = name.toLocaleLowerCase();
    if (!words.every((w) => low.includes(w))) return;
    (words.length && low.startsWith(words[0]) ? start : rest).push(i);
  });
  return { shown: [...start, ...rest].slice(0, most), total: start.length + rest.length };
}

let pickers = 0;

export class Picker {
  readonly el = h("div", { class: "nbf-picker" });
  private readonly id = `nbf-list-${++pickers}`;
  private readonly button: HTMLButtonElement;
  private readonly label = h("span", { class: "nbf-picked" });
  private readonly pop = h("div", { class: "nbf-pop", hidden: true });
  private readonly input: HTMLInputElement;
  private readonly list: HTMLUListElement;
  private readonly more = h("div", { class: "nbf-more" });
  private found: number[] = [];
  private active = 0;
  private names: string[] = [];
  private current = 0;

  constructor(private readonly pick: (position: number) => void, signal: AbortSignal) {
    const expanded = { "aria-haspopup": "listbox", "aria-expanded": "false" };
    this.button = keyed(h("button", { type: "button", class: "nbf-select", ...expanded }, this.label));
    this.input = keyed(
      h("input", {
        type: "text", class: "nbf-search", placeholder: "Find a series", role: "combobox", autocomplete: "off", spellcheck: "false",
        "aria-label": "Find a series", "aria-expanded": "true", "aria-controls": this.id, "aria-autocomplete": "list",
      }),
    );
    this.list = h("ul", { role: "listbox", id: this.id, class: "nbf-list", "aria-label": "Series" });
    this.pop.append(this.input, this.list, this.more);
    this.el.append(this.button, this.pop);
    this.button.addEventListener("click", () => this.toggle(this.pop.hidden), { signal });
    this.input.addEventListener("input", () => this.filter(), { signal });
    this.input.addEventListener("keydown", (e) => this.key(e), { signal });
    this.list.addEventListener("pointerdown", (e) => e.preventDefault(), { signal });
    this.list.addEventListener("click", (e) => this.click(e), { signal });
    this.el.addEventListener("focusout", (e) => {
      if (!this.el.contains(e.relatedTarget as Node | null)) this.toggle(false);
    }, { signal });
  }

  set(names: string[], current: number): void {
    this.names = names;
    this.current = current;
    say(this.label, names[current] || "series");
    this.button.setAttribute("aria-label", `Series: ${names[current] ?? ""}`);
    this.el.hidden = names.length < 2;
  }

  private toggle(open: boolean): void {
    this.pop.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
    if (!open) return;
    this.input.value = "";
    this.filter();
    const at = this.found.indexOf(this.current);
    if (at >= 0) this.mark(at);
    this.input.focus();
  }

  private filter(): void {
    const { shown, total } = search(this.names, this.input.value);
    this.found = shown;
    this.list.replaceChildren(
      ...shown.map((position, i) => {
        const chosen = String(position === this.current);
        return h("li", { role: "option", id: `${this.id}-${i}`, "aria-selected": chosen, "data-at": i }, this.names[position] || "(no name)");
      }),
    );
    say(this.more, total > shown.length ? `${count(total - shown.length)} more: keep typing` : total ? "" : "No series of that name");
    this.more.hidden = !this.more.textContent;
    this.mark(0);
  }

  private mark(at: number): void {
    this.list.children[this.active]?.classList.remove("nbf-active");
    this.active = Math.max(0, Math.min(this.found.length - 1, at));
    const el = this.list.children[this.active];
    if (!el) {
      this.input.removeAttribute("aria-activedescendant");
      return;
    }
    el.classList.add("nbf-active");
    this.input.setAttribute("aria-activedescendant", el.id);
    // The list alone scrolls, never the notebook.
    const [top, bottom] = [(el as HTMLElement).offsetTop, (el as HTMLElement).offsetTop + (el as HTMLElement).offsetHeight];
    if (top < this.list.scrollTop) this.list.scrollTop = top;
    else if (bottom > this.list.scrollTop + this.list.clientHeight) this.list.scrollTop = bottom - this.list.clientHeight;
  }

  private key(e: KeyboardEvent): void {
    const step: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
    if (e.key in step) this.mark(this.active + step[e.key]);
    else if (e.key === "Enter") this.choose(this.active);
    else if (e.key === "Escape") {
      this.toggle(false);
      this.button.focus();
    } else return;
    e.preventDefault();
    e.stopPropagation();
  }

  private click(e: Event): void {
    const li = (e.target as Element).closest<HTMLElement>("li");
    if (li?.dataset.at) this.choose(Number(li.dataset.at));
  }

  private choose(at: number): void {
    const position = this.found[at];
    if (position === undefined) return;
    this.toggle(false);
    this.button.focus();
    this.pick(position);
  }
}
