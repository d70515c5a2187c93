/** Totals against the budgets, and the device. */

import { h, setText } from "../../common/src/dom";
import { byteSize, integer } from "../../common/src/format";
import { Bar } from "./buttons";
import type { DeviceMessage, TotalsMessage } from "./messages";

class Gauge {
  readonly el: HTMLElement;
  readonly #bar: Bar;
  readonly #text = h("span", { class: "nbf-text" });

  constructor(label: string) {
    this.#bar = new Bar(label);
    this.el = h("div", { class: "nbf-gauge" }, h("span", { class: "nbf-label" }, label), this.#bar.el, this.#text);
  }

  /** Shows a share of a limit; without a limit `fallback` takes its place. */
  show(used: number | null, limit: number | null, fallback: string): void {
    this.#bar.show(used !== null && limit ? used / limit : 0);
    this.#bar.el.hidden = used === null || !limit;
    setText(this.#text, used === null || !limit ? fallback : `${byteSize(used)} of ${byteSize(limit)}`);
  }
}

/** The foot of the view. */
export class UsageFooter {
  readonly el: HTMLElement;
  readonly #memory = new Gauge("Memory");
  readonly #disk = new Gauge("Disk");
  readonly #device = new Gauge("Device");
  readonly #reuse = h("p", { class: "nbf-text" });

  constructor() {
    this.el = h(
      "footer",
      { class: "nbf-foot", hidden: true },
      this.#memory.el,
      this.#disk.el,
      this.#device.el,
      this.#reuse,
    );
  }

  show(totals: TotalsMessage | null, device: DeviceMessage | null): void {
    this.el.hidden = totals === null;
    if (totals) {
      this.#memory.show(totals.memory_bytes, totals.memory_budget, byteSize(totals.memory_bytes));
      this.#disk.show(totals.directory === null ? null : totals.disk_bytes, totals.disk_budget, "nothing is written");
      this.#disk.el.title = totals.directory ?? "";
      const parts: string[] = [];
      if (totals.hits)
        parts.push(`${integer(totals.hits)} of ${integer(totals.hits + totals.misses)} requests from the cache`);
      if (totals.reused) parts.push(`${integer(totals.reused)} origins reused`);
      setText(this.#reuse, parts.join(", "));
      this.#reuse.hidden = !parts.length;
    }
    this.#device.el.hidden = device === null;
    if (!device) return;
    this.#device.show(device.memory_bytes, device.memory_limit, device.text);
    this.#device.el.title = device.text;
  }
}
