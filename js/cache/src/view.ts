/** The view of the cache: the same in a cell and in a side bar. */

import { h, setText, suppressShortcuts } from "../../common/src/dom";
import { integer, plural } from "../../common/src/format";
import { iconButton } from "./buttons";
import { ConfirmDialog } from "./confirm-dialog";
import type { Connection, MessageListener } from "./connection";
import { EntryList, matches, SORTINGS, type SortName } from "./entry-list";
import { Menu, type MenuItem } from "./menu";
import type { Action, CacheEntry, Messages, OpenedMessage } from "./messages";
import { dropQuestion, flushQuestion, placeQuestion, pruneQuestion } from "./questions";
import { CacheState } from "./state";
import { TaskList } from "./task-list";
import { Toast } from "./toast";
import { UsageFooter } from "./usage-footer";

const REFRESH = 20_000;
/** Fewer entries than this are seen at a glance. */
const MANY = 6;

/** What the kernel does with an entry, once it has taken an action. */
const ACTIVITIES: Record<string, string> = { open: "opening …", recompute: "recomputing …", drop: "dropping …" };

/** What surrounds a view: a cell, or JupyterLab's panel. */
export interface Host {
  /** Shows an explorer that the kernel has made; with `inCell` puts its line of code into a new cell instead. */
  open(message: OpenedMessage, inCell: boolean): void;
  /** Whether there is a notebook to put a new cell into. */
  hasCells: boolean;
  /** Something that commands depend on has changed. */
  changed?(): void;
}

