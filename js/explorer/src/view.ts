/** Everything on the page of one explorer: its parts, their sizes and colours, drawn from the store. */

import { type ControlCallbacks, Controls } from "./controls/controls";
import { Help } from "./controls/help";
import { type Layout, type LegendModel, layOut, legendItems } from "./controls/layout";
import { LiveBadge } from "./controls/live-badge";
import { cellText, Readout, rowText } from "./controls/pointer-readout";
import { showNothing, showReadout } from "./controls/readout";
import { ScoreCard } from "./controls/score-card";
import { LiveRegion } from "./controls/screen-reader";
import { SelectedOrigins } from "./controls/selected-origins";
import { StatusLine } from "./controls/status-line";
import { oddLegend, oddLines } from "./controls/surprise-text";
import { TakeMenu, type Taken } from "./controls/take-menu";
import { CovariateStrips } from "./drawing/covariate-strips";
import { Overview } from "./drawing/overview";
import { ScoreStrip } from "./drawing/score-strip";
import { applyTheme, onTheme, type Palette, readTheme } from "./drawing/theme";
import { ZoomView } from "./drawing/zoom-view";
import { take } from "./export/take";
import { followFocus } from "./input/focus";
import {
  type GestureActions,
  onCovariates,
  onKeys,
  onOverview,
  onStrip,
  onZoomView,
  type Pointer,
} from "./input/gestures";
import { asTotals } from "./state/running-totals";
import { colourRank, MAX_COMPARED, rankOf, type Selection } from "./state/selection";
import type { Store } from "./state/store";
import { originOf, type Surprise, type Surprises } from "./state/surprises";

/** The width of a page that is printed, in CSS pixels: what is left of a sheet of A4 or letter. */
const PAPER = 700;
/** Origins of live data whose progress is not shown. */
const FEW_ROWS = 64;
/** How near to an odd observation the pointer reads it out, px. */
const SNAP = 4;

/** The view. */
export class View {
  readonly root: HTMLElement;
  readonly controls: Controls;
  readonly #status: StatusLine;
  readonly #live: LiveBadge;
  readonly #zoomView: ZoomView;
  readonly #readout = new Readout();
  readonly #help: Help;
  readonly #overview = new Overview();
  readonly #covariates = new CovariateStrips();
  readonly #strip = new ScoreStrip();
  readonly #selected: SelectedOrigins;
  readonly #menu: TakeMenu;
  readonly #compare: (positions: number[]) => void;
  readonly #card = new ScoreCard();
  readonly #liveRegion: LiveRegion;
  readonly #layout: Layout;
  readonly #calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  #palette: Palette | null = null;
  #pointer: Pointer | null = null;
  #isPrinting = false;
  #settingsKey: unknown[] = [];
  #totals = new Float64Array(0);
  #shownOdd: Surprises | null = null;
  readonly #store: Store;
  readonly #signal: AbortSignal;

  constructor(store: Store, callbacks: ControlCallbacks, cancel: () => void, signal: AbortSignal) {
    this.#store = store;
    this.#signal = signal;
    this.controls = new Controls(callbacks, signal);
    this.#status = new StatusLine(cancel, signal);
    this.#liveRegion = new LiveRegion(signal);
    this.#help = new Help(signal);
    this.#menu = new TakeMenu((what) => this.take(what), signal);
    this.controls.head.append(this.#menu.el, this.#help.button);
    this.#compare = callbacks.compare;
    this.#selected = new SelectedOrigins(callbacks.show, () => callbacks.select(null), signal);
    this.#strip.el.append(this.#selected.mark);
    this.#live = new LiveBadge(() => callbacks.jump("latest"));
    this.controls.addBadge(this.#live.el);
    this.#layout = layOut({
      readout: this.#readout.el,
      cross: this.#readout.line,
      help: this.#help.el,
      head: this.controls.head,
      transport: this.controls.transport,
      overview: this.#overview.el,
      covariates: this.#covariates.el,
      strip: this.#strip.el,
      stretch: this.#selected.el,
      card: this.#card.el,
      status: this.#status.el,
      progress: this.#status.bar,
      live: this.#liveRegion.live,
      table: this.#liveRegion.table,
    });
    this.root = this.#layout.root;
    this.root.classList.add("nbf-empty");
    this.#zoomView = new ZoomView(this.#layout.surface);
  }

