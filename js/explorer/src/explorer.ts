/** One view of one model: holds what is shown, moves it, and has the view draw it once a frame. */

import type { Jump } from "./controls";
import type { Stage } from "./gestures";
import { indexOf, rowOf, season } from "./keys";
import { Link, type Trait, type WidgetModel } from "./link";
import { next, random } from "./order";
import { Player } from "./player";
import { Position, type How } from "./position";
import { PENDING, type Incoming, type Style } from "./protocol";
import type { Row } from "./rows";
import type { Sight } from "./sight";
import { Store, type History, type Standing } from "./store";
import { Calendar } from "./time";
import { View } from "./view";
import type { Bounds } from "./window";

export class Explorer {
  private readonly store = new Store();
  private readonly view: View;
  private readonly link: Link;
  private readonly player: Player;
  private calendar = new Calendar("number", null, null);
  private loaded: History | null = null;
  private series = 0;
  private model = 0;
  private compare: number | null = null;
  private style: Style = "bands";
  private readonly at = new Position();
  /** The index asked for before `meta` came. */
  private index = 0;
  private held = false;
  private raf = 0;

  constructor(private readonly traits: WidgetModel, private readonly signal: AbortSignal) {
    const wishes = {
      series: (position: number) => this.open({ series: position }),
      model: (position: number) => this.open({ model: position }),
      compare: (position: number | null) => this.open({ compare: position }),
      style: (style: Style) => this.restyle(style, true),
      jump: (where: Jump) => this.jump(where),
      index: (index: number, done: boolean) => {
        this.go(rowOf(index, this.rows), done ? "anchor" : "carry");
        if (done) this.link.flush();
      },
      play: () => this.player.toggle(),
    };
    this.view = new View(wishes, () => this.link.send({ kind: "cancel", model: this.model }), signal);
    this.player = new Player(() => this.advance(), (on) => {
      this.view.controls.playing(on);
      if (!on) this.link.flush();
    }, signal);
    this.link = new Link(traits, this.store, (m) => this.heard(m), (busy) => this.view.status.busy(busy), signal);
  }

  get root(): HTMLElement {
    return this.view.root;
  }

  /** To be called once the root is in the page. */
  start(): void {
    this.index = this.trait("index", 0);
    this.series = this.trait("series", 0);
    this.model = this.trait("model", 0);
    this.style = this.traits.get("drawing") === "density" ? "density" : "bands";
    const free = (): boolean => !this.held && !this.player.on;
    const whole = (v: unknown): v is number => typeof v === "number" && Number.isInteger(v);
    this.link.follow("index", free, (v) => whole(v) && v !== this.shownIndex && this.go(rowOf(v, this.rows), "follow", false));
    this.link.follow("series", free, (v) => whole(v) && v !== this.series && this.open({ series: v }, false));
    this.link.follow("model", free, (v) => whole(v) && v !== this.model && this.open({ model: v }, false));
    this.link.follow("drawing", free, (v) => (v === "bands" || v === "density") && this.restyle(v, false));
    // At once, not in the next frame: a stretched canvas would flash.
    this.view.start(this.stage(), () => this.paint());
    this.signal.addEventListener("abort", () => cancelAnimationFrame(this.raf));
    this.link.open();
  }

  private trait(name: Trait, otherwise: number): number {
    const found = this.traits.get(name);
    return typeof found === "number" && Number.isInteger(found) ? found : otherwise;
  }

  private get rows(): number {
    return this.store.meta?.series[this.series]?.rows ?? 1;
  }

  private get shownIndex(): number {
    return indexOf(this.at.row, this.rows);
  }

  private get bounds(): Bounds {
    return { rows: this.rows, horizon: this.store.meta?.horizon ?? 1 };
  }

  private get standing(): Standing {
    return this.store.standing(this.series, this.model);
  }

  /** What is looked at, for those who put it into words. */
  private get sight(): Sight | null {
    const { store, calendar, series, models, rows } = this;
    const { row } = this.at;
    const history = store.history(series);
    return store.meta && history && { meta: store.meta, store, calendar, history, series, models, row, rows };
  }

  private heard(message: Incoming): void {
    if (message.kind === "meta") this.begin();
    if (message.kind === "history" && message.series === this.series) this.load();
    this.repaint();
  }

  private begin(): void {
    const { meta } = this.store;
    if (!meta) return;
    this.series = Math.max(0, Math.min(this.series, meta.series.length - 1));
    this.model = Math.max(0, Math.min(this.model, meta.models.length - 1));
    if (this.compare !== null && this.compare >= meta.models.length) this.compare = null;
    this.calendar = new Calendar(meta.clock, meta.zone, meta.step);
    if (this.offer()) this.at.begin(rowOf(this.index, this.rows), this.view.width, this.bounds);
    else if (this.at.row >= this.rows) this.at.move(this.rows - 1, this.bounds);
    this.load();
  }

