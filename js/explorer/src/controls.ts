/** Buttons, slider, index box, pickers: they say what a person wants, and show what is. */

import { h, keyed, say } from "../../common/src/dom";
import { Picker } from "./picker";
import type { Meta, Style } from "./protocol";

export type Jump = "worst" | "next" | "random" | "latest";

/** What controls ask for. */
export interface Wishes {
  series(position: number): void;
  model(position: number): void;
  compare(position: number | null): void;
  style(style: Style): void;
  jump(where: Jump): void;
  index(index: number, done: boolean): void;
  play(): void;
}

export interface Settings {
  series: number;
  model: number;
  compare: number | null;
  style: Style;
}

function button(text: string, title: string, act: () => void, signal: AbortSignal): HTMLButtonElement {
  const el = keyed(h("button", { type: "button", class: "nbf-button", title }, text));
  el.addEventListener("click", act, { signal });
  return el;
}

function select(label: string, act: (value: string) => void, signal: AbortSignal): HTMLSelectElement {
  const el = keyed(h("select", { class: "nbf-select", "aria-label": label, title: label }));
  el.addEventListener("change", () => act(el.value), { signal });
  return el;
}

export class Controls {
  readonly head = h("div", { class: "nbf-head" });
  readonly transport = h("div", { class: "nbf-transport", role: "group", "aria-label": "Choose an origin" });
  private readonly title = h("span", { class: "nbf-title" });
  private readonly picker: Picker;
  private readonly models: HTMLSelectElement;
  private readonly compare: HTMLSelectElement;
  private readonly versus = h("span", { class: "nbf-versus" }, "vs");
  private readonly styles: Record<Style, HTMLButtonElement>;
  private readonly player: HTMLButtonElement;
  private readonly slider: HTMLInputElement;
  private readonly box: HTMLInputElement;
  private shown = "";

  constructor(wishes: Wishes, signal: AbortSignal) {
    this.picker = new Picker(wishes.series, signal);
    this.models = select("Model", (v) => wishes.model(Number(v)), signal);
    this.compare = select("Compare with a second model", (v) => wishes.compare(v === "" ? null : Number(v)), signal);
    const style = (name: Style, text: string, title: string): HTMLButtonElement => button(text, title, () => wishes.style(name), signal);
    this.styles = {
      bands: style("bands", "Bands", "Central 50, 80 and 95 % bands"),
      density: style("density", "Density", "The density of each step's draws"),
    };
    const toggle = h("div", { class: "nbf-toggle", role: "group", "aria-label": "Show the forecast as" }, this.styles.bands, this.styles.density);
    const choice = h("div", { class: "nbf-choice" }, this.models, this.versus, this.compare);
    this.head.append(this.title, this.picker.el, h("span", { class: "nbf-space" }), choice, toggle);
    this.player = button("", "Play through the origins (space)", wishes.play, signal);
    this.player.classList.add("nbf-player");
    this.slider = keyed(h("input", { type: "range", class: "nbf-slider", "aria-label": "Index of the origin", step: "1" }));
    this.slider.addEventListener("input", () => wishes.index(Number(this.slider.value), false), { signal });
    this.slider.addEventListener("change", () => wishes.index(Number(this.slider.value), true), { signal });
    this.box = keyed(h("input", { type: "text", inputmode: "numeric", class: "nbf-index", "aria-label": "Index of the origin; 0 is the latest" }));
    const enter = (): void => {
      const typed = Number(this.box.value.replace(/[−–]/g, "-").replace(/[,\s]/g, ""));
      const fit = Number.isFinite(typed) && this.box.value.trim() !== "";
      this.box.value = this.shown;
      this.box.blur();
      if (fit) wishes.index(-Math.abs(typed), true);
    };
    this.box.addEventListener("keydown", (e) => e.key === "Enter" && enter(), { signal });
    this.box.addEventListener("change", enter, { signal });
    const jumps = h("div", { class: "nbf-jumps" },
      button("Worst", "The origin with the worst score (w)", () => wishes.jump("worst"), signal),
      button("Next worst", "The next worst, a horizon or more away from worse ones (n)", () => wishes.jump("next"), signal),
      button("Random", "Any origin that has a forecast (r)", () => wishes.jump("random"), signal),
      button("Latest", "The newest origin (End)", () => wishes.jump("latest"), signal),
    );
    const index = h("label", { class: "nbf-field" }, h("span", {}, "Index"), this.box);
    this.transport.append(this.player, this.slider, index, jumps);
    this.playing(false);
  }

  /** What there is to choose from. */
  offer(meta: Meta, settings: Settings): void {
    say(this.title, meta.title || "Forecasts");
    this.title.title = meta.title;
    this.picker.set(meta.series.map((s) => s.id), settings.series);
    const names = meta.models.map((m, i) => new Option(m.name, String(i), false, i === settings.model));
    this.models.replaceChildren(...names);
    const others = meta.models.flatMap((m, i) => (i === settings.model ? [] : [new Option(m.name, String(i), false, i === settings.compare)]));
    this.compare.replaceChildren(new Option("none", "", false, settings.compare === null), ...others);
    this.models.hidden = meta.models.length < 1;
    this.models.disabled = meta.models.length < 2;
    this.compare.hidden = this.versus.hidden = meta.models.length < 2;
    this.compare.classList.toggle("nbf-none", settings.compare === null);
    for (const name of ["bands", "density"] as const) this.styles[name].setAttribute("aria-pressed", String(settings.style === name));
    this.slider.min = String(1 - meta.series[settings.series].rows);
    this.slider.max = "0";
  }

  /** Which origin is shown; `words` tell it to those who hear it. */
  show(index: number, words: string): void {
    const text = String(index);
    if (this.slider.value !== text) this.slider.value = text;
    this.slider.setAttribute("aria-valuetext", words);
    this.shown = text.replace("-", "−");
    // While somebody types there, the box is theirs.
    if ((this.box.getRootNode() as Document | ShadowRoot).activeElement !== this.box) this.box.value = this.shown;
  }

  playing(on: boolean): void {
    this.player.classList.toggle("nbf-on", on);
    this.player.setAttribute("aria-label", on ? "Pause" : "Play through the origins");
    this.player.setAttribute("aria-pressed", String(on));
  }
}
