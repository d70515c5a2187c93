/** The view of the cache: the same in a cell and in a side bar. */

import { h, keyed, say } from "../../common/src/dom";
import { count, plural } from "../../common/src/format";
import { Ask } from "./ask";
import { iconButton } from "./button";
import { Foot } from "./foot";
import type { Link, Listener } from "./link";
import { List } from "./list";
import { Menu, type Item } from "./menu";
import { Notice } from "./notice";
import { matches, ORDERS, type OrderName } from "./order";
import type { Action, Entry, Incoming, Opened } from "./protocol";
import { dropping, flushing, pruning } from "./questions";
import { State } from "./state";
import { Work } from "./work";

const REFRESH = 20_000;
/** Fewer entries than this are seen at a glance. */
const MANY = 6;

/** What the kernel does, once it has taken an action on an entry. */
const WORKS: Record<string, string> = { open: "opening …", recompute: "recomputing …", drop: "dropping …" };

export interface Host {
  /** Shows an explorer that the kernel has made; `cell`: its line of code is wanted in a new cell instead. */
  opened(message: Opened, cell: boolean): void;
  /** Whether there is a notebook to put a new cell into. */
  cells: boolean;
  /** Something that commands depend on has changed. */
  changed?(): void;
}

export class View implements Listener {
  readonly root: HTMLElement;
  readonly state = new State();
  private readonly filter = keyed(h("input", { type: "search", class: "nbf-filter", placeholder: "Filter", "aria-label": "Filter entries" }));
  private readonly count = h("h3");
  private readonly sort: HTMLSelectElement;
  private readonly tools: HTMLElement;
  private readonly more: HTMLButtonElement;
  private readonly ask = new Ask();
  private readonly work: Work;
  private readonly list: List;
  private readonly empty = h("p", { class: "nbf-empty" });
  private readonly foot = new Foot();
  private readonly notice = new Notice();
  private readonly menu: Menu;
  private order: OrderName = "used";

  /** `link` is made by the caller with this view as its listener, and handed over by `use`. */
  constructor(private readonly host: Host, signal: AbortSignal) {
    this.sort = keyed(h("select", { class: "nbf-select nbf-sort", "aria-label": "Sort by" }));
    for (const [name, { label }] of Object.entries(ORDERS)) this.sort.append(h("option", { value: name }, label));
    this.more = iconButton("more", "More actions", () => this.openMenu());
    this.more.setAttribute("aria-haspopup", "menu");
    this.tools = h("div", { class: "nbf-tools" }, this.count, this.filter, this.sort, this.more);
    this.work = new Work((action) => this.link?.act(action));
    this.list = new List(
      {
        open: (entry) => this.open(entry, false),
        recompute: (entry) => this.recompute(entry),
        drop: (entry) => this.drop(entry),
        copy: (entry) => void this.copy(entry.handle),
      },
      (entry, x, y, row) => this.menu.open(this.itemsOf(entry), x, y, row),
      (order) => this.sortBy(order),
    );
    const scroll = h("div", { class: "nbf-scroll" }, this.work.el, this.list.el, this.empty);
    const frame = h("div", { class: "nbf-frame" }, this.tools, this.ask.el, scroll, this.notice.el, this.foot.el);
    this.root = h("div", { class: "nbf-cache" }, frame);
    this.menu = new Menu(this.root, signal);
    this.root.append(this.menu.el);
    this.filter.addEventListener("input", () => this.show());
    this.filter.addEventListener("keydown", (event) => this.filterKey(event));
    this.sort.addEventListener("change", () => this.sortBy(this.sort.value as OrderName));
    const timer = setInterval(() => this.tick(), REFRESH);
    signal.addEventListener("abort", () => {
      clearInterval(timer);
      this.notice.clear();
    });
    this.show();
  }

  private link: Link | null = null;

  use(link: Link): void {
    this.link = link;
  }

  heard(message: Incoming, mine: Action | null): void {
    this.state.take(message);
    switch (message.kind) {
      case "done":
        if (mine) this.notice.tell(message.text);
        break;
      case "fault":
        if (mine || message.id === null) this.notice.tell(message.text, true);
        break;
      case "opened":
        if (mine?.action === "open") this.host.opened(message, !mine.widget);
        break;
    }
    this.show();
  }

  waited(): void {
    this.show();
  }

  /** The entry that the keyboard is at. */
  get selected(): Entry | null {
    return this.list.selected;
  }

  act(action: Action): void {
    this.link?.act(action);
  }

