/** Pointers and keys: what a press, drag, wheel or key on the views means. */

import type { Focus } from "./focus";
import { move } from "./keys";
import type { Overview } from "./overview";
import type { How } from "./position";
import type { Strip } from "./strip";
import { fitted, following, zoomed, type Bounds, type Window } from "./window";

/** Half the width of the origin's hit area, px. */
const REACH = 14;

/** What gestures need to know and to change. */
export interface Stage {
  row(): number;
  window(): Window;
  bounds(): Bounds;
  season(): number;
  /** Moves the origin. */
  go(row: number, how: How): void;
  frame(w: Window): void;
  hold(held: boolean): void;
  /** The gesture is over. */
  done(): void;
  /** A letter that stands for a button, or space. */
  letter(key: string): boolean;
  /** What the pointer is over: a row, and where (px of the main column). */
  hover(row: number | null, x: number, y: number, on: "focus" | "strip"): void;
  jumpTo(row: number): void;
  /** The row a cell of the strip leads to: its worst. */
  cellRow(row: number): number;
}

const local = (el: HTMLElement, e: MouseEvent): [number, number] => {
  const box = el.getBoundingClientRect();
  return [e.clientX - box.left, e.clientY - box.top];
};

function capture(el: HTMLElement, e: PointerEvent): void {
  try {
    el.setPointerCapture(e.pointerId);
  } catch {
    // Made-up events (tests) have no pointer to capture.
  }
}

export function onKeys(el: HTMLElement, stage: Stage, signal: AbortSignal): void {
  el.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const to = move(e.key, e.shiftKey, stage.row(), stage.bounds().rows, stage.season());
    if (to !== null) {
      stage.go(to, "follow");
      stage.done();
    } else if (e.key === "+" || e.key === "=" || e.key === "-") {
      stage.frame(zoomed(stage.window(), e.key === "-" ? 1.25 : 0.8, stage.row(), stage.bounds()));
    } else if (!stage.letter(e.key)) return;
    e.preventDefault();
    e.stopPropagation();
  }, { signal });
}

/** Dragging the origin moves it, dragging elsewhere the window. */
export function onFocus(el: HTMLElement, focus: Focus, stage: Stage, signal: AbortSignal): void {
  let drag: { kind: "origin" | "pan"; x: number; offset: number; start: number } | null = null;
  let tick = 0;
  const near = (x: number): boolean => Math.abs(x - focus.xOf(stage.row())) <= REACH;
  // Held beyond the edge, the view goes on by itself.
  const carry = (): void => {
    if (drag?.kind !== "origin") return;
    stage.go(Math.min(focus.rowAt(drag.x - drag.offset), stage.bounds().rows - 1), "follow");
    tick = requestAnimationFrame(carry);
  };
  el.addEventListener("pointerdown", (e) => {
    if (e.button !== 0) return;
    const [x] = local(el, e);
    const origin = near(x);
    drag = { kind: origin ? "origin" : "pan", x, offset: origin ? x - focus.xOf(stage.row()) : 0, start: stage.window().start };
    capture(el, e);
    if (!origin) return;
    stage.hold(true);
    tick = requestAnimationFrame(carry);
  }, { signal });
  el.addEventListener("pointermove", (e) => {
    const [x, y] = local(el, e);
    if (drag?.kind === "origin") drag.x = x;
    else if (drag) {
      const { left, right } = focus.frame;
      const w = stage.window();
      const start = drag.start - ((x - drag.x) * w.span) / (right - left);
      // The origin stays in view, so that it is never lost.
      const moved = fitted({ start, span: w.span }, stage.bounds());
      if (following(moved, stage.row(), stage.bounds()) === moved) stage.frame(moved);
    } else {
      el.classList.toggle("nbf-near", near(x));
      const { left, right } = focus.frame;
      stage.hover(x >= left && x <= right ? focus.rowAt(x) : null, x, y, "focus");
    }
  }, { signal });
  const end = (): void => {
    if (!drag) return;
    drag = null;
    cancelAnimationFrame(tick);
    stage.hold(false);
    stage.done();
  };
  for (const name of ["pointerup", "pointercancel"] as const) el.addEventListener(name, end, { signal });
  el.addEventListener("pointerleave", () => stage.hover(null, 0, 0, "focus"), { signal });
  el.addEventListener("dblclick", (e) => stage.jumpTo(Math.min(focus.rowAt(local(el, e)[0]), stage.bounds().rows - 1)), { signal });
  // A plain wheel scrolls the notebook; with ctrl (as a pinch sends it) it zooms, sideways it pans.
  el.addEventListener("wheel", (e) => {
    const sideways = Math.abs(e.deltaX) > Math.abs(e.deltaY) * 1.5;
    if (!e.ctrlKey && !sideways) return;
    e.preventDefault();
    const w = stage.window();
    if (e.ctrlKey) stage.frame(zoomed(w, Math.exp(Math.max(-60, Math.min(60, e.deltaY)) / 150), stage.row(), stage.bounds()));
    else {
      const moved = fitted({ start: w.start + (e.deltaX * w.span) / 900, span: w.span }, stage.bounds());
      if (following(moved, stage.row(), stage.bounds()) === moved) stage.frame(moved);
    }
  }, { signal, passive: false });
  signal.addEventListener("abort", () => cancelAnimationFrame(tick));
}

/** Anywhere in the overview moves the origin; the brush's edges widen and narrow the window. */
export function onOverview(el: HTMLElement, overview: Overview, stage: Stage, signal: AbortSignal): void {
  let grip: ReturnType<Overview["gripAt"]> | null = null;
  const resize = (x: number): void => {
    const w = stage.window();
    const at = overview.edgeAt(x);
    const next = grip === "start" ? { start: at, span: w.start + w.span - at } : { start: w.start, span: at - w.start };
    if (next.span > 4) stage.frame(following(fitted(next, stage.bounds()), stage.row(), stage.bounds()));
  };
  const act = (x: number): void => {
    if (grip === "scrub") stage.go(overview.rowAt(x), "carry");
    else resize(x);
  };
  el.addEventListener("pointerdown", (e) => {
    if (e.button !== 0) return;
    const [x] = local(el, e);
    grip = overview.gripAt(x);
    capture(el, e);
    stage.hold(grip === "scrub");
    if (grip === "scrub") act(x);
  }, { signal });
  el.addEventListener("pointermove", (e) => {
    const [x] = local(el, e);
    if (grip) act(x);
    else el.classList.toggle("nbf-edge", overview.gripAt(x) !== "scrub");
  }, { signal });
  const end = (): void => {
    if (!grip) return;
    grip = null;
    stage.hold(false);
    stage.done();
  };
  for (const name of ["pointerup", "pointercancel"] as const) el.addEventListener(name, end, { signal });
}

/** Hovering a cell tells, a click jumps. */
export function onStrip(strip: Strip, focus: Focus, stage: Stage, signal: AbortSignal): void {
  const rowAt = (e: MouseEvent): number | null => {
    const [x] = local(strip.el, e);
    const { left, right } = focus.frame;
    const row = focus.rowAt(x);
    return x >= left && x <= right && row < stage.bounds().rows ? row : null;
  };
  strip.el.addEventListener("pointermove", (e) => stage.hover(rowAt(e), local(strip.el, e)[0], 0, "strip"), { signal });
  strip.el.addEventListener("pointerleave", () => stage.hover(null, 0, 0, "strip"), { signal });
  strip.el.addEventListener("click", (e) => {
    const row = rowAt(e);
    if (row !== null) stage.jumpTo(stage.cellRow(row));
  }, { signal });
}
