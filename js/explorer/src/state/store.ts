/** The state of one explorer: what the kernel has sent, and what a person has chosen. The page is painted from it. */

import {
  type ExtendMessage,
  type LiveMessage,
  type Messages,
  type MetaMessage,
  type PanelMessage,
  type ProgressMessage,
  type ScatteredStatusMessage,
  type ScoresMessage,
  type StatusMessage,
  UNAVAILABLE,
  UNSCORED,
  type WindowMessage,
} from "../wire/messages";
import { Calendar } from "./calendar";
import { extended, withRange } from "./growth";
import { JointCache } from "./joint-cache";
import { expandStatus, fillOdd, longHistory, missingWindows, withWindow } from "./long-series";
import { indexOf, type MoveMode, OriginState, rowOf } from "./origin-state";
import { OriginStatus } from "./origin-status";
import { OtherOrigins } from "./other-origins";
import { type Forecast, RowCache, type RowSpan } from "./row-cache";
import { type History, MAX_COMPARED, type Selection, type Settings, type Style } from "./selection";
import { Sketch } from "./sketch";
import { Surprises } from "./surprises";
import { type Bounds, initialViewport, type Viewport } from "./viewport";

const clamp = (position: number, count: number): number => Math.max(0, Math.min(position, count - 1));

/** The store. `changed` is called after every change. */
export class Store {
  meta: MetaMessage | null = null;
  rows: RowCache | null = null;
  joints: JointCache | null = null;
  /** What could not be done, in words. */
  fault = "";
  settings: Settings = { series: 0, model: 0, compare: [], style: "bands" };
  readonly origin = new OriginState();
  /** Origins beside the one in view. */
  readonly others = new OtherOrigins(() => this.#changed());
  /** Whether the origin is being dragged. */
  held = false;
  /** Whether the kernel owes an answer. */
  busy = false;
  /** Whether the kernel is gone; what is in the browser still works. */
  gone = false;
  /** How the source of live data stands; null where the data do not grow. */
  live: LiveMessage | null = null;
  /** The width of the charts in CSS pixels; 0 while hidden. */
  width = 0;
  #calendar = new Calendar("number", null, null);
  /** The index to show once there is a meta message. */
  #initialIndex = 0;
  #histories = new Map<number, History>();
  #statuses = new Map<string, OriginStatus>();
  #scores = new Map<string, ScoresMessage>();
  #sketches = new Map<string, Sketch>();
  #surprises = new Map<string, Surprises>();
  #panels = new Map<number, PanelMessage>();
  #progress = new Map<number, ProgressMessage>();
  readonly #changed: () => void;

  constructor(changed: () => void = () => undefined) {
    this.#changed = changed;
  }

  // ---- reading

  /** How many rows the series has. */
  get rowCount(): number {
    return this.meta?.series[this.settings.series]?.rows ?? 1;
  }

  get bounds(): Bounds {
    return { rows: this.rowCount, horizon: this.meta?.horizon ?? 1 };
  }

  get index(): number {
    return indexOf(this.origin.row, this.rowCount);
  }

  /** The main model, and those drawn over it. */
  get models(): number[] {
    return [this.settings.model, ...this.settings.compare];
  }

  /** The main model's status of all origins. */
  get status(): OriginStatus {
    return this.statusOf(this.settings.series, this.settings.model);
  }

  /** The status of all origins; before any has come, all are pending. */
  statusOf(series: number, model: number): OriginStatus {
    const key = `${series}/${model}`;
    let status = this.#statuses.get(key);
    if (!status) {
      status = new OriginStatus(this.meta?.series[series]?.rows ?? 0);
      this.#statuses.set(key, status);
    }
    return status;
  }

  /** The main model's run. */
  get progress(): ProgressMessage | null {
    return this.#progress.get(this.settings.model) ?? null;
  }

  /** The main model's rows on all series; null before they have come. */
  get panel(): PanelMessage | null {
    return this.#panels.get(this.settings.model) ?? null;
  }

  /** How a time reads on the clock of the data. */
  timeText(time: number): string {
    return this.#calendar.text(time, true);
  }

  /** Whether the chosen series has come. */
  get hasHistory(): boolean {
    return this.#histories.has(this.settings.series);
  }

  /** What is on the page; null until the series has come. */
  get selection(): Selection | null {
    const { meta, models, rowCount } = this;
    const { series } = this.settings;
    const { row } = this.origin;
    const history = this.#histories.get(series);
    if (!meta || !history) return null;
    const forecasts = models.map((model) => this.#forecast(series, model, row));
    const status = this.status.status[row];
    return {
      meta,
      calendar: this.#calendar,
      history,
      row,
      rows: rowCount,
      models,
      statuses: models.map((model) => this.statusOf(series, model)),
      forecasts,
      near: forecasts[0]?.filled || status === UNAVAILABLE ? null : this.sketch.nearest(row),
      joints: models.map((model) => this.joints?.get(series, model, row) ?? null),
      scores: models.map((model) => this.#scores.get(`${series}/${model}`) ?? null),
      past: this.others.past(row, meta.horizon, (r) => this.#forecast(series, models[0], r)),
      pin: this.others.pin,
      selected: this.others.selected,
      surprises: this.#surprises.get(`${series}/${models[0]}`) ?? null,
      gone: this.gone,
    };
  }

  #forecast(series: number, model: number, row: number): Forecast | null {
    if (this.statusOf(series, model).status[row] === UNAVAILABLE) return null;
    this.rows?.touch(series, model, row);
    const forecast = this.rows?.forecast(series, model, row) ?? null;
    return forecast?.filled ? forecast : (this.#sketchOf(series, model).get(row) ?? forecast);
  }

  #sketchOf(series: number, model: number): Sketch {
    const key = `${series}/${model}`;
    const sketch = this.#sketches.get(key) ?? new Sketch();
    this.#sketches.set(key, sketch);
    return sketch;
  }

  /** The main model's sketch. */
  get sketch(): Sketch {
    return this.#sketchOf(this.settings.series, this.settings.model);
  }

  /** The row to show for a place in the overview: the one at it, or one with a forecast so near that they share a pixel. */
  sketchedRow(row: number, reach: number): number {
    const { series, model } = this.settings;
    if (this.rows?.has(series, model, row)) return row;
    const near = this.sketch.nearest(row);
    if (near && Math.abs(near.row - row) <= reach) return near.row;
    return this.status.nearestForecast(row, reach) ?? row;
  }

  /** The values in view that have not come; null where they have. */
  get missingWindows(): RowSpan | null {
    const history = this.#histories.get(this.settings.series);
    const { start, span } = this.origin.viewport;
    return history ? missingWindows(history, start - 1, start + span + 1) : null;
  }

  // ---- messages of the kernel

  /** Takes a checked message. */
  receive(message: Messages): void {
    switch (message.kind) {
      case "meta":
        this.#receiveMeta(message);
        break;
      case "history":
        this.#histories.set(message.series, withRange(message));
        break;
      case "long_history":
        if (this.meta) this.#histories.set(message.series, longHistory(message, this.meta));
        break;
      case "status":
      case "scattered_status":
        this.#receiveStatus(message);
        break;
      case "long_status":
        this.#receiveStatus(expandStatus(message, this.meta?.series[message.series].rows ?? 0));
        break;
      case "window":
        this.#receiveWindow(message);
        break;
      case "sketch":
        this.#sketchOf(message.series, message.model).put(message, this.meta?.models[message.model].levels ?? []);
        break;
      case "rows":
        this.rows?.put(message);
        break;
      case "joint":
        this.joints?.put(message);
        break;
      case "scores":
        this.#scores.set(`${message.series}/${message.model}`, message);
        break;
      case "surprises":
        this.#surprises.set(`${message.series}/${message.model}`, new Surprises(message));
        fillOdd(this.#histories.get(message.series), message);
        break;
      case "panel":
        this.#panels.set(message.model, message);
        break;
      case "progress":
        if (message.done && this.#progress.get(message.model)?.done === false) this.joints?.markAllStale();
        this.#progress.set(message.model, message);
        break;
      case "extend":
        this.#extend(message);
        break;
      case "live":
        this.live = message;
        break;
      case "fault":
        this.fault = message.text;
        break;
    }
    this.#changed();
  }

  /** A repeated meta message, for another view, changes nothing; a different one starts afresh. */
  #receiveMeta(meta: MetaMessage): void {
    const before = this.meta;
    this.meta = meta;
    if (!before || shape(before) !== shape(meta)) {
      this.#histories.clear();
      this.#statuses.clear();
      this.#scores.clear();
      this.#surprises.clear();
      this.#sketches.clear();
      this.#panels.clear();
      this.#progress.clear();
      this.rows = new RowCache(
        meta.horizon,
        (model) => meta.models[model].levels,
        (series) => meta.series[series].rows,
      );
      this.joints = new JointCache(meta.horizon);
    }
    const { settings } = this;
    settings.series = clamp(settings.series, meta.series.length);
    settings.model = clamp(settings.model, meta.models.length);
    settings.compare = settings.compare.filter((model) => model < meta.models.length);
    this.#calendar = new Calendar(meta.clock, meta.zone, meta.precision);
    if (!before) this.origin.begin(rowOf(this.#initialIndex, this.rowCount), this.width, this.bounds);
    else if (this.origin.row >= this.rowCount) this.origin.show(this.rowCount - 1, this.bounds);
  }

  /** A series has grown: who is at its newest origin follows, who is elsewhere stays at the same one. */
  #extend(message: ExtendMessage): void {
    const { meta } = this;
    const { series, rows, first } = message;
    if (!meta) return;
    const before = meta.series[series].rows;
    const isHere = series === this.settings.series;
    const isNewest = isHere && this.origin.row === before - 1 && !this.held;
    this.meta = { ...meta, series: meta.series.map((s, i) => (i === series ? { ...s, rows } : s)) };
    const history = this.#histories.get(series);
    if (history && message.time.length) this.#histories.set(series, extended(history, message));
    for (let model = 0; model < meta.models.length; model++) {
      this.#statuses.get(`${series}/${model}`)?.grow(rows);
      if (first >= before) continue;
      this.rows?.drop(series, model);
      this.#sketches.get(`${series}/${model}`)?.clear();
      this.joints?.markAllStale();
    }
    if (isNewest) this.origin.move(rows - 1, "follow", this.bounds);
  }

  #receiveStatus(message: StatusMessage | ScatteredStatusMessage): void {
    const { series, model } = message;
    const status = this.statusOf(series, model);
    const isRange = message.kind === "status";
    const places = new Map(isRange ? [] : Array.from(message.rows, (row, i) => [row, i] as const));
    const first = isRange ? message.first : (message.rows[0] ?? 0);
    const end = isRange ? first + message.count : (message.rows[message.rows.length - 1] ?? -1) + 1;
    // A forecast, or its bands, have come since the row was requested.
    const isStale = (row: number): boolean => {
      const before = status.status[row];
      const i = isRange ? row - first : places.get(row);
      return i !== undefined && message.status[i] !== before && before < UNSCORED;
    };
    this.rows?.markStale(series, model, first, end, isStale);
    this.joints?.markStale(series, model, first, end, isStale);
    status.receive(message);
  }

  #receiveWindow(message: WindowMessage): void {
    const { series, model, first, score } = message;
    const history = this.#histories.get(series);
    if (!history) return;
    this.#histories.set(series, withWindow(history, message));
    this.statusOf(series, model).refine(first, score);
  }

  // ---- what a person, or Python, chooses

  /** Sets what is shown first, before there is a meta message. */
  start(settings: Partial<Settings>, index: number): void {
    this.settings = { ...this.settings, ...settings };
    this.#initialIndex = index;
  }

  /** Shows another series, model or comparison at the same index; false where there is none. */
  select(change: Partial<Omit<Settings, "style">>): boolean {
    const { meta, index } = this;
    const next = { ...this.settings, ...change };
    if (!meta?.series[next.series] || !meta.models[next.model]) return false;
    next.compare = [...new Set(next.compare)]
      .filter((model) => model !== next.model && meta.models[model])
      .slice(0, MAX_COMPARED);
    if (next.series !== this.settings.series || next.model !== this.settings.model) this.others.pin = null;
    if (next.series !== this.settings.series) this.others.selected = null;
    const isMoved = next.series !== this.settings.series;
    this.settings = next;
    if (isMoved) this.origin.show(rowOf(index, this.rowCount), this.bounds);
    this.#changed();
    return true;
  }

  setStyle(style: Style): void {
    this.settings = { ...this.settings, style };
    this.#changed();
  }

  /** Moves the origin at once, so that keys pressed faster than frames add up; false before the meta message. */
  moveTo(row: number, mode: MoveMode): boolean {
    if (!this.meta) return false;
    this.origin.move(row, mode, this.bounds);
    this.fault = ""; // it was about the origin before
    this.#changed();
    return true;
  }

  setViewport(viewport: Viewport): void {
    this.origin.viewport = viewport;
    this.#changed();
  }

  /** Shows as much as at first. */
  resetViewport(): void {
    this.setViewport(initialViewport(this.origin.row, this.width, this.bounds));
  }

  setHeld(held: boolean): void {
    this.held = held;
    this.#changed();
  }

  setBusy(busy: boolean): void {
    this.busy = busy;
    this.#changed();
  }

  setGone(gone: boolean): void {
    this.gone = gone;
    this.#changed();
  }
}

function shape(meta: MetaMessage): string {
  return JSON.stringify([
    meta.horizon,
    meta.clock,
    meta.series.map((s) => s.id),
    meta.covariates,
    meta.models.map((m) => [m.name, m.draws]),
  ]);
}