  open(entry: Entry, cell: boolean): void {
    this.act({ action: "open", key: entry.key, widget: !cell });
  }

  recompute(entry: Entry): void {
    if (entry.recomputable) this.act({ action: "recompute", key: entry.key });
    else this.notice.tell(entry.reason, true);
  }

  drop(entry: Entry): void {
    const row = this.list.mark(entry.key);
    this.ask.show(dropping(entry, this.state, (action) => this.act(action)), row ?? this.more, () => this.list.mark(null));
  }

  flush(): void {
    this.ask.show(flushing(this.state, (action) => this.act(action)), this.more);
  }

  prune(): void {
    this.ask.show(pruning(this.state, (action) => this.act(action), () => Date.now() / 1000), this.more);
  }

  private async copy(text: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      this.notice.tell(`Copied ${text.slice(0, 8)}`);
    } catch {
      this.notice.tell(`The browser does not let it be copied: ${text}`, true);
    }
  }

  private itemsOf(entry: Entry): Item[] {
    const cell = { label: "Open in a new cell", act: () => this.open(entry, true) };
    return [
      { label: "Open", act: () => this.open(entry, false) },
      ...(this.host.cells ? [cell] : []),
      { label: "Recompute", act: () => this.recompute(entry), not: entry.recomputable ? undefined : entry.reason },
      { label: "Copy handle", act: () => void this.copy(entry.handle) },
      { label: "Drop…", act: () => this.drop(entry), apart: true },
    ];
  }

  private openMenu(): void {
    const box = this.more.getBoundingClientRect();
    const none = this.state.entries.size ? undefined : "The cache is empty";
    const memory = this.state.totals?.directory === null ? "Nothing is written: NBFORECAST_CACHE=memory" : undefined;
    const items: Item[] = [
      { label: "Save", act: () => this.act({ action: "save" }), not: memory },
      { label: "Load", act: () => this.act({ action: "load" }), not: memory },
      { label: "Prune…", act: () => this.prune(), not: none, apart: true },
      { label: "Flush…", act: () => this.flush(), not: none },
    ];
    this.menu.open(items, box.right, box.bottom + 2, this.more);
  }

  private sortBy(order: OrderName): void {
    this.order = order;
    this.sort.value = order;
    this.show();
  }

  private filterKey(event: KeyboardEvent): void {
    if (event.key !== "Escape" || !this.filter.value) return;
    event.stopPropagation();
    this.filter.value = "";
    this.show();
  }

  private show(): void {
    const { state, link } = this;
    const waiting = [...(link?.waiting.values() ?? [])].filter((w) => w.stage === "queued").map((w) => w.action);
    this.work.show(state.tasks, new Set(waiting.flatMap((a) => (a.action === "cancel" ? [a.task] : []))));
    const words = this.filter.value.trim();
    const all = [...state.entries.values()];
    const shown = words ? all.filter((entry) => matches(entry, words)) : all;
    this.list.show(shown, this.order);
    this.list.el.hidden = shown.length === 0;
    const few = all.length < MANY && !words;
    say(this.count, state.complete ? plural(all.length, "entry", "entries") : "");
    this.count.hidden = !few;
    this.filter.placeholder = `Filter ${count(all.length)}`;
    this.filter.hidden = this.sort.hidden = few;
    this.tools.classList.toggle("nbf-few", few);
    say(this.empty, this.sentence(all.length, shown.length, words));
    this.empty.hidden = !this.empty.textContent;
    this.foot.show(state.totals, state.device);
    this.root.toggleAttribute("aria-busy", !state.complete);
    const general = waiting.find((a) => !("key" in a) && a.action !== "cancel");
    if (general) this.notice.tell(`The kernel is busy: ${general.action} is queued.`);
    this.tick();
    this.host.changed?.();
  }

  private tick(): void {
    const waits = new Map<string, string>();
    for (const { action, stage } of this.link?.waiting.values() ?? []) {
      if (stage !== "sent" && "key" in action) waits.set(action.key, stage === "queued" ? `${action.action}: queued` : WORKS[action.action]);
    }
    this.list.tick(Date.now() / 1000, waits);
  }

  private sentence(all: number, shown: number, words: string): string {
    if (!this.state.complete) return this.link?.silent ? "The kernel is busy. The list comes when the cell has ended." : "";
    if (!all) return this.state.tasks.length ? "" : "Nothing is kept yet: what %forecast and %quickdraw infer appears here.";
    return shown ? "" : `No entry has “${words}” in its name, model or handle.`;
  }
}