  private offer(): boolean {
    const { meta } = this.store;
    const { series, model, compare, style } = this;
    return meta !== null && this.view.offer(meta, { series, model, compare, style });
  }

  private load(): void {
    const { meta } = this.store;
    const history = this.store.history(this.series);
    // Until another series has come, the one before stays.
    if (!meta || !history || history === this.loaded) return;
    this.loaded = history;
    const { horizon, step, target } = meta;
    this.view.focus.load({ history, horizon, step, target, calendar: this.calendar });
  }

  /** Another series, model or comparison; the index stays. */
  private open(change: { series?: number; model?: number; compare?: number | null }, tell = true): void {
    const { meta } = this.store;
    if (!meta) return;
    const index = this.shownIndex;
    const series = change.series ?? this.series;
    const model = change.model ?? this.model;
    if (!meta.series[series] || !meta.models[model]) return;
    const compare = change.compare === undefined ? this.compare : change.compare;
    const moved = series !== this.series;
    [this.series, this.model, this.compare] = [series, model, compare === model ? null : compare];
    if (moved) this.at.move(rowOf(index, this.rows), this.bounds);
    for (const m of this.models) this.link.send({ kind: "open", series, model: m });
    if (tell) {
      this.link.sync("series", series);
      this.link.sync("model", model);
      this.link.sync("index", this.shownIndex);
    }
    this.offer();
    this.load();
    this.repaint();
  }

  private restyle(style: Style, tell: boolean): void {
    this.style = style;
    if (tell) this.link.sync("drawing", style);
    this.offer();
    this.repaint();
  }

  private jump(where: Jump): void {
    const { standing } = this;
    const worst = where === "worst" || where === "next" ? standing.worst(this.bounds.horizon) : [];
    const row =
      where === "latest" ? this.rows - 1
      : where === "random" ? random(standing.status, this.at.row)
      : where === "worst" ? (worst[0] ?? null)
      : next(worst, standing.score, this.at.row);
    if (row !== null) this.jumpTo(row);
  }

  private jumpTo(row: number): void {
    this.go(row, "anchor");
    this.link.flush();
  }

  private advance(): boolean {
    const row = this.at.next(this.standing.status);
    if (row !== null) this.go(row, "follow");
    return row !== null && row < this.rows - 1;
  }

  private get models(): number[] {
    return this.compare === null ? [this.model] : [this.model, this.compare];
  }

  /** Moves the origin. Keys pressed faster than frames add up, since the row changes at once and only paint waits. */
  private go(to: number, how: How, tell = true): void {
    if (!this.store.meta) return;
    this.at.go(to, how, this.bounds);
    this.store.fault = ""; // it told of the origin that is left
    if (tell) this.link.sync("index", this.shownIndex);
    this.repaint();
  }

  private repaint(): void {
    this.raf ||= requestAnimationFrame(() => {
      this.raf = 0;
      this.paint();
    });
  }

  private paint(): void {
    if (this.signal.aborted) return;
    const { sight, view } = this;
    view.status.show(this.store.progress(this.model), this.store.meta?.live ?? false, this.store.fault);
    if (!sight || !view.width) return;
    const began = performance.now();
    const { main, gliding } = view.draw(sight, this.at.window, this.style, this.held);
    this.look(main);
    // For those who test and measure.
    Object.assign(this.root.dataset, {
      index: String(this.shownIndex), drawn: main?.filled ? "forecast" : "history", ms: (performance.now() - began).toFixed(2),
    });
    if (gliding) this.repaint();
  }

  /** Has rows fetched around the origin, and the origin inferred where the run has not come to it. */
  private look(main: Row | null): void {
    const { series, rows } = this;
    const { row, direction } = this.at;
    this.link.see({ series, models: this.models, row, direction, rows });
    const waits = this.standing.status[row] === PENDING && !main?.filled;
    if (waits && this.store.meta?.live) this.link.infer(series, this.model, row);
    else this.link.leave();
  }

  private stage(): Stage {
    const letters: Record<string, () => void> = {
      " ": () => this.player.toggle(), w: () => this.jump("worst"), n: () => this.jump("next"), r: () => this.jump("random"),
    };
    return {
      row: () => this.at.row,
      window: () => this.at.window,
      bounds: () => this.bounds,
      season: () => season(this.store.meta?.seasons ?? []),
      go: (row, how) => this.go(row, how),
      frame: (w) => {
        this.at.window = w;
        this.repaint();
      },
      hold: (held) => {
        this.held = held;
        this.root.classList.toggle("nbf-held", held);
        if (held) {
          this.player.stop();
          this.view.tip.hide();
        }
        this.repaint();
      },
      done: () => this.link.flush(),
      letter: (key) => {
        letters[key]?.();
        return key in letters;
      },
      hover: (row, x, y, on) => this.view.hover(this.sight, row, x, y, on),
      jumpTo: (row) => this.jumpTo(row),
      cellRow: (row) => (this.sight ? this.view.cellRow(this.sight, row) : row),
    };
  }
}