/** The view. */
export class View implements MessageListener {
  readonly root: HTMLElement;
  readonly state = new CacheState();
  readonly #filter = suppressShortcuts(
    h("input", { type: "search", class: "nbf-filter", placeholder: "Filter", "aria-label": "Filter entries" }),
  );
  readonly #count = h("h3");
  readonly #sort: HTMLSelectElement;
  readonly #tools: HTMLElement;
  readonly #more: HTMLButtonElement;
  readonly #dialog = new ConfirmDialog();
  readonly #tasks: TaskList;
  readonly #list: EntryList;
  readonly #empty = h("p", { class: "nbf-empty" });
  readonly #footer = new UsageFooter();
  readonly #toast = new Toast();
  readonly #menu: Menu;
  #sorting: SortName = "used";

  /** The caller makes the connection, with this view as its listener, and passes it to `use`. */
  readonly #host: Host;

  constructor(host: Host, signal: AbortSignal) {
    this.#host = host;
    this.#sort = suppressShortcuts(h("select", { class: "nbf-select nbf-sort", "aria-label": "Sort by" }));
    for (const [name, { label }] of Object.entries(SORTINGS)) this.#sort.append(h("option", { value: name }, label));
    this.#more = iconButton("more", "More actions", () => this.#openMenu());
    this.#more.setAttribute("aria-haspopup", "menu");
    this.#tools = h("div", { class: "nbf-tools" }, this.#count, this.#filter, this.#sort, this.#more);
    this.#tasks = new TaskList((action) => this.#connection?.act(action));
    this.#list = new EntryList(
      {
        open: (entry) => this.open(entry, false),
        recompute: (entry) => this.recompute(entry),
        drop: (entry) => this.drop(entry),
        copy: (entry) => void this.#copy(entry.handle),
      },
      (entry, x, y, row) => this.#menu.open(this.#itemsOf(entry), x, y, row),
      (sorting) => this.#sortBy(sorting),
    );
    const scroll = h("div", { class: "nbf-scroll" }, this.#tasks.el, this.#list.el, this.#empty);
    const frame = h(
      "div",
      { class: "nbf-frame" },
      this.#tools,
      this.#dialog.el,
      scroll,
      this.#toast.el,
      this.#footer.el,
    );
    this.root = h("div", { class: "nbf-cache" }, frame);
    this.#menu = new Menu(this.root, signal);
    this.root.append(this.#menu.el);
    this.#filter.addEventListener("input", () => this.#show());
    this.#filter.addEventListener("keydown", (event) => this.#onFilterKey(event));
    this.#sort.addEventListener("change", () => this.#sortBy(this.#sort.value as SortName));
    const timer = setInterval(() => this.#tick(), REFRESH);
    signal.addEventListener("abort", () => {
      clearInterval(timer);
      this.#toast.clear();
    });
    this.#show();
  }

  #connection: Connection | null = null;

  use(connection: Connection): void {
    this.#connection = connection;
  }

  receive(message: Messages, action: Action | null): void {
    this.state.receive(message);
    switch (message.kind) {
      case "done":
        if (action) this.#toast.show(message.text);
        break;
      case "fault":
        if (action || message.id === null) this.#toast.show(message.text, true);
        break;
      case "opened":
        if (action?.name === "open") this.#host.open(message, !action.widget);
        break;
    }
    this.#show();
  }

  pendingChanged(): void {
    this.#show();
  }

  /** The entry that has the keyboard's focus. */
  get selected(): CacheEntry | null {
    return this.#list.selected;
  }

  act(action: Action): void {
    this.#connection?.act(action);
  }

  open(entry: CacheEntry, inCell: boolean): void {
    this.act({ name: "open", key: entry.key, widget: !inCell });
  }

  recompute(entry: CacheEntry): void {
    if (entry.recomputable) this.act({ name: "recompute", key: entry.key });
    else this.#toast.show(entry.reason, true);
  }

  drop(entry: CacheEntry): void {
    const row = this.#list.mark(entry.key);
    this.#dialog.show(
      dropQuestion(entry, this.state, (action) => this.act(action)),
      row ?? this.#more,
      () => this.#list.mark(null),
    );
  }

  /** Saves every entry into a folder, or loads from one. */
  transfer(name: "save" | "load"): void {
    this.#dialog.show(
      placeQuestion(name, (action) => this.act(action)),
      this.#more,
    );
  }

  flush(): void {
    this.#dialog.show(
      flushQuestion(this.state, (action) => this.act(action)),
      this.#more,
    );
  }

  prune(): void {
    this.#dialog.show(
      pruneQuestion(
        this.state,
        (action) => this.act(action),
        () => Date.now() / 1000,
      ),
      this.#more,
    );
  }

  async #copy(text: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      this.#toast.show(`Copied ${text.slice(0, 8)}`);
    } catch {
      this.#toast.show(`The browser does not let it be copied: ${text}`, true);
    }
  }

  #itemsOf(entry: CacheEntry): MenuItem[] {
    const cell = { label: "Open in a new cell", act: () => this.open(entry, true) };
    return [
      { label: "Open", act: () => this.open(entry, false) },
      ...(this.#host.hasCells ? [cell] : []),
      { label: "Recompute", act: () => this.recompute(entry), disabled: entry.recomputable ? undefined : entry.reason },
      { label: "Copy handle", act: () => void this.#copy(entry.handle) },
      { label: "Drop…", act: () => this.drop(entry), separated: true },
    ];
  }

  #openMenu(): void {
    const box = this.#more.getBoundingClientRect();
    const none = this.state.entries.size ? undefined : "The cache is empty";
    const memory = this.state.totals?.directory === null ? "Nothing is written: NBFORECAST_CACHE=memory" : undefined;
    const items: MenuItem[] = [
      { label: "Save", act: () => this.act({ name: "save" }), disabled: memory },
      { label: "Load", act: () => this.act({ name: "load" }), disabled: memory },
      { label: "Save into a folder…", act: () => this.transfer("save"), disabled: none },
      { label: "Load from a folder…", act: () => this.transfer("load") },
      { label: "Prune…", act: () => this.prune(), disabled: none, separated: true },
      { label: "Flush…", act: () => this.flush(), disabled: none },
    ];
    this.#menu.open(items, box.right, box.bottom + 2, this.#more);
  }

  #sortBy(sorting: SortName): void {
    this.#sorting = sorting;
    this.#sort.value = sorting;
    this.#show();
  }

  #onFilterKey(event: KeyboardEvent): void {
    if (event.key !== "Escape" || !this.#filter.value) return;
    event.stopPropagation();
    this.#filter.value = "";
    this.#show();
  }

  #show(): void {
    const { state } = this;
    const pending = [...(this.#connection?.pending.values() ?? [])];
    const queued = pending.filter(({ stage }) => stage === "queued").map(({ action }) => action);
    this.#tasks.show(state.tasks, new Set(queued.flatMap((action) => (action.name === "cancel" ? [action.task] : []))));
    const words = this.#filter.value.trim();
    const all = [...state.entries.values()];
    const visible = words ? all.filter((entry) => matches(entry, words)) : all;
    this.#list.show(visible, this.#sorting);
    this.#list.el.hidden = visible.length === 0;
    const isShort = all.length < MANY && !words;
    setText(this.#count, state.complete ? plural(all.length, "entry", "entries") : "");
    this.#count.hidden = !isShort;
    this.#filter.placeholder = `Filter ${integer(all.length)}`;
    this.#filter.hidden = this.#sort.hidden = isShort;
    this.#tools.classList.toggle("nbf-few", isShort);
    setText(this.#empty, this.#sentence(all.length, visible.length, words));
    this.#empty.hidden = !this.#empty.textContent;
    this.#footer.show(state.totals, state.device);
    this.root.toggleAttribute("aria-busy", !state.complete);
    const general = queued.find((action) => !("key" in action) && action.name !== "cancel");
    if (general) this.#toast.show(`The kernel is busy: ${general.name} is queued.`);
    this.#tick();
    this.#host.changed?.();
  }

  #tick(): void {
    const pending = new Map<string, string>();
    for (const { action, stage } of this.#connection?.pending.values() ?? []) {
      if (stage !== "sent" && "key" in action)
        pending.set(action.key, stage === "queued" ? `${action.name}: queued` : ACTIVITIES[action.name]);
    }
    this.#list.tick(Date.now() / 1000, pending);
  }

  #sentence(all: number, visible: number, words: string): string {
    if (!this.state.complete)
      return this.#connection?.silent ? "The kernel is busy. The list comes when the cell has ended." : "";
    if (!all)
      return this.state.tasks.length ? "" : "Nothing is kept yet: what %forecast and %quickdraw infer appears here.";
    return visible ? "" : `No entry has “${words}” in its name, model or handle.`;
  }
}
