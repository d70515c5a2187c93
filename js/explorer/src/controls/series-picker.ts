/** The series picker: a button that opens a list with a search box; made for thousands of series. */

import { h, setText, suppressShortcuts } from "../../../common/src/dom";
import { integer, number, percent } from "../../../common/src/format";
import { type SortKey, sortSeries } from "../state/ranking";
import { type PanelMessage, SPARK_POINTS } from "../wire/messages";

/** Most items in the list. */
export const MAX_ITEMS = 200;

/** What a search finds. */
export interface SearchResult {
  /** Positions, in order; at most `MAX_ITEMS`. */
  positions: number[];
  total: number;
}

/** Names that hold all the words of a query, in a given order, those that begin with it first; case does not matter. */
export function search(
  names: readonly string[],
  query: string,
  most = MAX_ITEMS,
  order: readonly number[] = [...names.keys()],
): SearchResult {
  const words = query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const start: number[] = [];
  const rest: number[] = [];
  order.forEach((i) => {
    const low = names[i].toLocaleLowerCase();
    if (!words.every((w) => low.includes(w))) return;
    (words.length && low.startsWith(words[0]) ? start : rest).push(i);
  });
  return { positions: [...start, ...rest].slice(0, most), total: start.length + rest.length };
}

let pickers = 0;

const COLUMNS: [SortKey, string, string][] = [
  ["name", "Series", "As in the data"],
  ["mase", "MASE", "Errors beside seasonal naive ones, largest first"],
  ["coverage", "in 80 %", "Share in the 80 % bands, farthest from 80 % first"],
  ["worst_time", "worst", "Origin of the worst forecast, newest first"],
  ["events", "surprises", "Odd events, most first"],
];

/** A small line of a series. */
function spark(codes: Uint8Array): SVGElement {
  let path = "";
  codes.forEach((code, i) => {
    if (code) path += `${codes[i - 1] ? "L" : "M"}${i * 2 + 1} ${15 - code / 18}`;
  });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

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
  #panel: PanelMessage | null = null;
  #timeText = String as (time: number) => string;
  #sort: SortKey = "name";
  readonly #head = h("div", { class: "nbf-columns-head", hidden: true });
  readonly #pick: (position: number) => void;
  readonly #open: () => void;

  /** `open` is called when the list is opened; what it brings is shown once it has come. */
  constructor(pick: (position: number) => void, open: () => void, signal: AbortSignal) {
    this.#pick = pick;
    this.#open = open;
    for (const [key, text, title] of COLUMNS) {
      const sort = suppressShortcuts(
        h("button", { type: "button", title, "aria-pressed": String(key === "name") }, text),
      );
      sort.addEventListener(
        "click",
        () => {
          this.#sort = key;
          for (const el of this.#head.children) el.setAttribute("aria-pressed", String(el === sort));
          this.#filter();
          this.#input.focus();
        },
        { signal },
      );
      this.#head.append(sort);
    }
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
    this.#popup.append(this.#input, this.#head, this.#list, this.#more);
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

  /** Shows which series there are, which one is chosen, and what is known of each. */
  show(names: string[], current: number, panel: PanelMessage | null, timeText: (time: number) => string): void {
    this.#names = names;
    this.#current = current;
    this.#timeText = timeText;
    if (panel !== this.#panel) {
      this.#panel = panel;
      this.#head.hidden = !panel;
      this.#popup.classList.toggle("nbf-ranked", panel !== null);
      if (!this.#popup.hidden) this.#filter();
    }
    setText(this.#label, names[current] || "series");
    this.#button.setAttribute("aria-label", `Series: ${names[current] ?? ""}`);
    this.el.hidden = names.length < 2;
  }

  #toggle(open: boolean): void {
    this.#popup.hidden = !open;
    this.#button.setAttribute("aria-expanded", String(open));
    if (!open) return;
    this.#open();
    this.#input.value = "";
    this.#filter();
    const item = this.#positions.indexOf(this.#current);
    if (item >= 0) this.#mark(item);
    this.#input.focus();
  }

  #filter(): void {
    const order = sortSeries(this.#panel, this.#sort, this.#names.length);
    const { positions, total } = search(this.#names, this.#input.value, MAX_ITEMS, order);
    this.#positions = positions;
    this.#list.replaceChildren(
      ...positions.map((position, i) => {
        const isChosen = String(position === this.#current);
        return h(
          "li",
          { role: "option", id: `${this.#id}-${i}`, "aria-selected": isChosen, "data-at": i },
          ...this.#cells(position),
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

  #cells(position: number): Element[] {
    const cell = (text: string): Element => h("span", {}, text);
    const name = cell(this.#names[position] || "(no name)");
    const p = this.#panel;
    if (!p) return [name];
    name.append(spark(p.sparks.subarray(position * SPARK_POINTS, (position + 1) * SPARK_POINTS)));
    const time = p.worst_time[position];
    const events = p.events[position];
    return [
      name,
      cell(number(p.mase[position], 3)),
      cell(percent(p.coverage[position])),
      cell(Number.isFinite(time) ? this.#timeText(time) : "–"),
      cell(events < 0 ? "–" : integer(events)),
    ];
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
