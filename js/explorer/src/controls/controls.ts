/** Buttons, slider, index box, pickers: they report what a person chooses, and show the state. */

import { h, setText, suppressShortcuts } from "../../../common/src/dom";
import { MAX_COMPARED, type Settings, STYLES, type Style } from "../state/selection";
import type { MetaMessage, PanelMessage } from "../wire/messages";
import { SeriesPicker } from "./series-picker";

/** Where a button jumps to. */
export type Jump = "worst" | "next" | "surprise" | "random" | "latest";

/** What controls do. */
export interface ControlCallbacks {
  series(position: number): void;
  /** The list of series is opened. */
  openList(): void;
  model(position: number): void;
  compare(positions: number[]): void;
  style(style: Style): void;
  jump(where: Jump): void;
  /** Shows an origin. */
  show(row: number): void;
  /** Selects origins; null for none. */
  select(rows: [number, number] | null): void;
  /** `isFinal`: the slider is let go, or a number was entered. */
  index(index: number, isFinal: boolean): void;
  play(): void;
}

function button(text: string, title: string, act: () => void, signal: AbortSignal): HTMLButtonElement {
  const el = suppressShortcuts(h("button", { type: "button", class: "nbf-button", title }, text));
  el.addEventListener("click", act, { signal });
  return el;
}

function select(label: string, act: (value: string) => void, signal: AbortSignal): HTMLSelectElement {
  const el = suppressShortcuts(h("select", { class: "nbf-select", "aria-label": label, title: label }));
  el.addEventListener("change", () => act(el.value), { signal });
  return el;
}

/** The head and the row of buttons. */
export class Controls {
  readonly head = h("div", { class: "nbf-head" });
  readonly transport = h("div", { class: "nbf-transport", role: "group", "aria-label": "Choose an origin" });
  readonly #title = h("span", { class: "nbf-title" });
  readonly #picker: SeriesPicker;
  readonly #models: HTMLSelectElement;
  readonly #compare: HTMLSelectElement;
  readonly #versus = h("span", { class: "nbf-versus" }, "vs");
  readonly #styles: Record<Style, HTMLButtonElement>;
  readonly #playButton: HTMLButtonElement;
  readonly #slider: HTMLInputElement;
  readonly #indexBox: HTMLInputElement;
  readonly #surprise: HTMLButtonElement;
  #indexText = "";

