/** Pointers and keys: what a press, drag, wheel or key on the charts does. */

import type { Overview } from "../drawing/overview";
import type { ScoreStrip } from "../drawing/score-strip";
import type { ZoomView } from "../drawing/zoom-view";
import type { MoveMode } from "../state/origin-state";
import type { Store } from "../state/store";
import { follow, limit, stretch, type Viewport, zoom } from "../state/viewport";
import { seasonOf, targetRow } from "./keys";

/** Half the width of the origin's hit area, px. */
const REACH = 14;
/** How far the pointer moves in a drag at least, px: less is a click. */
const STIR = 4;

/** Where the pointer is, in pixels of a chart's element. */
export interface Pointer {
  x: number;
  y: number;
  chart: "zoom" | "covariates" | "strip";
}

/** What gestures do. */
export interface GestureActions {
  moveTo(row: number, mode: MoveMode): void;
  setViewport(viewport: Viewport): void;
  /** Shows as much as at first. */
  resetViewport(): void;
  /** Shows the stretch that is being brushed, in pixels of the chart; equal ends show none. */
  brush(from: number, to: number): void;
  /** The origin is taken, or let go. */
  setHeld(held: boolean): void;
  /** The gesture is over. */
  finish(): void;
  /** A key that stands for a button; false where it stands for none. */
  pressKey(key: string): boolean;
  /** The pointer is over a chart; null where it has left. */
  hover(pointer: Pointer | null): void;
  jumpTo(row: number): void;
  /** Selects origins; null for none. */
  select(rows: [number, number] | null): void;
  /** The row that a place in the strip leads to. */
  stripTarget(row: number, y: number): number;
}

const position = (el: HTMLElement, e: MouseEvent): [number, number] => {
  const box = el.getBoundingClientRect();
  return [e.clientX - box.left, e.clientY - box.top];
};

function capture(el: HTMLElement, e: PointerEvent): void {
  try {
    el.setPointerCapture(e.pointerId);
  } catch {
    // Events that tests dispatch have no pointer to capture.
  }
}

/** Arrow keys and their like move the origin, plus and minus zoom, letters press buttons, wherever the focus is inside; no key goes on to the notebook. */
export function onKeys(root: HTMLElement, store: Store, actions: GestureActions, signal: AbortSignal): void {
  root.addEventListener(
    "keydown",
    (e) => {
      e.stopPropagation();
      if (e.ctrlKey || e.metaKey || e.altKey || hasOwnUse(e.target as Element, e.key)) return;
      const row = targetRow(e.key, e.shiftKey, store.origin.row, store.rowCount, seasonOf(store.meta?.seasons ?? []));
      if (row !== null) {
        actions.moveTo(row, "follow");
        actions.finish();
      } else if (e.key === "+" || e.key === "=" || e.key === "-") {
        actions.setViewport(zoom(store.origin.viewport, e.key === "-" ? 1.25 : 0.8, store.origin.row, store.bounds));
      } else if (!actions.pressKey(e.key)) return;
      e.preventDefault();
    },
    { signal },
  );
}

/** Whether an element does something of its own with a key. */
function hasOwnUse(el: Element, key: string): boolean {
  if (el.matches("select, input[type=text]")) return true;
  if (el.matches("input[type=range]")) return /^(Arrow|Page|Home|End)/.test(key);
  return el.matches("button, summary") && (key === " " || key === "Enter");
}

/** Dragging the origin moves it, dragging elsewhere brushes a stretch to zoom to, or with shift or a finger pans; a click puts the origin there. */
export function onZoomView(
  el: HTMLElement,
  view: ZoomView,
  store: Store,
  actions: GestureActions,
  signal: AbortSignal,
): void {
  let drag: { kind: "origin" | "pan" | "brush"; from: number; x: number; offset: number; start: number } | null = null;
  let frame = 0;
  const originX = (): number => view.xOf(store.origin.row);
  const isNear = (x: number): boolean => Math.abs(x - originX()) <= REACH;
  const setViewport = (start: number): void => {
    const moved = limit({ start, span: store.origin.viewport.span }, store.bounds);
    // An origin in view stays there, so that it is never lost.
    const { row, viewport } = store.origin;
    const isOut = follow(viewport, row, store.bounds) !== viewport;
    if (isOut || follow(moved, row, store.bounds) === moved) actions.setViewport(moved);
  };
  // Held beyond the edge, the chart goes on by itself.
  const carry = (): void => {
    if (drag?.kind !== "origin") return;
    actions.moveTo(Math.min(view.rowAt(drag.x - drag.offset), store.rowCount - 1), "follow");
    frame = requestAnimationFrame(carry);
  };
  el.addEventListener(
    "pointerdown",
    (e) => {
      if (e.button !== 0) return;
      const [x] = position(el, e);
      const isOrigin = isNear(x);
      drag = {
        kind: isOrigin ? "origin" : e.shiftKey || e.pointerType === "touch" ? "pan" : "brush",
        from: x,
        x,
        offset: isOrigin ? x - originX() : 0,
        start: store.origin.viewport.start,
      };
      capture(el, e);
      if (!isOrigin) return;
      actions.setHeld(true);
      frame = requestAnimationFrame(carry);
    },
    { signal },
  );
  el.addEventListener(
    "pointermove",
    (e) => {
      const [x, y] = position(el, e);
      if (drag?.kind === "origin") {
        drag.x = x;
        return;
      }
      if (drag?.kind === "pan")
        setViewport(drag.start - ((x - drag.from) * store.origin.viewport.span) / view.plotWidth);
      else if (drag) actions.brush(drag.from, x);
      else el.classList.toggle("nbf-near", isNear(x));
      actions.hover({ x, y, chart: "zoom" });
    },
    { signal },
  );
  const end = (e: PointerEvent): void => {
    if (!drag) return;
    const { kind, from } = drag;
    const [x] = position(el, e);
    drag = null;
    cancelAnimationFrame(frame);
    actions.brush(0, 0);
    actions.setHeld(false);
    if (e.type === "pointerup" && kind !== "origin") {
      const [first, last] = [view.rowAt(Math.min(from, x)), view.rowAt(Math.max(from, x))];
      if (Math.abs(x - from) < STIR) actions.moveTo(Math.min(last, store.rowCount - 1), "follow");
      else if (kind === "brush") actions.setViewport(stretch(first, last, store.bounds));
    }
    actions.finish();
  };
  for (const name of ["pointerup", "pointercancel"] as const) el.addEventListener(name, end, { signal });
  el.addEventListener("pointerleave", () => actions.hover(null), { signal });
  el.addEventListener("dblclick", () => actions.resetViewport(), { signal });
  // A plain wheel scrolls the notebook; with ctrl (as a pinch sends it) it zooms, sideways it pans.
  el.addEventListener(
    "wheel",
    (e) => {
      const isSideways = Math.abs(e.deltaX) > Math.abs(e.deltaY) * 1.5;
      if (!e.ctrlKey && !isSideways) return;
      e.preventDefault();
      const { row, viewport } = store.origin;
      const factor = Math.exp(Math.max(-60, Math.min(60, e.deltaY)) / 150);
      if (e.ctrlKey) actions.setViewport(zoom(viewport, factor, row, store.bounds));
      else setViewport(viewport.start + (e.deltaX * viewport.span) / 900);
    },
    { signal, passive: false },
  );
  signal.addEventListener("abort", () => cancelAnimationFrame(frame));
}

