/** One small box of lines beside the pointer, kept within its parent. */

import { h, say } from "../../common/src/dom";

export class Tooltip {
  readonly el = h("div", { class: "nbf-tip", hidden: true, "aria-hidden": "true" });

  /** Beside a place in the parent's pixels. */
  show(x: number, y: number, lines: string[]): void {
    this.el.hidden = false;
    while (this.el.children.length > lines.length) this.el.lastChild?.remove();
    while (this.el.children.length < lines.length) this.el.append(h("div"));
    lines.forEach((line, i) => say(this.el.children[i], line));
    const parent = this.el.offsetParent as HTMLElement | null;
    const [wide, tall] = [this.el.offsetWidth, this.el.offsetHeight];
    const left = Math.max(0, Math.min(x - wide / 2, (parent?.clientWidth ?? wide) - wide));
    this.el.style.transform = `translate(${Math.round(left)}px, ${Math.round(Math.max(0, y - tall - 10))}px)`;
  }

  hide(): void {
    this.el.hidden = true;
  }
}