  constructor(callbacks: ControlCallbacks, signal: AbortSignal) {
    this.#picker = new SeriesPicker(callbacks.series, callbacks.openList, signal);
    this.#models = select("Model", (v) => callbacks.model(Number(v)), signal);
    this.#compare = select(
      "Compare with other models",
      (v) => callbacks.compare(v === "" ? [] : v.split(",").map(Number)),
      signal,
    );
    const style = (name: Style, text: string, title: string): HTMLButtonElement =>
      button(text, title, () => callbacks.style(name), signal);
    this.#styles = {
      bands: style("bands", "Bands", "Central 50, 80 and 95 % bands"),
      density: style("density", "Density", "The density of each step's draws"),
      paths: style("paths", "Paths", "Some of the ways that the values may take, dependent from step to step"),
      total: style("total", "Total so far", "The sum since the origin, with bands of its own"),
    };
    const toggle = h(
      "div",
      { class: "nbf-toggle", role: "group", "aria-label": "Show the forecast as" },
      ...STYLES.map((name) => this.#styles[name]),
    );
    const choice = h("div", { class: "nbf-choice" }, this.#models, this.#versus, this.#compare);
    this.head.append(this.#title, this.#picker.el, h("span", { class: "nbf-space" }), choice, toggle);
    this.#playButton = button("", "Play through the origins (space)", callbacks.play, signal);
    this.#playButton.classList.add("nbf-player");
    this.#slider = suppressShortcuts(
      h("input", { type: "range", class: "nbf-slider", "aria-label": "Index of the origin", step: "1" }),
    );
    this.#slider.addEventListener("input", () => callbacks.index(Number(this.#slider.value), false), { signal });
    this.#slider.addEventListener("change", () => callbacks.index(Number(this.#slider.value), true), { signal });
    this.#indexBox = suppressShortcuts(
      h("input", {
        type: "text",
        inputmode: "numeric",
        class: "nbf-index",
        "aria-label": "Index of the origin; 0 is the latest",
      }),
    );
    const enter = (): void => {
      const typed = Number(this.#indexBox.value.replace(/[−–]/g, "-").replace(/[,\s]/g, ""));
      const isNumber = Number.isFinite(typed) && this.#indexBox.value.trim() !== "";
      this.#indexBox.value = this.#indexText;
      this.#indexBox.blur();
      if (isNumber) callbacks.index(-Math.abs(typed), true);
    };
    this.#indexBox.addEventListener("keydown", (e) => e.key === "Enter" && enter(), { signal });
    this.#indexBox.addEventListener("change", enter, { signal });
    this.#surprise = button("Next surprise", "", () => callbacks.jump("surprise"), signal);
    this.showSurprises(null);
    const jumps = h(
      "div",
      { class: "nbf-jumps" },
      button("Worst", "The origin with the worst score (w)", () => callbacks.jump("worst"), signal),
      button(
        "Next worst",
        "The next worst, a horizon or more away from worse ones (n)",
        () => callbacks.jump("next"),
        signal,
      ),
      this.#surprise,
      button("Random", "Any origin that has a forecast (r)", () => callbacks.jump("random"), signal),
      button("Latest", "The newest origin (End)", () => callbacks.jump("latest"), signal),
    );
    const index = h("label", { class: "nbf-field" }, h("span", {}, "Index"), this.#indexBox);
    this.transport.append(this.#playButton, this.#slider, index, jumps);
    this.setPlaying(false);
  }

  /** Puts a badge beside the title. */
  addBadge(badge: HTMLElement): void {
    this.#title.after(badge);
  }

  /** Shows what there is to choose from, and what is chosen. */
  showSettings(
    meta: MetaMessage,
    settings: Settings,
    panel: PanelMessage | null,
    timeText: (time: number) => string,
  ): void {
    setText(this.#title, meta.title || "Forecasts");
    this.#title.title = meta.title;
    this.#picker.show(
      meta.series.map((s) => s.id),
      settings.series,
      panel,
      timeText,
    );
    const names = meta.models.map((m, i) => new Option(m.name, String(i), false, i === settings.model));
    this.#models.replaceChildren(...names);
    const chosen = settings.compare.join();
    const option = (text: string, value: string): HTMLOptionElement => new Option(text, value, false, value === chosen);
    const positions = meta.models.map((_, i) => i).filter((i) => i !== settings.model);
    const others = positions.map((i) => option(meta.models[i].name, String(i)));
    const all = positions.slice(0, MAX_COMPARED).join();
    if (positions.length > 1) {
      others.push(option(positions.length > MAX_COMPARED ? `first ${MAX_COMPARED}` : "all others", all));
      // Toggled one by one in the legend.
      if (settings.compare.length > 1 && chosen !== all)
        others.push(option(`${settings.compare.length} others`, chosen));
    }
    this.#compare.replaceChildren(option("none", ""), ...others);
    this.#models.hidden = meta.models.length < 1;
    this.#models.disabled = meta.models.length < 2;
    this.#compare.hidden = this.#versus.hidden = meta.models.length < 2;
    this.#compare.classList.toggle("nbf-none", settings.compare.length !== 1);
    for (const name of STYLES) this.#styles[name].setAttribute("aria-pressed", String(settings.style === name));
    this.#slider.min = String(1 - meta.series[settings.series].rows);
    this.#slider.max = "0";
  }

  /** Shows the origin; screen readers read `description`. */
  showIndex(index: number, description: string): void {
    const text = String(index);
    if (this.#slider.value !== text) this.#slider.value = text;
    this.#slider.setAttribute("aria-valuetext", description);
    this.#indexText = text.replace("-", "−");
    // Nothing is written into the box while somebody types there.
    if ((this.#indexBox.getRootNode() as Document | ShadowRoot).activeElement !== this.#indexBox)
      this.#indexBox.value = this.#indexText;
  }

  /** Shows whether there is a surprise to jump to; null before that is known. */
  showSurprises(count: number | null): void {
    this.#surprise.disabled = !count;
    this.#surprise.title =
      count === null
        ? "Known once all origins are done"
        : count
          ? "The next strangest, as of when it was odd already (s)"
          : "No observation is odd";
  }

  /** Shows whether the player is on. */
  setPlaying(on: boolean): void {
    this.#playButton.classList.toggle("nbf-on", on);
    this.#playButton.setAttribute("aria-label", on ? "Pause" : "Play through the origins");
    this.#playButton.setAttribute("aria-pressed", String(on));
  }
}
