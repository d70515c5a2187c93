/** The entries as a grid of rows: in order, changed only where they must, moved through with the keyboard. */

import { h, suppressShortcuts } from "../../common/src/dom";
import { EntryRow, type RowActions } from "./entry-row";
import type { CacheEntry } from "./messages";
import { titleOf } from "./state";

export type SortName = "used" | "name" | "done" | "memory" | "disk" | "hits" | "reused";

interface Sorting {
  label: string;
  compare: (a: CacheEntry, b: CacheEntry) => number;
}

const by = (of: (e: CacheEntry) => number) => (a: CacheEntry, b: CacheEntry) =>
  of(b) - of(a) || b.used - a.used || (a.key < b.key ? -1 : 1);
const byName = (a: CacheEntry, b: CacheEntry): number =>
  titleOf(a).localeCompare(titleOf(b)) || a.model.localeCompare(b.model) || b.used - a.used || (a.key < b.key ? -1 : 1);

/** Each begins with the latest or the largest. */
export const SORTINGS: Record<SortName, Sorting> = {
  used: { label: "Last used", compare: by((e) => e.used) },
  name: { label: "Name", compare: byName },
  done: { label: "Origins", compare: by((e) => e.inferred) },
  memory: { label: "Memory", compare: by((e) => e.memory_bytes) },
  disk: { label: "Disk", compare: by((e) => e.disk_bytes) },
  hits: { label: "Hits", compare: by((e) => e.hits) },
  reused: { label: "Reused", compare: by((e) => e.reused) },
};

