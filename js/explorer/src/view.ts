/** All that is seen of one explorer: owns the parts, sizes and colours them, and has them draw what it is told. */

import { Hearing } from "./a11y";
import { Card } from "./card";
import { Controls, type Settings, type Wishes } from "./controls";
import { Focus } from "./focus";
import { onFocus, onKeys, onOverview, onStrip, type Stage } from "./gestures";
import { layout, type Layout } from "./layout";
import { legend, stripLegend } from "./legend";
import { Overview } from "./overview";
import type { Meta, Style } from "./protocol";
import { readout } from "./readout";
import type { Row } from "./rows";
import { cellText, forecast, pointText, type Sight } from "./sight";
import { StatusLine } from "./status";
import { Strip } from "./strip";
import { applyTheme, onTheme, readTheme, type Palette } from "./theme";
import { Tooltip } from "./tooltip";
import type { Window } from "./window";

export class View {
  readonly root: HTMLElement;
  readonly controls: Controls;
  readonly focus: Focus;
  readonly status: StatusLine;
  readonly tip = new Tooltip();
  /** CSS pixels of the charts; 0 while hidden. */
  width = 0;
  private readonly parts: Layout;
  private readonly overview = new Overview();
  private readonly strip = new Strip();
  private readonly card = new Card();
  private readonly hearing: Hearing;
  private readonly calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  private palette: Palette | null = null;

  constructor(wishes: Wishes, cancel: () => void, private readonly signal: AbortSignal) {
    this.controls = new Controls(wishes, signal);
    this.status = new StatusLine(cancel, signal);
    this.hearing = new Hearing(signal);
    this.parts = layout({
      head: this.controls.head, transport: this.controls.transport, overview: this.overview.el, strip: this.strip.el,
      card: this.card.el, status: this.status.el, progress: this.status.bar, tip: this.tip.el,
      live: this.hearing.live, table: this.hearing.table,
    });
    this.parts.stripLegend.append(...stripLegend());
    this.root = this.parts.root;
    this.root.classList.add("nbf-empty");
    this.focus = new Focus(this.parts.surface);
  }

  /** Follows the host's size and colours from now on; the root has to be in the page. */
  start(stage: Stage, changed: () => void): void {
    const { signal } = this;
    onKeys(this.parts.surface, stage, signal);
    onFocus(this.parts.surface, this.focus, stage, signal);
    onOverview(this.overview.el, this.overview, stage, signal);
    onStrip(this.strip, this.focus, stage, signal);
    const recolour = (): void => {
      const found = readTheme(this.root);
      // Hosts change classes and styles all the time; only colours matter.
      if (JSON.stringify(found) === JSON.stringify(this.palette)) return;
      this.palette = found;
      applyTheme(this.root, found);
      this.focus.recolour(found);
      changed();
    };
    onTheme(recolour, signal);
    recolour();
    const measure = (): void => {
      const width = Math.floor(this.parts.main.clientWidth);
      if (!width || width === this.width) return;
      this.width = width;
      this.focus.resize(width, width < 460 ? 290 : width < 1100 ? 350 : 400);
      changed();
    };
    const observer = new ResizeObserver(measure);
    observer.observe(this.parts.main);
    measure();
    signal.addEventListener("abort", () => {
      observer.disconnect();
      this.focus.destroy();
    });
  }

  /** What there is to choose from, and what is chosen. True the first time. */
  offer(meta: Meta, settings: Settings): boolean {
    const first = this.root.classList.contains("nbf-empty");
    this.root.classList.remove("nbf-empty");
    this.controls.offer(meta, settings);
    const other = settings.compare === null ? null : meta.models[settings.compare].name;
    this.parts.legend.replaceChildren(...legend(settings.style, meta.coverages, meta.calibrated, other));
    return first;
  }

  /** Draws; says the main model's forecast, if there is one, and whether the picture is still gliding. */
  draw(sight: Sight, w: Window, style: Style, held: boolean): { main: Row | null; gliding: boolean } {
    const { width, palette, focus } = this;
    const rows = sight.models.map((m) => forecast(sight, m));
    const main = rows[0];
    if (!palette || !width) return { main, gliding: false };
    const standing = sight.store.standing(sight.series, sight.models[0]);
    const left = focus.side;
    const right = width - left;
    this.root.style.setProperty("--nbf-side", `${left}px`);
    const glide = !this.calm.matches;
    const gliding = focus.draw({ row: sight.row, window: w, main, other: rows[1] ?? null, style, held, glide });
    this.overview.draw(width, left, right, w, sight.row, sight.meta.horizon, sight.history, standing, palette);
    this.strip.draw(width, left, right, w, (row) => focus.xOf(row), sight.row, standing, palette);
    readout(sight, rows, this.parts, this.controls, this.card, this.hearing);
    return { main, gliding };
  }

  /** The row a cell of the strip leads to: its worst. */
  cellRow(sight: Sight, row: number): number {
    return this.strip.cellOf(sight.store.standing(sight.series, sight.models[0]), row)?.row ?? row;
  }

  /** Tells about a row under the pointer, in the zoomed view or the strip; null: about none. */
  hover(sight: Sight | null, row: number | null, x: number, y: number, on: "focus" | "strip"): void {
    if (!sight || row === null) {
      this.tip.hide();
      return;
    }
    const cell = on === "strip" ? this.strip.cellOf(sight.store.standing(sight.series, sight.models[0]), row) : null;
    if (cell) this.tip.show(x, this.strip.el.offsetTop, cellText(sight, cell));
    else if (on === "focus") this.tip.show(x, (this.parts.surface.parentElement?.offsetTop ?? 0) + y, pointText(sight, row));
  }
}
