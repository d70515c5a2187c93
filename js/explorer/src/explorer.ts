/** One view of one widget: messages and gestures change the store, and each change paints the page once a frame. */

import type { Jump } from "./controls/controls";
import { readLink } from "./export/text";
import { Player } from "./input/player";
import { type MoveMode, rowOf } from "./state/origin-state";
import { nextWorst, randomRow, sortSeries } from "./state/ranking";
import { type Settings, type Style, styleOf } from "./state/selection";
import { Store } from "./state/store";
import { stretch, type Viewport } from "./state/viewport";
import { View } from "./view";
import { Connection, type Trait, type WidgetModel } from "./wire/connection";
import { PENDING } from "./wire/messages";

const isInteger = (v: unknown): v is number => typeof v === "number" && Number.isInteger(v);
const integers = (v: unknown): number[] => (Array.isArray(v) ? v.filter(isInteger) : []);
const textOf = (v: unknown): string => (typeof v === "string" ? v : "");

/** The explorer. */
export class Explorer {
  readonly #store = new Store(() => this.#changed());
  readonly #view: View;
  readonly #connection: Connection;
  readonly #player: Player;
  #frame = 0;
  #seeksWorst = false;
  /** What the page's address names, until it is shown. */
  #link = "";
  #opensCompared = true;
  /** The indices to show first, until there are rows. */
  #window: number[] = [];
  readonly #model: WidgetModel;
  readonly #signal: AbortSignal;

