/** One entry: its cells, which a narrow view sets as three lines and a wide one as one line of a table. */

import { h, setText, suppressShortcuts } from "../../common/src/dom";
import { ago, byteSize, integer, plural } from "../../common/src/format";
import { Bar, iconButton } from "./buttons";
import type { CacheEntry } from "./messages";
import { titleOf } from "./state";

/** What buttons, menu and keyboard do with an entry. */
export interface RowActions {
  open(entry: CacheEntry): void;
  recompute(entry: CacheEntry): void;
  drop(entry: CacheEntry): void;
  copy(entry: CacheEntry): void;
}

/** A number with its unit, which a wide view has in the table's head. */
function fact(el: HTMLElement, text: string, unit: string): void {
  setText(el, text);
  el.dataset.unit = unit;
  el.classList.toggle("nbf-none", text === "");
}

/** An entry on the page. */
export class EntryRow {
  readonly el: HTMLElement;
  readonly #name = h("span", { class: "nbf-name" });
  readonly #model = h("span", { class: "nbf-model" });
  readonly #handle = suppressShortcuts(h("button", { type: "button", class: "nbf-handle", tabindex: -1 }));
  readonly #progress = h("span", { class: "nbf-done", role: "gridcell" });
  readonly #bar = new Bar("Origins done");
  readonly #memory = h("span", { class: "nbf-fact", role: "gridcell" });
  readonly #disk = h("span", { class: "nbf-fact", role: "gridcell" });
  readonly #hits = h("span", { class: "nbf-fact", role: "gridcell" });
  readonly #reused = h("span", { class: "nbf-fact", role: "gridcell" });
  readonly #used = h("span", { class: "nbf-used", role: "gridcell" });
  readonly #buttons: Record<"open" | "again" | "drop", HTMLButtonElement>;

  constructor(
    public entry: CacheEntry,
    actions: RowActions,
  ) {
    this.#handle.addEventListener("click", () => actions.copy(this.entry));
    this.#buttons = {
      open: iconButton("open", "Open", () => actions.open(this.entry)),
      again: iconButton("again", "Recompute", () => actions.recompute(this.entry)),
      drop: iconButton("drop", "Drop", () => actions.drop(this.entry)),
    };
    for (const b of Object.values(this.#buttons)) b.tabIndex = -1;
    const title = h("span", { class: "nbf-title", role: "gridcell" }, this.#name, this.#model);
    const cell = h("span", { class: "nbf-actions", role: "gridcell" }, ...Object.values(this.#buttons));
    const facts = h(
      "span",
      { class: "nbf-facts", role: "presentation" },
      this.#memory,
      this.#disk,
      this.#hits,
      this.#reused,
    );
    const cells = [
      title,
      h("span", { class: "nbf-where", role: "gridcell" }, this.#handle),
      this.#progress,
      h("span", { class: "nbf-track", role: "gridcell" }, this.#bar.el),
      facts,
      this.#used,
      cell,
    ];
    this.el = suppressShortcuts(h("div", { class: "nbf-row", role: "row", tabindex: -1 }, ...cells));
    this.show(entry);
  }

  show(entry: CacheEntry): void {
    this.entry = entry;
    const title = titleOf(entry);
    setText(this.#name, entry.name ?? "unnamed");
    this.#name.classList.toggle("nbf-unnamed", entry.name === null);
    setText(this.#model, entry.model);
    setText(this.#handle, entry.handle.slice(0, 8));
    this.#handle.setAttribute("aria-label", `Copy the handle ${entry.handle.slice(0, 8)}`);
    this.#handle.title = "Copy the handle";
    const isComplete = entry.inferred >= entry.available;
    setText(
      this.#progress,
      isComplete
        ? plural(entry.available, "origin")
        : `${integer(entry.inferred)} of ${plural(entry.available, "origin")}`,
    );
    this.#bar.show(entry.available ? entry.inferred / entry.available : 0);
    this.#bar.el.classList.toggle("nbf-whole", isComplete);
    const location = entry.view_of === null ? null : `in ${entry.view_of.slice(0, 8)}`;
    fact(this.#memory, location ?? (entry.memory_bytes ? byteSize(entry.memory_bytes) : ""), location ? "" : "memory");
    this.#memory.title = location ? "Part of a longer entry, which holds its results" : "";
    fact(this.#disk, entry.disk_bytes ? byteSize(entry.disk_bytes) : "", "disk");
    fact(this.#hits, entry.hits ? integer(entry.hits) : "", entry.hits === 1 ? "hit" : "hits");
    fact(this.#reused, entry.reused ? integer(entry.reused) : "", "reused");
    this.#buttons.again.disabled = !entry.recomputable;
    this.#buttons.again.title = entry.recomputable ? "Recompute" : entry.reason;
    const span = `${entry.start} to ${entry.end}, ${entry.frequency}`;
    this.el.title = `${plural(entry.series, "series", "series")}, ${plural(entry.horizon, "step")} ahead\n${span}`;
    this.el.setAttribute("aria-label", `${title}, ${entry.model}`);
  }

  /** Shows when the entry was last used, or in its place the action that is pending. */
  tick(now: number, pending: string | null): void {
    setText(this.#used, pending ?? ago(this.entry.used, now));
    this.el.classList.toggle("nbf-waits", pending !== null);
  }

  /** Sets whether Tab leads to this row, and on to its buttons. */
  setReachable(reachable: boolean): void {
    for (const el of [this.el, this.#handle, ...Object.values(this.#buttons)]) el.tabIndex = reachable ? 0 : -1;
  }
}
