/** One entry: its cells, which a narrow view sets as three lines and a wide one as a line of a table. */

import { h, keyed, say } from "../../common/src/dom";
import { ago, count, plural, size } from "../../common/src/format";
import { Bar, iconButton } from "./button";
import type { Entry } from "./protocol";
import { titleOf } from "./state";

/** What can be done with an entry, from its buttons, its menu or the keyboard. */
export interface Deeds {
  open(entry: Entry): void;
  recompute(entry: Entry): void;
  drop(entry: Entry): void;
  copy(entry: Entry): void;
}

/** A number with its unit, which a wide view has in the table's head. */
function fact(el: HTMLElement, text: string, unit: string): void {
  say(el, text);
  el.dataset.unit = unit;
  el.classList.toggle("nbf-none", text === "");
}

export class Row {
  readonly el: HTMLElement;
  private readonly name = h("span", { class: "nbf-name" });
  private readonly model = h("span", { class: "nbf-model" });
  private readonly handle = keyed(h("button", { type: "button", class: "nbf-handle", tabindex: -1 }));
  private readonly done = h("span", { class: "nbf-done", role: "gridcell" });
  private readonly bar = new Bar("Origins done");
  private readonly memory = h("span", { class: "nbf-fact", role: "gridcell" });
  private readonly disk = h("span", { class: "nbf-fact", role: "gridcell" });
  private readonly hits = h("span", { class: "nbf-fact", role: "gridcell" });
  private readonly reused = h("span", { class: "nbf-fact", role: "gridcell" });
  private readonly used = h("span", { class: "nbf-used", role: "gridcell" });
  private readonly buttons: Record<"open" | "again" | "drop", HTMLButtonElement>;

  constructor(public entry: Entry, deeds: Deeds) {
    this.handle.addEventListener("click", () => deeds.copy(this.entry));
    this.buttons = {
      open: iconButton("open", "Open", () => deeds.open(this.entry)),
      again: iconButton("again", "Recompute", () => deeds.recompute(this.entry)),
      drop: iconButton("drop", "Drop", () => deeds.drop(this.entry)),
    };
    for (const b of Object.values(this.buttons)) b.tabIndex = -1;
    const title = h("span", { class: "nbf-title", role: "gridcell" }, this.name, this.model);
    const actions = h("span", { class: "nbf-actions", role: "gridcell" }, ...Object.values(this.buttons));
    const facts = h("span", { class: "nbf-facts", role: "presentation" }, this.memory, this.disk, this.hits, this.reused);
    const cells = [title, h("span", { class: "nbf-where", role: "gridcell" }, this.handle), this.done, h("span", { class: "nbf-track", role: "gridcell" }, this.bar.el), facts, this.used, actions];
    this.el = keyed(h("div", { class: "nbf-row", role: "row", tabindex: -1 }, ...cells));
    this.show(entry);
  }

  show(entry: Entry): void {
    this.entry = entry;
    const title = titleOf(entry);
    say(this.name, entry.name ?? "unnamed");
    this.name.classList.toggle("nbf-unnamed", entry.name === null);
    say(this.model, entry.model);
    say(this.handle, entry.handle.slice(0, 8));
    this.handle.setAttribute("aria-label", `Copy the handle ${entry.handle.slice(0, 8)}`);
    this.handle.title = "Copy the handle";
    const whole = entry.inferred >= entry.available;
    say(this.done, whole ? plural(entry.available, "origin") : `${count(entry.inferred)} of ${plural(entry.available, "origin")}`);
    this.bar.show(entry.available ? entry.inferred / entry.available : 0);
    this.bar.el.classList.toggle("nbf-whole", whole);
    const part = entry.view_of === null ? null : `in ${entry.view_of.slice(0, 8)}`;
    fact(this.memory, part ?? (entry.memory_bytes ? size(entry.memory_bytes) : ""), part ? "" : "memory");
    this.memory.title = part ? "Part of a longer entry, which holds its results" : "";
    fact(this.disk, entry.disk_bytes ? size(entry.disk_bytes) : "", "disk");
    fact(this.hits, entry.hits ? count(entry.hits) : "", entry.hits === 1 ? "hit" : "hits");
    fact(this.reused, entry.reused ? count(entry.reused) : "", "reused");
    this.buttons.again.disabled = !entry.recomputable;
    this.buttons.again.title = entry.recomputable ? "Recompute" : entry.reason;
    const span = `${entry.start} to ${entry.end}, ${entry.frequency}`;
    this.el.title = `${plural(entry.series, "series", "series")}, ${plural(entry.horizon, "step")} ahead\n${span}`;
    this.el.setAttribute("aria-label", `${title}, ${entry.model}`);
  }

  /** When it was last used; what waits for the kernel is told instead. */
  tick(now: number, waits: string | null): void {
    say(this.used, waits ?? ago(this.entry.used, now));
    this.el.classList.toggle("nbf-waits", waits !== null);
  }

  /** Whether Tab leads to this row, and on to its buttons. */
  reach(on: boolean): void {
    this.el.tabIndex = on ? 0 : -1;
    for (const b of [this.handle, ...Object.values(this.buttons)]) b.tabIndex = on ? 0 : -1;
  }
}