  constructor(model: WidgetModel, signal: AbortSignal) {
    this.#model = model;
    this.#signal = signal;
    const callbacks = {
      series: (series: number) => this.#select({ series }),
      openList: () => this.#requestPanel(),
      model: (position: number) => this.#select({ model: position }),
      compare: (compare: number[]) => this.#select({ compare }),
      show: (row: number) => this.#jumpTo(row),
      select: (rows: [number, number] | null) => this.#selectOrigins(rows),
      style: (style: Style) => this.#setStyle(style),
      jump: (target: Jump) => this.#jump(target),
      index: (index: number, isFinal: boolean) => {
        this.#moveTo(rowOf(index, this.#store.rowCount), isFinal ? "anchor" : "carry");
        if (isFinal) this.#connection.flush();
      },
      play: () => this.#player.toggle(),
    };
    const cancel = (): void => this.#connection.send({ kind: "cancel_run", model: this.#store.settings.model });
    this.#view = new View(this.#store, callbacks, cancel, signal);
    this.#player = new Player(
      () => this.#playNext(),
      (on) => {
        this.#view.controls.setPlaying(on);
        if (!on) this.#connection.flush();
      },
      signal,
    );
    this.#connection = new Connection(model, this.#store, signal);
  }

  get root(): HTMLElement {
    return this.#view.root;
  }

  /** Starts; the root has to be in the page. */
  start(): void {
    const trait = (name: Trait): number => {
      const value = this.#model.get(name);
      return isInteger(value) ? value : 0;
    };
    const style = styleOf(this.#model.get("drawing"));
    const store = this.#store;
    const compare = integers(this.#model.get("compare"));
    store.start({ series: trait("series"), model: trait("model"), compare, style }, trait("index"));
    this.#window = integers(this.#model.get("window"));
    this.#link = textOf(this.#model.get("link"));
    // Only pages without a kernel have links.
    const link = (): void => {
      this.#link = textOf(this.#model.get("link"));
      this.#followLink();
    };
    this.#model.on("change:link", link);
    this.#signal.addEventListener("abort", () => this.#model.off("change:link", link));
    const isFree = (): boolean => !store.held && !this.#player.on;
    const connection = this.#connection;
    connection.follow(
      "index",
      isFree,
      (v) => isInteger(v) && v !== store.index && store.moveTo(rowOf(v, store.rowCount), "follow"),
    );
    connection.follow(
      "series",
      isFree,
      (v) => isInteger(v) && v !== store.settings.series && this.#open({ series: v }),
    );
    connection.follow("model", isFree, (v) => isInteger(v) && v !== store.settings.model && this.#open({ model: v }));
    connection.follow("compare", isFree, (v) => this.#open({ compare: integers(v) }));
    connection.follow("window", isFree, (v) => this.#showWindow(integers(v)));
    connection.follow("selected", isFree, (v) => {
      const [first, last] = integers(v).map((index) => rowOf(index, store.rowCount));
      store.others.select(last === undefined ? null : [first, last], store.rowCount);
    });
    connection.follow("drawing", isFree, (v) => store.setStyle(styleOf(v)));
    // At once, not in the next frame: a stretched canvas would flash.
    this.#view.start(this.#gestureActions(), () => this.#paint());
    this.#signal.addEventListener("abort", () => cancelAnimationFrame(this.#frame));
    connection.open();
  }

  // ---- what a person does: it changes the store, and Python's traits

  #select(change: Partial<Settings>): void {
    if (!this.#open(change)) return;
    const {
      settings: { series, model, compare },
      index,
    } = this.#store;
    const selected = this.#store.others.selected ? undefined : [];
    for (const [trait, value] of Object.entries({ series, model, compare, index, selected }))
      if (value !== undefined) this.#connection.sync(trait as Trait, value);
  }

  /** Shows another series, model or comparison, and requests what there is of it. */
  #open(change: Partial<Settings>): boolean {
    const store = this.#store;
    if (!store.select(change)) return false;
    this.#connection.openSeries(store.settings.series, store.models);
    return true;
  }

  #setStyle(style: Style): void {
    this.#store.setStyle(style);
    this.#connection.sync("drawing", style);
  }

  #moveTo(row: number, mode: MoveMode): void {
    if (this.#store.moveTo(row, mode)) this.#connection.sync("index", this.#store.index);
  }

  #setViewport(viewport: Viewport | null): void {
    const store = this.#store;
    if (viewport) store.setViewport(viewport);
    else store.resetViewport();
    const { start, span } = store.origin.viewport;
    const indices = [start, start + span].map((row) => Math.round(row) - store.rowCount + 1);
    this.#connection.sync("window", viewport ? indices : []);
  }

  /** Shows the rows between two indices; as many as at first where there are none. */
  #showWindow([first, last]: number[]): void {
    const store = this.#store;
    if (last === undefined) store.resetViewport();
    else {
      const row = (index: number): number => index + store.rowCount - 1;
      store.setViewport(stretch(row(first), row(last), store.bounds));
    }
  }

  #selectOrigins(rows: [number, number] | null): void {
    const store = this.#store;
    store.others.select(rows, store.rowCount);
    this.#connection.sync(
      "selected",
      (store.others.selected ?? []).map((row) => row - store.rowCount + 1),
    );
  }

  /** Selects from the origin in view on, or up to it. */
  #selectFrom(isEnd: boolean): void {
    const {
      origin,
      others: { selected },
    } = this.#store;
    const { row } = origin;
    const [first, last] = selected ?? [row, row];
    this.#selectOrigins(isEnd ? [Math.min(first, row), row] : [row, Math.max(last, row)]);
  }

  #togglePin(): void {
    const { others, selection: s } = this.#store;
    if (s) others.togglePin(s.row, s.forecasts[0], s.calendar.text(s.history.time[s.row], true));
  }

  /** Goes where the link leads, once what it names has come. */
  #followLink(): void {
    const store = this.#store;
    const link = readLink(this.#link);
    if (!link || !store.meta) return;
    const series = store.meta.series.findIndex(({ id }) => id === link.series);
    const model = store.meta.models.findIndex(({ name }) => name === link.model);
    if (link.series !== null && series < 0) this.#refuseLink(`series ${link.series}`);
    else if (link.model !== null && model < 0) this.#refuseLink(`model ${link.model}`);
    else if (series >= 0 && series !== store.settings.series) this.#select({ series });
    else if (model >= 0 && model !== store.settings.model) this.#select({ model });
    else if (store.selection) {
      const { calendar, history, rows } = store.selection;
      this.#link = "";
      const row = link.time === null ? null : calendar.find(history.time.subarray(0, rows), link.time);
      if (row !== null && row >= 0) this.#jumpTo(row);
      else if (link.time !== null) this.#refuseLink(`time ${link.time}`);
    }
  }

  #refuseLink(what: string): void {
    this.#link = "";
    this.#store.receive({
      kind: "fault",
      text: `The link names a ${what.split(" ")[0]} that is not here: ${what.slice(what.indexOf(" ") + 1)}`,
    });
  }

  #requestPanel(): void {
    this.#connection.send({ kind: "panel_request", model: this.#store.settings.model });
  }

  /** Shows the worst origin of the series with the largest errors, once its rows have come. */
  #showWorstOfAll(): void {
    const { panel, meta } = this.#store;
    if (!this.#seeksWorst || !panel || !meta) return;
    this.#seeksWorst = false;
    const [series] = sortSeries(panel, "mase", meta.series.length);
    this.#select({ series });
    if (panel.worst[series] >= 0) this.#jumpTo(panel.worst[series]);
  }

  #jump(target: Jump): void {
    const row = this.#target(target);
    if (row !== null) this.#jumpTo(row);
  }

  /** The row that a button leads to; null where there is none. */
  #target(target: Jump): number | null {
    const { status, origin, rowCount, bounds, selection } = this.#store;
    switch (target) {
      case "latest":
        return rowCount - 1;
      case "random":
        return randomRow(status.status, origin.row);
      case "worst":
        return status.worst(bounds.horizon)[0] ?? null;
      case "next":
        return nextWorst(status.worst(bounds.horizon), status.score, origin.row);
      case "surprise":
        return selection?.surprises?.next(origin.row) ?? null;
    }
  }

  #jumpTo(row: number): void {
    this.#moveTo(row, "anchor");
    this.#connection.flush();
  }

  #playNext(): boolean {
    const { origin, status, rowCount } = this.#store;
    const row = origin.nextRow(status.status);
    if (row !== null) this.#moveTo(row, "follow");
    return row !== null && row < rowCount - 1;
  }

  #gestureActions(): Parameters<View["start"]>[0] {
    const keys: Record<string, () => void> = {
      " ": () => this.#player.toggle(),
      w: () => this.#jump("worst"),
      n: () => this.#jump("next"),
      s: () => this.#jump("surprise"),
      r: () => this.#jump("random"),
      W: () => {
        this.#seeksWorst = true;
        this.#requestPanel();
      },
      p: () => this.#store.others.togglePast(),
      f: () => this.#togglePin(),
      c: () => this.#view.take("value"),
      C: () => this.#view.take("code"),
      "[": () => this.#selectFrom(false),
      "]": () => this.#selectFrom(true),
      "0": () => this.#setViewport(null),
      "?": () => this.#view.toggleHelp(),
    };
    return {
      moveTo: (row, mode) => this.#moveTo(row, mode),
      setViewport: (viewport) => this.#setViewport(viewport),
      resetViewport: () => this.#setViewport(null),
      select: (rows) => this.#selectOrigins(rows),
      brush: (from, to) => this.#view.brush(from, to),
      setHeld: (held) => {
        if (held) {
          this.#player.stop();
          this.#view.hover(null);
        }
        this.#store.setHeld(held);
      },
      finish: () => this.#connection.flush(),
      pressKey: (key) => {
        keys[key]?.();
        return key in keys;
      },
      hover: (pointer) => this.#view.hover(pointer),
      jumpTo: (row) => this.#jumpTo(row),
      stripTarget: (row, y) => this.#view.stripTarget(row, y),
    };
  }

  // ---- painting

  #changed(): void {
    this.#showWorstOfAll();
    this.#followLink();
    const { meta, models, settings } = this.#store;
    if (this.#opensCompared && meta) {
      // The kernel sends the main model by itself.
      this.#opensCompared = false;
      if (models.length > 1) this.#connection.openSeries(settings.series, models.slice(1));
    }
    if (this.#window.length && this.#store.meta && this.#store.width) {
      const window = this.#window;
      this.#window = [];
      this.#showWindow(window);
    }
    this.#view.update();
    this.#requestPaint();
  }

  #requestPaint(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
    });
  }

  #paint(): void {
    if (this.#signal.aborted) return;
    const store = this.#store;
    const { selection, models } = store;
    if (!store.meta || !store.width) return;
    const start = performance.now();
    const { series, model } = store.settings;
    const { row, direction } = store.origin;
    this.#connection.setVisible({ series, models, row, direction, rows: store.rowCount });
    if (!selection) {
      this.#view.blank();
      this.#connection.infer(null);
      Object.assign(this.root.dataset, { index: String(store.index), drawn: "nothing" });
      return;
    }
    const isGliding = this.#view.draw(selection);
    const [main] = selection.forecasts;
    const isMissing = store.status.status[row] === PENDING && !main?.filled && selection.meta.live;
    this.#connection.infer(isMissing ? { series, model, row } : null);
    // For tests and measurements.
    Object.assign(this.root.dataset, {
      index: String(store.index),
      rows: String(store.rowCount),
      drawn: main?.filled ? (main.isSketch ? "sketch" : "forecast") : selection.near ? "near" : "history",
      ms: (performance.now() - start).toFixed(2),
    });
    if (isGliding) this.#requestPaint();
  }
}
