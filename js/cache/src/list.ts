/** The entries as a grid of rows: kept in order with few changes to the page, moved through with the keyboard. */

import { h, keyed } from "../../common/src/dom";
import { ORDERS, type OrderName } from "./order";
import type { Entry } from "./protocol";
import { Row, type Deeds } from "./row";

const COLUMNS: readonly (readonly [OrderName | null, string])[] = [
  ["name", "Name"], [null, "Handle"], ["done", "Origins"], ["memory", "Memory"], ["disk", "Disk"], ["hits", "Hits"], ["reused", "Reused"], ["used", "Last used"],
];
const PAGE = 10;

export class List {
  readonly el: HTMLElement;
  private readonly body = h("div", { class: "nbf-rows", role: "rowgroup" });
  private readonly heads: [OrderName, HTMLElement][] = [];
  private readonly rows = new Map<string, Row>();
  private readonly rowOf = new WeakMap<Element, Row>();
  private current: Row | null = null;
  private over = false;

  /** `menu` is asked for at a point of the page; `sort` when the head of a column is clicked. */
  constructor(
    private readonly deeds: Deeds,
    private readonly menu: (entry: Entry, x: number, y: number, row: HTMLElement) => void,
    sort: (order: OrderName) => void,
  ) {
    const head = h("div", { class: "nbf-heads", role: "row" }, ...COLUMNS.map(([order, label]) => this.head(order, label, sort)));
    this.el = h("div", { class: "nbf-list", role: "grid", "aria-label": "Entries" }, head, this.body);
    this.body.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("focusin", (event) => this.enter(this.at(event.target)));
    this.body.addEventListener("dblclick", (event) => {
      const row = this.at(event.target);
      if (row) this.deeds.open(row.entry);
    });
    this.body.addEventListener("contextmenu", (event) => this.context(event));
    this.body.addEventListener("pointerenter", () => (this.over = true));
    this.body.addEventListener("pointerleave", () => (this.over = false));
  }

  /** The entry the keyboard is at. */
  get selected(): Entry | null {
    return this.current?.el.isConnected ? this.current.entry : null;
  }

  /** These entries and no others; a row is written only where its entry is another object than before. */
  show(entries: readonly Entry[], order: OrderName): void {
    for (const [name, el] of this.heads) el.setAttribute("aria-sort", name === order ? (name === "name" ? "ascending" : "descending") : "none");
    const there = new Set(entries.map((entry) => entry.key));
    const lost = this.current !== null && !there.has(this.current.entry.key) ? this.forget(this.current) : null;
    for (const [key, row] of this.rows) {
      if (there.has(key)) continue;
      row.el.remove();
      this.rows.delete(key);
    }
    const sorted = this.arranged(entries, order);
    let at = this.body.firstElementChild;
    for (const entry of sorted) {
      const row = this.rows.get(entry.key) ?? this.add(entry);
      if (row.entry !== entry) row.show(entry);
      if (row.el === at) at = at.nextElementSibling;
      else this.body.insertBefore(row.el, at);
    }
    this.el.setAttribute("aria-rowcount", String(sorted.length + 1));
    if (lost) this.focus(lost.at, lost.focused);
    else if (!this.current && this.body.firstElementChild) this.focus(0, false);
  }

  /** Times of last use, or in their place what is being done with an entry. */
  tick(now: number, waits: ReadonlyMap<string, string>): void {
    for (const [key, row] of this.rows) row.tick(now, waits.get(key) ?? null);
  }

  /** Marks the row of the entry that is asked about, and no other; returns it. */
  mark(key: string | null): HTMLElement | null {
    const marked = key === null ? null : (this.rows.get(key)?.el ?? null);
    for (const row of this.body.querySelectorAll(".nbf-asked")) row.classList.remove("nbf-asked");
    marked?.classList.add("nbf-asked");
    return marked;
  }

  /** In order; while someone points at the list, what is there keeps its place, for it must not move away from them. */
  private arranged(entries: readonly Entry[], order: OrderName): Entry[] {
    const sorted = [...entries].sort(ORDERS[order].compare);
    if (!this.over || this.el.dataset.order !== order) {
      this.el.dataset.order = order;
      return sorted;
    }
    const place = new Map([...this.body.children].map((el, i) => [el, i]));
    const was = (e: Entry): number => place.get(this.rows.get(e.key)?.el as Element) ?? -1;
    return sorted.sort((a, b) => was(a) - was(b));
  }

  private add(entry: Entry): Row {
    const row = new Row(entry, this.deeds);
    this.rows.set(entry.key, row);
    this.rowOf.set(row.el, row);
    return row;
  }

  private head(order: OrderName | null, label: string, sort: (order: OrderName) => void): HTMLElement {
    const el = h("span", { role: "columnheader" });
    if (order === null) {
      el.append(label);
      return el;
    }
    const button = keyed(h("button", { type: "button", class: "nbf-head" }, label));
    button.addEventListener("click", () => sort(order));
    el.append(button);
    this.heads.push([order, el]);
    return el;
  }

  private at(target: EventTarget | null): Row | null {
    const el = (target as Element | null)?.closest?.(".nbf-row");
    return (el && this.rowOf.get(el)) ?? null;
  }

  private enter(row: Row | null): void {
    if (!row || row === this.current) return;
    this.current?.reach(false);
    this.current = row;
    row.reach(true);
  }

  /** A row that goes: where it was, and whether the focus was in it. */
  private forget(row: Row): { at: number; focused: boolean } {
    this.current = null;
    return { at: [...this.body.children].indexOf(row.el), focused: row.el.contains(row.el.ownerDocument.activeElement) };
  }

  private focus(at: number, take: boolean): void {
    const els = this.body.children;
    const row = this.at(els[Math.max(0, Math.min(els.length - 1, at))]);
    this.enter(row);
    if (take) row?.el.focus();
  }

  private key(event: KeyboardEvent): void {
    const row = this.at(event.target);
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const els = this.body.children;
    const at = [...els].indexOf(row.el);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: els.length - 1, PageDown: at + PAGE, PageUp: at - PAGE }[event.key];
    if (to !== undefined) this.focus(to, true);
    else if (event.key === "Enter" && event.target === row.el) this.deeds.open(row.entry);
    else if (event.key === "Delete" || event.key === "Backspace") this.deeds.drop(row.entry);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private context(event: MouseEvent): void {
    const row = this.at(event.target);
    if (!row) return;
    event.preventDefault();
    event.stopPropagation();
    const box = row.el.getBoundingClientRect();
    const byKey = event.clientX === 0 && event.clientY === 0;
    row.el.focus({ preventScroll: true });
    this.menu(row.entry, byKey ? box.left + 24 : event.clientX, byKey ? box.top + 24 : event.clientY, row.el);
  }
}