  /** Follows the host's size and colours, and listens to gestures; the root has to be in the page. */
  start(actions: GestureActions, changed: () => void): void {
    const store = this.#store;
    const signal = this.#signal;
    const { surface, main } = this.#layout;
    followFocus(this.root, surface, signal);
    onKeys(this.root, store, actions, signal);
    onZoomView(surface, this.#zoomView, store, actions, signal);
    onOverview(this.#overview.el, this.#overview, store, actions, signal);
    onStrip(this.#strip, this.#zoomView, store, actions, signal);
    onCovariates(this.#covariates.el, actions, signal);
    const recolour = (): void => {
      const colours = readTheme(this.root);
      // Hosts change classes and styles all the time; only colours matter.
      if (JSON.stringify(colours) === JSON.stringify(this.#palette)) return;
      this.#palette = colours;
      applyTheme(this.root, colours, this.#otherRank());
      this.#zoomView.recolour(colours);
      changed();
    };
    onTheme(recolour, signal);
    recolour();
    const measure = (): void => {
      const width = Math.floor(main.clientWidth);
      if (!width || width === store.width || this.#isPrinting) return;
      store.width = width;
      this.#zoomView.resize(width, width < 460 ? 290 : width < 1100 ? 350 : 400);
      changed();
    };
    const observer = new ResizeObserver(measure);
    observer.observe(main);
    measure();
    window.addEventListener("beforeprint", () => this.#fitPaper(true), { signal });
    window.addEventListener("afterprint", () => this.#fitPaper(false), { signal });
    signal.addEventListener("abort", () => {
      observer.disconnect();
    });
  }

  /** Makes the whole picture as small as a sheet: canvases would keep their size, and what is painted only now is not printed. */
  #fitPaper(on: boolean): void {
    const { root } = this;
    const width = root.clientWidth;
    if (on && !width) return;
    this.#isPrinting = on;
    this.#readout.hide();
    root.classList.toggle("nbf-print", on);
    root.style.width = on ? `${width}px` : "";
    root.style.setProperty("zoom", on && width > PAPER ? String(PAPER / width) : "");
  }

  /** Shows what there is to choose from and what is chosen, where that has changed. */
  update(): void {
    const { meta, settings, held, panel, others } = this.#store;
    const { showsPast } = others;
    const pinTime = others.pin && others.pinTime;
    this.root.classList.toggle("nbf-held", held);
    this.#showStatus();
    const key = [
      meta,
      panel,
      settings.series,
      settings.model,
      settings.compare.join(),
      settings.style,
      pinTime,
      showsPast,
    ];
    if (!meta || key.every((v, i) => v === this.#settingsKey[i])) return;
    this.#settingsKey = key;
    this.root.classList.remove("nbf-empty");
    this.controls.showSettings(meta, settings, panel, (time) => this.#store.timeText(time));
    this.root.classList.toggle("nbf-compares", settings.compare.length > 0);
    if (this.#palette) applyTheme(this.root, this.#palette, this.#otherRank());
    this.#menu.hasLinks = !meta.live;
    const { style } = settings;
    this.#layout.legend.replaceChildren(
      ...legendItems(style, meta.coverages, meta.calibrated, this.#others(), pinTime, showsPast),
    );
  }

  #otherRank(): number {
    const { model, compare } = this.#store.settings;
    return compare.length ? colourRank(compare[0], model) : 0;
  }

  /** The models of the legend beside the main one: the one that is drawn, or of several those that may be. */
  #others(): LegendModel[] {
    const { meta, settings } = this.#store;
    const { model, compare } = settings;
    const positions = (meta?.models ?? []).map((_, i) => i).filter((i) => i !== model);
    const canToggle = positions.length > 1;
    return positions.slice(0, MAX_COMPARED).flatMap((i) => {
      const isShown = compare.includes(i);
      if (!isShown && !compare.length) return [];
      const next = isShown ? compare.filter((other) => other !== i) : [...compare, i].sort((a, b) => a - b);
      const toggle = canToggle ? () => this.#compare(next) : null;
      const name = meta?.models[i].name ?? "";
      return isShown || canToggle ? [{ name, rank: colourRank(i, model), isShown, toggle }] : [];
    });
  }

  /** Copies or saves what is shown. */
  take(what: Taken): void {
    const { selection, settings, origin } = this.#store;
    const colours = this.#palette;
    if (!selection || !colours) return;
    const { series, style } = settings;
    const shown = { selection: this.#drawn(selection), series, style, viewport: origin.viewport, colours };
    void take(what, { ...shown, chart: this.#zoomView, readout: this.#readout.lines }).then((note) =>
      this.#menu.note(note),
    );
  }

  #showStatus(): void {
    const { progress, meta, busy, gone, fault, live, origin, rowCount } = this.#store;
    this.#live.show(live, origin.row === rowCount - 1, gone);
    // A few new rows are no run that somebody waits for.
    const isNearlyDone = progress && live && progress.available - progress.calculated <= FEW_ROWS;
    this.#status.show(isNearlyDone ? { ...progress, done: true } : progress, meta?.live ?? false, busy, gone, fault);
  }

  /** Shows that the chosen series has not come: nothing of another one stays in view. */
  blank(): void {
    const { gone, index } = this.#store;
    this.root.classList.add("nbf-blank");
    this.#readout.hide();
    const text = gone ? "This series was not loaded before the kernel went" : "Loading the series";
    showNothing(text, index, this.#layout, this.controls, this.#card, this.#liveRegion);
  }

  /** Draws a selection; true while the picture is still to change by itself. */
  draw(selection: Selection): boolean {
    const palette = this.#palette;
    if (!palette) return false;
    this.root.classList.remove("nbf-blank");
    const {
      origin: { viewport },
      settings: { style },
      held,
      width,
    } = this.#store;
    const {
      row,
      history,
      meta,
      surprises,
      statuses: [origins, ...others],
    } = selection;
    const isGliding = this.#zoomView.draw(this.#drawn(selection), {
      viewport,
      style,
      held,
      glide: !this.#calm.matches,
    });
    const left = this.#zoomView.side;
    const right = width - left;
    this.root.style.setProperty("--nbf-side", `${left}px`);
    const { horizon } = meta;
    const isBehind = this.#overview.draw(
      width,
      left,
      right,
      viewport,
      row,
      horizon,
      history,
      origins,
      surprises,
      palette,
    );
    this.#covariates.draw(width, left, right, viewport, (r) => this.#zoomView.xOf(r), selection, palette);
    const x = (r: number): number => this.#zoomView.xOf(r);
    this.#strip.draw(width, left, right, viewport, x, row, origins, surprises, history.value, palette, [
      ...others.map((origins, i) => ({ origins, colour: palette.others[rankOf(selection, i + 1)] })),
    ]);
    this.#selected.show(selection, x, left, right);
    this.#showOdd(selection);
    showReadout(selection, this.#layout, this.controls, this.#card, this.#liveRegion);
    this.#describePointer(selection);
    return isGliding || isBehind;
  }

  /** What the zoomed view draws and what is read out: the selection itself, or its running totals. */
  #drawn(selection: Selection): Selection {
    const { origin, settings } = this.#store;
    if (settings.style !== "total") return selection;
    const rows = selection.history.value.length;
    if (this.#totals.length !== rows) this.#totals = new Float64Array(rows);
    const { start, span } = origin.viewport;
    return asTotals(
      selection,
      Math.max(0, Math.floor(start)),
      Math.min(rows - 1, Math.ceil(start + span)),
      this.#totals,
    );
  }

  /** The row that a place in the strip leads to: the origin from which an observation was odd, or the worst of a cell. */
  stripTarget(row: number, y: number): number {
    const odd = this.#surpriseAt(row, y);
    return odd ? originOf(odd) : (this.#strip.cellOf(this.#store.status, row)?.row ?? row);
  }

  #surpriseAt(row: number, y: number): Surprise | null {
    const surprises = this.#store.selection?.surprises ?? null;
    return this.#strip.surpriseAt(surprises, row, (r) => this.#zoomView.xOf(r), y);
  }

  /** Shows what is odd, where that has changed. */
  #showOdd({ surprises }: Selection): void {
    if (surprises === this.#shownOdd) return;
    this.#shownOdd = surprises;
    this.controls.showSurprises(surprises?.events ?? null);
    this.#layout.oddLegend.replaceChildren(...oddLegend(surprises));
  }

  /** Describes what is under the pointer in the zoomed view or the strip, now and whenever that changes; null for nothing. */
  hover(pointer: Pointer | null): void {
    this.#pointer = pointer;
    const { selection } = this.#store;
    if (selection) this.#describePointer(selection);
  }

  #describePointer(selection: Selection): void {
    const pointer = this.#pointer;
    const row = pointer && this.#zoomView.contains(pointer.x) ? this.#zoomView.rowAt(pointer.x) : null;
    if (!pointer || row === null) {
      this.#readout.hide();
      return;
    }
    if (pointer.chart === "strip") {
      this.#describeStrip(selection, row, pointer.y);
      return;
    }
    const isTotal = this.#store.settings.style === "total";
    const snapped = isTotal ? row : this.#snap(selection, row);
    this.#readout.show(this.#zoomView.xOf(snapped), rowText(this.#drawn(selection), snapped, isTotal));
  }

  /** The odd observation that is so near to a row that it is meant, or the row. */
  #snap({ surprises }: Selection, row: number): number {
    const pitch = this.#zoomView.xOf(row + 1) - this.#zoomView.xOf(row);
    const rows = Math.floor(SNAP / Math.max(pitch, 1e-9));
    return surprises?.strangest(row - rows, row + rows + 1)?.row ?? row;
  }

  #describeStrip(selection: Selection, row: number, y: number): void {
    const odd = this.#surpriseAt(row, y);
    const cell = this.#strip.cellOf(this.#store.status, row);
    const time = odd && selection.calendar.text(selection.history.time[odd.row]);
    const lines = time ? [time, ...oddLines(selection, odd.row)] : cell ? cellText(selection, cell) : [];
    if (lines.length) this.#readout.show(this.#zoomView.xOf(odd?.row ?? row), lines);
    else this.#readout.hide();
  }

  /** Shows the stretch that is being brushed, in pixels of the chart; equal ends show none. */
  brush(from: number, to: number): void {
    const { brush } = this.#layout;
    brush.hidden = from === to;
    brush.style.left = `${Math.min(from, to)}px`;
    brush.style.width = `${Math.abs(to - from)}px`;
  }

  /** Opens or closes the list of keys. */
  toggleHelp(): void {
    this.#help.toggle();
  }
}