/** Whether each of the words is part of the entry's name, model or handle, or of the handle of the entry it is part of. */
export function matches(entry: CacheEntry, words: string): boolean {
  const text = `${entry.name ?? ""} ${entry.model} ${entry.handle} ${entry.view_of ?? ""}`.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

const COLUMNS: readonly (readonly [SortName | null, string])[] = [
  ["name", "Name"],
  [null, "Handle"],
  ["done", "Origins"],
  ["memory", "Memory"],
  ["disk", "Disk"],
  ["hits", "Hits"],
  ["reused", "Reused"],
  ["used", "Last used"],
];
const PAGE = 10;

/** The rows of all entries that are shown. */
export class EntryList {
  readonly el: HTMLElement;
  readonly #body = h("div", { class: "nbf-rows", role: "rowgroup" });
  readonly #heads: [SortName, HTMLElement][] = [];
  readonly #rows = new Map<string, EntryRow>();
  readonly #rowOf = new WeakMap<Element, EntryRow>();
  #current: EntryRow | null = null;
  #hovered = false;

  /** `menu` opens a menu at a point of the page; `sort` is called when the head of a column is clicked. */
  readonly #actions: RowActions;
  readonly #menu: (entry: CacheEntry, x: number, y: number, row: HTMLElement) => void;

  constructor(
    actions: RowActions,
    menu: (entry: CacheEntry, x: number, y: number, row: HTMLElement) => void,
    sort: (sorting: SortName) => void,
  ) {
    this.#actions = actions;
    this.#menu = menu;
    const head = h(
      "div",
      { class: "nbf-heads", role: "row" },
      ...COLUMNS.map(([sorting, label]) => this.#head(sorting, label, sort)),
    );
    this.el = h("div", { class: "nbf-list", role: "grid", "aria-label": "Entries" }, head, this.#body);
    this.#body.addEventListener("keydown", (event) => this.#key(event));
    this.#body.addEventListener("focusin", (event) => this.#enter(this.#rowAt(event.target)));
    this.#body.addEventListener("dblclick", (event) => {
      const row = this.#rowAt(event.target);
      if (row) this.#actions.open(row.entry);
    });
    this.#body.addEventListener("contextmenu", (event) => this.#context(event));
    this.#body.addEventListener("pointerenter", () => (this.#hovered = true));
    this.#body.addEventListener("pointerleave", () => (this.#hovered = false));
  }

  /** The entry that has the keyboard's focus. */
  get selected(): CacheEntry | null {
    return this.#current?.el.isConnected ? this.#current.entry : null;
  }

  /** These entries and no others; a row is written only where its entry is another object than before. */
  show(entries: readonly CacheEntry[], sorting: SortName): void {
    for (const [name, el] of this.#heads)
      el.setAttribute("aria-sort", name === sorting ? (name === "name" ? "ascending" : "descending") : "none");
    const keys = new Set(entries.map((entry) => entry.key));
    const lostFocus = this.#current !== null && !keys.has(this.#current.entry.key) ? this.#forget(this.#current) : null;
    for (const [key, row] of this.#rows) {
      if (keys.has(key)) continue;
      row.el.remove();
      this.#rows.delete(key);
    }
    const sorted = this.#sort(entries, sorting);
    let next = this.#body.firstElementChild;
    for (const entry of sorted) {
      const row = this.#rows.get(entry.key) ?? this.#add(entry);
      if (row.entry !== entry) row.show(entry);
      if (row.el === next) next = next.nextElementSibling;
      else this.#body.insertBefore(row.el, next);
    }
    this.el.setAttribute("aria-rowcount", String(sorted.length + 1));
    if (lostFocus) this.#focus(lostFocus.index, lostFocus.focused);
    else if (!this.#current && this.#body.firstElementChild) this.#focus(0, false);
  }

  /** Shows when entries were last used, or in its place the action that is pending on one. */
  tick(now: number, pending: ReadonlyMap<string, string>): void {
    for (const [key, row] of this.#rows) row.tick(now, pending.get(key) ?? null);
  }

  /** Marks the row of the entry that a question is about, and no other; returns it. */
  mark(key: string | null): HTMLElement | null {
    const row = key === null ? null : (this.#rows.get(key)?.el ?? null);
    for (const el of this.#body.querySelectorAll(".nbf-asked")) el.classList.remove("nbf-asked");
    row?.classList.add("nbf-asked");
    return row;
  }

  /** Sorts entries; while the pointer is on the list, its rows keep their places and do not move away from it. */
  #sort(entries: readonly CacheEntry[], sorting: SortName): CacheEntry[] {
    const sorted = [...entries].sort(SORTINGS[sorting].compare);
    if (!this.#hovered || this.el.dataset.sorting !== sorting) {
      this.el.dataset.sorting = sorting;
      return sorted;
    }
    const place = new Map([...this.#body.children].map((el, i) => [el, i]));
    const placeOf = (e: CacheEntry): number => place.get(this.#rows.get(e.key)?.el as Element) ?? -1;
    return sorted.sort((a, b) => placeOf(a) - placeOf(b));
  }

  #add(entry: CacheEntry): EntryRow {
    const row = new EntryRow(entry, this.#actions);
    this.#rows.set(entry.key, row);
    this.#rowOf.set(row.el, row);
    return row;
  }

  #head(sorting: SortName | null, label: string, sort: (sorting: SortName) => void): HTMLElement {
    const el = h("span", { role: "columnheader" });
    if (sorting === null) {
      el.append(label);
      return el;
    }
    const button = suppressShortcuts(h("button", { type: "button", class: "nbf-head" }, label));
    button.addEventListener("click", () => sort(sorting));
    el.append(button);
    this.#heads.push([sorting, el]);
    return el;
  }

  #rowAt(target: EventTarget | null): EntryRow | null {
    const el = (target as Element | null)?.closest?.(".nbf-row");
    return (el && this.#rowOf.get(el)) ?? null;
  }

  #enter(row: EntryRow | null): void {
    if (!row || row === this.#current) return;
    this.#current?.setReachable(false);
    this.#current = row;
    row.setReachable(true);
  }

  /** Forgets the current row, which goes: returns where it was, and whether the focus was in it. */
  #forget(row: EntryRow): { index: number; focused: boolean } {
    this.#current = null;
    return {
      index: [...this.#body.children].indexOf(row.el),
      focused: row.el.contains(row.el.ownerDocument.activeElement),
    };
  }

  #focus(index: number, moveFocus: boolean): void {
    const els = this.#body.children;
    const row = this.#rowAt(els[Math.max(0, Math.min(els.length - 1, index))]);
    this.#enter(row);
    if (moveFocus) row?.el.focus();
  }

  #key(event: KeyboardEvent): void {
    const row = this.#rowAt(event.target);
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const els = this.#body.children;
    const index = [...els].indexOf(row.el);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE, Home: -index, End: els.length };
    const move = (moves as Record<string, number | undefined>)[event.key];
    if (move !== undefined) this.#focus(index + move, true);
    else if (event.key === "Enter" && event.target === row.el) this.#actions.open(row.entry);
    else if (event.key === "Delete" || event.key === "Backspace") this.#actions.drop(row.entry);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #context(event: MouseEvent): void {
    const row = this.#rowAt(event.target);
    if (!row) return;
    event.preventDefault();
    event.stopPropagation();
    const box = row.el.getBoundingClientRect();
    const fromKeyboard = event.clientX === 0 && event.clientY === 0;
    row.el.focus({ preventScroll: true });
    this.#menu(
      row.entry,
      fromKeyboard ? box.left + 24 : event.clientX,
      fromKeyboard ? box.top + 24 : event.clientY,
      row.el,
    );
  }
}
