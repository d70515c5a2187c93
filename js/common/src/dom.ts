/** Makes elements. Text only ever becomes text nodes. */

type Props = Record<string, string | number | boolean | undefined>;

/** An element with attributes and children; `text` in children is text, never markup. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === false) continue;
    el.setAttribute(name, value === true ? "" : String(value));
  }
  el.append(...children);
  return el;
}

/** Sets text only where it differs, so that nothing is laid out again without need. */
export function setText(el: Element, text: string): void {
  if (el.textContent !== text) el.textContent = text;
}

/** Marks an element that takes keys of its own; JupyterLab's shortcuts would swallow arrow keys otherwise. */
export function suppressShortcuts<T extends HTMLElement>(el: T): T {
  el.dataset.lmSuppressShortcuts = "true";
  return el;
}

/** A canvas of a given size, in device pixels, that is painted on in CSS pixels. */
export class Layer {
  readonly canvas: HTMLCanvasElement;
  #context: CanvasRenderingContext2D | null = null;
  width = 0;
  height = 0;
  #ratio = 0;

  constructor(className: string) {
    this.canvas = h("canvas", { class: className, "aria-hidden": "true" });
  }

  /** Sets the size in CSS pixels; true where that is a change, which also wipes the canvas. */
  resize(width: number, height: number): boolean {
    const ratio = window.devicePixelRatio || 1;
    if (width === this.width && height === this.height && ratio === this.#ratio) return false;
    [this.width, this.height, this.#ratio] = [width, height, ratio];
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    return true;
  }

  /** The width of a text, in CSS pixels. */
  textWidth(font: string, text: string): number {
    this.#context ??= this.canvas.getContext("2d");
    if (!this.#context) return 0;
    this.#context.font = font;
    return this.#context.measureText(text).width;
  }

  /** A context in CSS pixels, wiped unless told otherwise; null where there is none (tests without a canvas). */
  begin(wipe = true): CanvasRenderingContext2D | null {
    this.#context ??= this.canvas.getContext("2d");
    this.#context?.setTransform(this.#ratio, 0, 0, this.#ratio, 0, 0);
    if (wipe) this.#context?.clearRect(0, 0, this.width, this.height);
    return this.#context;
  }
}
