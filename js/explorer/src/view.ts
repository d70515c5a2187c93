/** Everything on the page of one explorer: its parts, their sizes and colours, drawn from the store. */

import { type ControlCallbacks, Controls } from "./controls/controls";
import { type Layout, layOut, legendItems } from "./controls/layout";
import { showReadout } from "./controls/readout";
import { ScoreCard } from "./controls/score-card";
import { LiveRegion } from "./controls/screen-reader";
import { StatusLine } from "./controls/status-line";
import { cellText, rowText, Tooltip } from "./controls/tooltip";
import { Overview } from "./drawing/overview";
import { ScoreStrip } from "./drawing/score-strip";
import { applyTheme, onTheme, type Palette, readTheme } from "./drawing/theme";
import { ZoomView } from "./drawing/zoom-view";
import { type GestureActions, onKeys, onOverview, onStrip, onZoomView } from "./input/gestures";
import type { Selection } from "./state/selection";
import type { Store } from "./state/store";

/** The view. */
export class View {
  readonly root: HTMLElement;
  readonly controls: Controls;
  readonly #status: StatusLine;
  readonly #zoomView: ZoomView;
  readonly #tooltip = new Tooltip();
  readonly #overview = new Overview();
  readonly #strip = new ScoreStrip();
  readonly #card = new ScoreCard();
  readonly #liveRegion: LiveRegion;
  readonly #layout: Layout;
  readonly #calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  #palette: Palette | null = null;
  #settingsKey: unknown[] = [];
  readonly #store: Store;
  readonly #signal: AbortSignal;

  constructor(store: Store, callbacks: ControlCallbacks, cancel: () => void, signal: AbortSignal) {
    this.#store = store;
    this.#signal = signal;
    this.controls = new Controls(callbacks, signal);
    this.#status = new StatusLine(cancel, signal);
    this.#liveRegion = new LiveRegion(signal);
    this.#layout = layOut({
      head: this.controls.head,
      transport: this.controls.transport,
      overview: this.#overview.el,
      strip: this.#strip.el,
      card: this.#card.el,
      status: this.#status.el,
      progress: this.#status.bar,
      tip: this.#tooltip.el,
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
    onKeys(surface, store, actions, signal);
    onZoomView(surface, this.#zoomView, store, actions, signal);
    onOverview(this.#overview.el, this.#overview, store, actions, signal);
    onStrip(this.#strip, this.#zoomView, store, actions, signal);
    const recolour = (): void => {
      const palette = readTheme(this.root);
      // Hosts change classes and styles all the time; only colours matter.
      if (JSON.stringify(palette) === JSON.stringify(this.#palette)) return;
      this.#palette = palette;
      applyTheme(this.root, palette);
      this.#zoomView.recolour(palette);
      changed();
    };
    onTheme(recolour, signal);
    recolour();
    const measure = (): void => {
      const width = Math.floor(main.clientWidth);
      if (!width || width === store.width) return;
      store.width = width;
      this.#zoomView.resize(width, width < 460 ? 290 : width < 1100 ? 350 : 400);
      changed();
    };
    const observer = new ResizeObserver(measure);
    observer.observe(main);
    measure();
    signal.addEventListener("abort", () => {
      observer.disconnect();
      this.#zoomView.destroy();
    });
  }

  /** Shows what there is to choose from and what is chosen, where that has changed. */
  update(): void {
    const { meta, settings, held } = this.#store;
    this.root.classList.toggle("nbf-held", held);
    this.#showStatus();
    const key = [meta, settings.series, settings.model, settings.compare, settings.style];
    if (!meta || key.every((v, i) => v === this.#settingsKey[i])) return;
    this.#settingsKey = key;
    this.root.classList.remove("nbf-empty");
    this.controls.showSettings(meta, settings);
    const other = settings.compare === null ? null : meta.models[settings.compare].name;
    this.#layout.legend.replaceChildren(...legendItems(settings.style, meta.coverages, meta.calibrated, other));
  }

  #showStatus(): void {
    const { progress, meta, busy, fault } = this.#store;
    this.#status.show(progress, meta?.live ?? false, busy, fault);
  }

  /** Draws a selection; true while the picture is still gliding. */
  draw(selection: Selection): boolean {
    const palette = this.#palette;
    if (!palette) return false;
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
      statuses: [origins],
    } = selection;
    const isGliding = this.#zoomView.draw(selection, { viewport, style, held, glide: !this.#calm.matches });
    const left = this.#zoomView.side;
    const right = width - left;
    this.root.style.setProperty("--nbf-side", `${left}px`);
    this.#overview.draw(width, left, right, viewport, row, meta.horizon, history, origins, palette);
    this.#strip.draw(width, left, right, viewport, (r) => this.#zoomView.xOf(r), row, origins, palette);
    showReadout(selection, this.#layout, this.controls, this.#card, this.#liveRegion);
    return isGliding;
  }

  /** The row that a cell of the strip leads to: its worst. */
  cellRow(row: number): number {
    return this.#strip.cellOf(this.#store.status, row)?.row ?? row;
  }

  /** Describes a row under the pointer, in the zoomed view or the strip; null hides the tooltip. */
  hover(row: number | null, x: number, y: number, chart: "zoom" | "strip"): void {
    const { selection, status } = this.#store;
    if (!selection || row === null) {
      this.#tooltip.hide();
      return;
    }
    const cell = chart === "strip" ? this.#strip.cellOf(status, row) : null;
    if (cell) this.#tooltip.show(x, this.#strip.el.offsetTop, cellText(selection, cell));
    else if (chart === "zoom")
      this.#tooltip.show(x, (this.#layout.surface.parentElement?.offsetTop ?? 0) + y, rowText(selection, row));
  }
}
