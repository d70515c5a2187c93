/** Draws on an SVG document what is drawn on canvases: the part of a canvas context that the charts use. */

const round = (v: number): string => String(Math.round(v * 100) / 100);
const escapeText = (text: string): string => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
/** How far below the middle, the top and the bottom of a text its base line is, in ems. */
const SHIFTS: Record<string, string> = { middle: "0.35em", top: "0.8em" };
const ANCHORS: Record<string, string> = { center: "middle", right: "end" };

/** The context. */
export class SvgContext {
  fillStyle = "#000000";
  strokeStyle = "#000000";
  lineWidth = 1;
  lineJoin = "miter";
  lineCap = "butt";
  globalAlpha = 1;
  font = "10px sans-serif";
  textAlign = "left";
  textBaseline = "alphabetic";
  #path = "";
  #dash = "";
  #clips = 0;
  /** How many groups each state that is saved has opened. */
  readonly #groups = [0];
  readonly #parts: string[] = [];
  readonly #measure: (font: string, text: string) => number;

  constructor(
    readonly width: number,
    readonly height: number,
    measure: (font: string, text: string) => number,
  ) {
    this.#measure = measure;
  }

  /** The document, with a title for screen readers. */
  document(title: string): string {
    const size = `width="${round(this.width)}" height="${round(this.height)}" viewBox="0 0 ${round(this.width)} ${round(this.height)}"`;
    const name = escapeText(title);
    return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="${name}"><title>${name}</title>${this.#parts.join("")}</svg>\n`;
  }

  #group(attributes: string): void {
    this.#groups[this.#groups.length - 1]++;
    this.#parts.push(`<g ${attributes}>`);
  }

  save(): void {
    this.#groups.push(0);
  }

  restore(): void {
    this.#parts.push("</g>".repeat(this.#groups.pop() ?? 0));
    if (!this.#groups.length) this.#groups.push(0);
  }

  translate(x: number, y: number): void {
    this.#group(`transform="translate(${round(x)} ${round(y)})"`);
  }

  clip(): void {
    const id = `nbf-clip-${++this.#clips}`;
    this.#parts.push(`<clipPath id="${id}"><path d="${this.#path}"/></clipPath>`);
    this.#group(`clip-path="url(#${id})"`);
  }

  beginPath(): void {
    this.#path = "";
  }

  closePath(): void {
    this.#path += "Z";
  }

  #add(command: string, ...numbers: number[]): void {
    if (numbers.every(Number.isFinite)) this.#path += command + numbers.map(round).join(" ");
  }

  moveTo(x: number, y: number): void {
    this.#add("M", x, y);
  }

  lineTo(x: number, y: number): void {
    this.#add(this.#path ? "L" : "M", x, y);
  }

  bezierCurveTo(...ends: [number, number, number, number, number, number]): void {
    this.#add("C", ...ends);
  }

  rect(x: number, y: number, w: number, tall: number): void {
    this.#add("M", x, y);
    this.#path += `h${round(w)}v${round(tall)}h${round(-w)}Z`;
  }

  /** Whole circles only. */
  arc(x: number, y: number, r: number, _from = 0, _to = 0): void {
    this.#add("M", x + r, y);
    for (const end of [x - r, x + r]) this.#add("A", r, r, 0, 1, 1, end, y);
  }

  roundRect(x: number, y: number, w: number, tall: number, r: number): void {
    const [right, bottom] = [x + w, y + tall];
    this.#add("M", x + r, y);
    const corners = [
      [right - r, y, right, y + r],
      [right, bottom - r, right - r, bottom],
      [x + r, bottom, x, bottom - r],
      [x, y + r, x + r, y],
    ];
    for (const [fromX, fromY, toX, toY] of corners) {
      this.#add("L", fromX, fromY);
      this.#add("A", r, r, 0, 0, 1, toX, toY);
    }
  }

  #paint(element: string, paint: string): void {
    const alpha = this.globalAlpha < 1 ? ` opacity="${round(this.globalAlpha)}"` : "";
    this.#parts.push(`<${element} ${paint}${alpha}/>`);
  }

  fill(): void {
    if (this.#path) this.#paint(`path d="${this.#path}"`, `fill="${this.fillStyle}"`);
  }

  get #pen(): string {
    const ends = `stroke-linejoin="${this.lineJoin}" stroke-linecap="${this.lineCap}"`;
    return `stroke="${this.strokeStyle}" stroke-width="${this.lineWidth}" ${ends}${this.#dash}`;
  }

  stroke(): void {
    if (this.#path) this.#paint(`path d="${this.#path}"`, `fill="none" ${this.#pen}`);
  }

  fillRect(x: number, y: number, w: number, tall: number): void {
    this.#path = "";
    this.rect(x, y, w, tall);
    this.fill();
  }

  setLineDash(lengths: number[]): void {
    this.#dash = lengths.length ? ` stroke-dasharray="${lengths.join(" ")}"` : "";
  }

  measureText(text: string): { width: number } {
    return { width: this.#measure(this.font, text) };
  }

  #text(text: string, x: number, y: number, paint: string): void {
    const anchor = ANCHORS[this.textAlign] ? ` text-anchor="${ANCHORS[this.textAlign]}"` : "";
    const shift = SHIFTS[this.textBaseline] ? ` dy="${SHIFTS[this.textBaseline]}"` : "";
    const place = `x="${round(x)}" y="${round(y)}"${shift}${anchor} style="font:${escapeText(this.font)}"`;
    if (text) this.#parts.push(`<text ${place} ${paint}>${escapeText(text)}</text>`);
  }

  fillText(text: string, x: number, y: number): void {
    this.#text(text, x, y, `fill="${this.fillStyle}"`);
  }

  strokeText(text: string, x: number, y: number): void {
    this.#text(text, x, y, `fill="none" ${this.#pen}`);
  }
}
