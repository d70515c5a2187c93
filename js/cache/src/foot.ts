/** Totals against the budgets, and the device. */

import { h, say } from "../../common/src/dom";
import { count, size } from "../../common/src/format";
import { Bar } from "./button";
import type { Device, Totals } from "./protocol";

class Gauge {
  readonly el: HTMLElement;
  private readonly bar: Bar;
  private readonly told = h("span", { class: "nbf-told" });

  constructor(label: string) {
    this.bar = new Bar(label);
    this.el = h("div", { class: "nbf-gauge" }, h("span", { class: "nbf-label" }, label), this.bar.el, this.told);
  }

  show(used: number | null, most: number | null, instead: string): void {
    this.bar.show(used !== null && most ? used / most : 0);
    this.bar.el.hidden = used === null || !most;
    say(this.told, used === null || !most ? instead : `${size(used)} of ${size(most)}`);
  }
}

export class Foot {
  readonly el: HTMLElement;
  private readonly memory = new Gauge("Memory");
  private readonly disk = new Gauge("Disk");
  private readonly device = new Gauge("Device");
  private readonly reuse = h("p", { class: "nbf-told" });

  constructor() {
    this.el = h("footer", { class: "nbf-foot", hidden: true }, this.memory.el, this.disk.el, this.device.el, this.reuse);
  }

  show(totals: Totals | null, device: Device | null): void {
    this.el.hidden = totals === null;
    if (totals) {
      this.memory.show(totals.memory_bytes, totals.memory_budget, size(totals.memory_bytes));
      this.disk.show(totals.directory === null ? null : totals.disk_bytes, totals.disk_budget, "nothing is written");
      this.disk.el.title = totals.directory ?? "";
      const parts: string[] = [];
      if (totals.hits) parts.push(`${count(totals.hits)} of ${count(totals.hits + totals.misses)} requests from the cache`);
      if (totals.reused) parts.push(`${count(totals.reused)} origins reused`);
      say(this.reuse, parts.join(", "));
      this.reuse.hidden = !parts.length;
    }
    this.device.el.hidden = device === null;
    if (!device) return;
    this.device.show(device.memory_bytes, device.memory_limit, device.text);
    this.device.el.title = device.text;
  }
}
