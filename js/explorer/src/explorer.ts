/** One view of one model: holds what is shown, moves it, and has the parts draw it once a frame. */

import { Hearing } from "./a11y";
import { Card } from "./card";
import { Controls, type Jump } from "./controls";
import { Focus, margin } from "./focus";
import { onFocus, onKeys, onOverview, onStrip, type Stage } from "./gestures";
import { indexOf, rowOf, season } from "./keys";
import { layout, type Layout } from "./layout";
import { legend, stripLegend } from "./legend";
import { Link, type Trait, type WidgetModel } from "./link";
import { next, random } from "./order";
import { Overview } from "./overview";
import { Player } from "./player";
import { Position } from "./position";
import { WAITING, type Incoming, type Style } from "./protocol";
import { readout } from "./readout";
import type { Row } from "./rows";
import { cellText, forecast, pointText, type Sight } from "./sight";
import { StatusLine } from "./status";
import { Store, type History, type Standing } from "./store";
import { Strip } from "./strip";
import { applyTheme, onTheme, readTheme, type Palette } from "./theme";
import { Calendar } from "./time";
import { Tooltip } from "./tooltip";
import type { Bounds } from "./window";

export class Explorer {
  readonly root: HTMLElement;
  private readonly store = new Store();
  private readonly link: Link;
  private readonly parts: Layout;
  private readonly controls: Controls;
  private readonly overview = new Overview();
  private readonly focus: Focus;
  private readonly strip = new Strip();
  private readonly card = new Card();
  private readonly status: StatusLine;
  private readonly hearing: Hearing;
  private readonly tip = new Tooltip();
  private readonly player: Player;
  private readonly calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  private palette: Palette | null = null;
  private calendar = new Calendar("number", null, null);
  private loaded: History | null = null;

  private series = 0;
  private model = 0;
  private compare: number | null = null;
  private style: Style = "bands";
  private readonly at = new Position();
  private held = false;
  private width = 0;
  private raf = 0;

  constructor(private readonly traits: WidgetModel, private readonly signal: AbortSignal) {
    this.controls = new Controls({
      series: (position) => this.open({ series: position }),
      model: (position) => this.open({ model: position }),
      compare: (position) => this.open({ compare: position }),
      style: (style) => this.restyle(style, true),
      jump: (where) => this.jump(where),
      index: (index, done) => {
        this.go(rowOf(index, this.rows), done ? "anchor" : "follow");
        if (done) this.link.flush();
      },
      play: () => this.player.toggle(),
    }, signal);
    this.status = new StatusLine(() => this.link.send({ kind: "cancel", model: this.model }), signal);
    this.hearing = new Hearing(signal);
    this.player = new Player(() => this.advance(), (on) => {
      this.controls.playing(on);
      if (!on) this.link.flush();
    }, signal);
    this.parts = layout({
      head: this.controls.head, transport: this.controls.transport, overview: this.overview.el, strip: this.strip.el,
      card: this.card.el, status: this.status.el, progress: this.status.bar, tip: this.tip.el,
      live: this.hearing.live, table: this.hearing.table,
    });
    this.root = this.parts.root;
    this.root.classList.add("nbf-empty");
    this.focus = new Focus(this.parts.surface);
    this.parts.stripLegend.append(...stripLegend());
    this.link = new Link(traits, this.store, (m) => this.heard(m), (busy) => this.status.busy(busy), signal);
    const stage = this.stage();
    onKeys(this.parts.surface, stage, signal);
    onFocus(this.parts.surface, this.focus, stage, signal);
    onOverview(this.overview.el, this.overview, stage, signal);
    onStrip(this.strip, this.focus, stage, signal);
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
    const recolour = (): void => {
      const found = readTheme(this.root);
      // Hosts change classes and styles all the time; only colours matter.
      if (JSON.stringify(found) === JSON.stringify(this.palette)) return;
      this.palette = found;
      applyTheme(this.root, this.palette);
      this.focus.recolour(this.palette);
      this.repaint();
    };
    onTheme(recolour, this.signal);
    recolour();
    const observer = new ResizeObserver(() => this.measure());
    observer.observe(this.parts.main);
    this.signal.addEventListener("abort", () => {
      observer.disconnect();
      cancelAnimationFrame(this.raf);
      this.focus.destroy();
    });
    this.measure();
    this.link.open();
  }

  /** The index asked for before `meta` came. */
  private index = 0;

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