/** Pressing anywhere in the overview moves the origin; the edges of its brush widen and narrow the viewport. */
export function onOverview(
  el: HTMLElement,
  overview: Overview,
  store: Store,
  actions: GestureActions,
  signal: AbortSignal,
): void {
  let grip: ReturnType<Overview["gripAt"]> | null = null;
  const resize = (x: number): void => {
    const {
      row,
      viewport: { start, span },
    } = store.origin;
    const edge = overview.edgeAt(x);
    const next = grip === "start" ? { start: edge, span: start + span - edge } : { start, span: edge - start };
    if (next.span > 4) actions.setViewport(follow(limit(next, store.bounds), row, store.bounds));
  };
  const act = (x: number): void => {
    if (grip === "scrub") actions.moveTo(store.sketchedRow(overview.rowAt(x), overview.reach), "carry");
    else resize(x);
  };
  el.addEventListener(
    "pointerdown",
    (e) => {
      if (e.button !== 0) return;
      const [x] = position(el, e);
      grip = overview.gripAt(x);
      capture(el, e);
      actions.setHeld(grip === "scrub");
      if (grip === "scrub") act(x);
    },
    { signal },
  );
  el.addEventListener(
    "pointermove",
    (e) => {
      const [x] = position(el, e);
      if (grip) act(x);
      else el.classList.toggle("nbf-edge", overview.gripAt(x) !== "scrub");
    },
    { signal },
  );
  const end = (): void => {
    if (!grip) return;
    grip = null;
    actions.setHeld(false);
    actions.finish();
  };
  for (const name of ["pointerup", "pointercancel"] as const) el.addEventListener(name, end, { signal });
}

/** Hovering over a cell describes it, a click jumps to its worst origin, a drag selects origins. */
export function onStrip(
  strip: ScoreStrip,
  view: ZoomView,
  store: Store,
  actions: GestureActions,
  signal: AbortSignal,
): void {
  const rowAt = (e: MouseEvent): number | null => {
    const [x] = position(strip.el, e);
    const row = view.rowAt(x);
    return view.contains(x) && row < store.rowCount ? row : null;
  };
  let from: number | null = null;
  let isDragged = false;
  strip.el.addEventListener(
    "pointerdown",
    (e) => {
      if (e.button !== 0 || e.pointerType === "touch") return;
      from = e.clientX;
      isDragged = false;
      capture(strip.el, e);
    },
    { signal },
  );
  const end = (): void => {
    if (from !== null && isDragged) actions.finish();
    from = null;
  };
  for (const name of ["pointerup", "pointercancel"] as const) strip.el.addEventListener(name, end, { signal });
  strip.el.addEventListener(
    "pointermove",
    (e) => {
      const [x, y] = position(strip.el, e);
      if (from !== null && (isDragged || Math.abs(e.clientX - from) >= STIR)) {
        isDragged = true;
        actions.select([view.rowAt(x - e.clientX + from), view.rowAt(x)]);
      }
      actions.hover({ x, y, chart: "strip" });
    },
    { signal },
  );
  strip.el.addEventListener("pointerleave", () => actions.hover(null), { signal });
  strip.el.addEventListener(
    "click",
    (e) => {
      const row = rowAt(e);
      if (row !== null && !isDragged) actions.jumpTo(actions.stripTarget(row, position(strip.el, e)[1]));
    },
    { signal },
  );
}

/** The pointer over the strips of covariates is described as over the zoomed view. */
export function onCovariates(el: HTMLElement, actions: GestureActions, signal: AbortSignal): void {
  el.addEventListener(
    "pointermove",
    (e) => {
      const [x, y] = position(el, e);
      actions.hover({ x, y, chart: "covariates" });
    },
    { signal },
  );
  el.addEventListener("pointerleave", () => actions.hover(null), { signal });
}