  private measure(): void {
    const width = Math.floor(this.parts.main.clientWidth);
    if (!width || width === this.width) return;
    this.width = width;
    const height = width < 460 ? 290 : width < 1100 ? 350 : 400;
    this.focus.resize(width, height);
    // At once, not in the next frame: a stretched canvas would flash.
    this.paint();
  }

  private heard(message: Incoming): void {
    if (message.kind === "meta") this.begin();
    if (message.kind === "history" && message.series === this.series) this.load();
    this.repaint();
  }

  private begin(): void {
    const { meta } = this.store;
    if (!meta) return;
    const fresh = this.root.classList.contains("nbf-empty");
    this.series = Math.max(0, Math.min(this.series, meta.series.length - 1));
    this.model = Math.max(0, Math.min(this.model, meta.models.length - 1));
    if (this.compare !== null && this.compare >= meta.models.length) this.compare = null;
    this.calendar = new Calendar(meta.clock, meta.zone, meta.step);
    this.root.classList.toggle("nbf-still", !meta.live);
    this.root.classList.remove("nbf-empty");
    if (fresh) this.at.begin(rowOf(this.index, this.rows), this.width, this.bounds);
    else if (this.at.row >= this.rows) this.at.move(this.rows - 1, this.bounds);
    this.offer();
    this.load();
  }

  private offer(): void {
    const { meta } = this.store;
    if (!meta) return;
    this.controls.offer(meta, { series: this.series, model: this.model, compare: this.compare, style: this.style });
    const other = this.compare === null ? null : meta.models[this.compare].name;
    this.parts.legend.replaceChildren(...legend(this.style, meta.coverages, meta.calibrated, other));
  }

  private load(): void {
    const { meta } = this.store;
    const history = this.store.history(this.series);
    // Until another series has come, the one before stays.
    if (!meta || !history || history === this.loaded) return;
    this.loaded = history;
    const { horizon, step, target } = meta;
    this.focus.load({ history, horizon, step, target, calendar: this.calendar });
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
  private go(to: number, how: "follow" | "anchor", tell = true): void {
    if (!this.store.meta) return;
    this.at.go(to, how, this.bounds);
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
    const { standing, palette, sight } = this;
    const { row, window: w } = this.at;
    this.status.show(this.store.progress(this.model), this.store.meta?.live ?? false, this.store.fault);
    if (!sight || !palette || !this.width) return;
    const began = performance.now();
    const left = margin(this.width);
    const right = this.width - left;
    const rows = sight.models.map((m) => forecast(sight, m));
    const glide = !this.calm.matches;
    const gliding = this.focus.draw({ row, window: w, main: rows[0], other: rows[1] ?? null, style: this.style, held: this.held, glide });
    this.overview.draw(this.width, left, right, w, row, sight.meta.horizon, sight.history, standing, palette);
    this.strip.draw(this.width, left, right, w, (r) => this.focus.xOf(r), row, standing, palette);
    readout(sight, rows, this.parts, this.controls, this.card, this.hearing);
    this.look(rows[0]);
    this.root.dataset.index = String(this.shownIndex);
    this.root.dataset.drawn = rows[0]?.filled ? "forecast" : "history";
    this.root.dataset.ms = (performance.now() - began).toFixed(2);
    if (gliding) this.repaint();
  }

  /** Has rows fetched around the origin, and the origin inferred where the run has not come to it. */
  private look(main: Row | null): void {
    const { series, rows } = this;
    const { row, direction } = this.at;
    this.link.see({ series, models: this.models, row, direction, rows });
    const waits = this.standing.status[row] === WAITING && !main?.filled;
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
          this.tip.hide();
        }
        this.repaint();
      },
      done: () => this.link.flush(),
      letter: (key) => {
        letters[key]?.();
        return key in letters;
      },
      hover: (row, x, y, on) => this.hover(row, x, y, on),
      jumpTo: (row) => this.jumpTo(row),
      cellRow: (row) => this.strip.cellOf(this.standing, row)?.row ?? row,
    };
  }

  private hover(row: number | null, x: number, y: number, on: "focus" | "strip"): void {
    const sight = this.sight;
    const cell = sight && row !== null && on === "strip" ? this.strip.cellOf(this.standing, row) : null;
    if (cell && sight) this.tip.show(x, this.strip.el.offsetTop, cellText(sight, cell));
    else if (sight && row !== null && on === "focus") {
      this.tip.show(x, (this.parts.surface.parentElement?.offsetTop ?? 0) + y, pointText(sight, row));
    } else this.tip.hide();
  }
}
