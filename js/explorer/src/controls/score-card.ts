/** The side card: the scores of the origin, those over all origins, and facts on data and model. */

import { h, setText, suppressShortcuts } from "../../../common/src/dom";
import { ahead, integer, percent, plural, score } from "../../../common/src/format";
import type { Surprises } from "../state/surprises";
import type { MetaMessage, ScoresMessage } from "../wire/messages";
import { type HorizonNumber, type OriginScores, unitOf } from "./origin-scores";

/** Most bars; longer horizons are thinned to the mean of neighbours. */
export const MAX_BARS = 48;

/** A model's scores at the origin. */
export interface ModelScores {
  name: string;
  crps: number;
  scores: OriginScores | null;
  /** The sum and the largest value over the horizon. */
  total: HorizonNumber;
  peak: HorizonNumber;
}

/** The part of the card on the origin. */
export interface OriginCard {
  time: string;
  index: number;
  horizon: number;
  /** The forecast of the last step: its median, and its band. */
  words: [string, string];
  /** The main model, and the second one if there is one. */
  models: ModelScores[];
}

/** A model among several: its CRPS at the origin, and over all of them. */
export interface BoardRow {
  name: string;
  here: number;
  all: number | null;
  colour: string;
}

/** Means of neighbours, so that there are at most `max`. */
export function thin(values: readonly (number | null)[], max: number): (number | null)[] {
  const each = Math.ceil(values.length / max) || 1;
  const out: (number | null)[] = [];
  for (let i = 0; i < values.length; i += each) {
    const numbers = values.slice(i, i + each).filter((v): v is number => v !== null);
    out.push(numbers.length ? numbers.reduce((a, b) => a + b, 0) / numbers.length : null);
  }
  return out;
}

type Cells = [string, ...string[]];

function table(el: HTMLTableElement, head: string[], rows: Cells[]): void {
  // Texts change with every frame of a drag, the shape hardly ever: elements stay.
  const shape = `${rows.map((r) => r[0]).join()}/${head.length}`;
  if (el.dataset.shape !== shape) {
    el.dataset.shape = shape;
    el.replaceChildren();
    if (head.length > 1) {
      const cells = head.map((_, i) => h("th", { scope: "col", class: i ? "nbf-second-head" : "nbf-first-head" }));
      el.append(h("thead", {}, h("tr", {}, h("td"), ...cells)));
    }
    el.append(
      h("tbody", {}, ...rows.map((r) => h("tr", {}, h("th", { scope: "row" }, r[0]), ...head.map(() => h("td"))))),
    );
  }
  if (head.length > 1) el.querySelectorAll("thead th").forEach((th, i) => setText(th, head[i]));
  el.querySelectorAll("tbody tr").forEach((tr, i) =>
    tr.querySelectorAll("td").forEach((td, j) => setText(td, rows[i][j + 1] ?? "")),
  );
}

/** The card. */
export class ScoreCard {
  readonly el = h("aside", { class: "nbf-card", "aria-label": "Scores" });
  readonly #time = h("div", { class: "nbf-time" });
  readonly #index = h("div", { class: "nbf-sub" });
  readonly #words = [h("div", { class: "nbf-words" }), h("div", { class: "nbf-sub" })];
  readonly #own = h("table");
  readonly #ahead = h("h4");
  readonly #joint = h("table");
  readonly #heading = h("h4");
  readonly #all = h("table");
  readonly #units = h("div", { class: "nbf-units" });
  readonly #bars = h("div", { class: "nbf-bars" });
  readonly #gauges = h("div", { class: "nbf-gauges" });
  readonly #board = h("table");
  readonly #boardSection = h(
    "section",
    { class: "nbf-board", hidden: true },
    h("h4", {}, "CRPS by model"),
    this.#board,
  );
  readonly #odd = h("table");
  readonly #oddSection = h("section", { hidden: true }, h("h4", {}, "Surprises"), this.#odd);
  #shownOdd: Surprises | null = null;
  readonly #about = h("div", { class: "nbf-about" });
  readonly #notes = h("details", { class: "nbf-notes" });
  readonly #summary = suppressShortcuts(h("summary"));
  #shownKey: unknown[] = [];

  constructor() {
    const first = h("section", {}, h("h4", {}, "This origin"), this.#time, this.#index, ...this.#words, this.#own);
    const second = h("section", {}, this.#heading, this.#all, this.#units);
    const third = h("section", {}, h("h4", {}, "CRPS by step ahead"), this.#bars);
    const fourth = h("section", {}, h("h4", {}, "Coverage"), this.#gauges);
    const joint = h("section", {}, this.#ahead, this.#joint);
    this.el.append(
      first,
      this.#boardSection,
      joint,
      second,
      third,
      fourth,
      this.#oddSection,
      h("section", { class: "nbf-foot" }, this.#about, this.#notes),
    );
  }

  /** Shows no numbers. */
  clear(): void {
    this.#shownKey = [];
    this.showSurprises(null, () => []);
    for (const el of [this.#time, this.#index, ...this.#words]) setText(el, "");
    setText(this.#heading, "All scored origins");
    for (const el of [this.#own, this.#joint, this.#all]) for (const td of el.querySelectorAll("td")) setText(td, "–");
    for (const el of [this.#bars, this.#gauges]) el.replaceChildren();
  }

  /** Shows the origin's part; called with every frame of a drag. */
  showOrigin(data: OriginCard): void {
    // The day above, the time of day below: neither wraps, so nothing moves.
    const [day, ...rest] = data.time.split(", ");
    setText(this.#time, day);
    setText(this.#index, [...rest, `index ${integer(data.index)}`].join(" · "));
    this.#words.forEach((el, i) => setText(el, data.words[i]));
    const of = (pick: (m: ModelScores) => string): string[] => data.models.map(pick);
    const share = (m: ModelScores, band: number): string =>
      m.scores ? `${m.scores.inside[band]} of ${m.scores.steps}` : "–";
    const rows: Cells[] = [
      ["MAE", ...of((m) => score(m.scores?.mae))],
      ["CRPS", ...of((m) => score(m.crps))],
      ["in 50 %", ...of((m) => share(m, 0))],
      ["in 80 %", ...of((m) => share(m, 1))],
      ["in 95 %", ...of((m) => share(m, 2))],
    ];
    table(
      this.#own,
      of((m) => m.name),
      rows,
    );
    setText(this.#ahead, `Over ${plural(data.horizon, "step")}`);
    const isCompared = data.models.length > 1;
    const numbers = (name: string, pick: (m: ModelScores) => HorizonNumber): Cells[] => {
      const observed = of((m) => pick(m).observed);
      const first: Cells = [name, ...of((m) => pick(m).median)];
      // Two ranges beside each other are wider than the card: each takes two lines, always, so that nothing moves.
      const band: Cells = ["80 %", ...of((m) => (isCompared ? pick(m).band.replace(" to ", "\nto ") : pick(m).band))];
      // The outcome is one, whatever the models.
      return [first, band, ["observed", observed.find((text) => text) ?? "–"]];
    };
    table(
      this.#joint,
      of((m) => m.name),
      [...numbers("Total", (m) => m.total), ...numbers("Peak", (m) => m.peak)],
    );
  }

  /** Shows several models, the best over all origins first; none where there is nothing to rank. */
  showBoard(rows: readonly BoardRow[]): void {
    this.#boardSection.hidden = !rows.length;
    const sorted = [...rows].sort((a, b) => (a.all ?? Infinity) - (b.all ?? Infinity));
    table(
      this.#board,
      ["here", "all"],
      sorted.map((m): Cells => [m.name, score(m.here), score(m.all)]),
    );
    this.#board.querySelectorAll<HTMLElement>("tbody th").forEach((th, i) => {
      th.style.color = sorted[i].colour;
    });
  }

  /** Shows the part over all origins, where it has changed. */
  showOverall(meta: MetaMessage, models: number[], scores: (ScoresMessage | null)[]): void {
    const key = [meta, ...models, ...scores];
    if (key.length === this.#shownKey.length && key.every((v, i) => v === this.#shownKey[i])) return;
    this.#shownKey = key;
    const n = scores[0]?.overall.n ?? null;
    setText(this.#heading, n === null ? "All scored origins" : `All ${plural(n, "scored origin")}`);
    const of = (pick: (s: ScoresMessage) => number | null): string[] => scores.map((s) => score(s && pick(s)));
    table(
      this.#all,
      models.map((m) => meta.models[m].name),
      [
        ["MAE", ...of((s) => s.overall.mae)],
        ["CRPS", ...of((s) => s.overall.crps)],
        ["MASE", ...of((s) => s.overall.mase)],
      ],
    );
    setText(
      this.#units,
      `MAE and CRPS in ${unitOf(meta.target) || meta.target || "the data's unit"}; MASE in mean errors of a seasonal naive forecast`,
    );
    this.#drawBars(meta, scores);
    this.#drawGauges(scores);
    const model = meta.models[models[0]];
    setText(
      this.#about,
      `${model.name} · ${plural(model.draws, "draw")} a step · ${plural(meta.horizon, "step")} ahead${meta.frequency ? ` · every ${meta.frequency}` : ""}`,
    );
    setText(this.#summary, `${plural(meta.notes.length, "note")} on the data`);
    this.#notes.replaceChildren(this.#summary, h("ul", {}, ...meta.notes.map((note) => h("li", {}, note))));
    this.#notes.hidden = !meta.notes.length;
  }

  /** Shows how many observations are odd, where that has changed; nothing before it is known. */
  showSurprises(surprises: Surprises | null, rows: () => [string, string][]): void {
    if (surprises === this.#shownOdd) return;
    this.#shownOdd = surprises;
    this.#oddSection.hidden = surprises === null;
    table(this.#odd, [""], rows());
  }

  #drawBars(meta: MetaMessage, scores: (ScoresMessage | null)[]): void {
    const pick = (s: ScoresMessage | null): (number | null)[] =>
      thin(s ? (s.horizon.crps.some((v) => v !== null) ? s.horizon.crps : s.horizon.mae) : [], MAX_BARS);
    const series = scores.map(pick);
    const highest = Math.max(...series.flat().filter((v): v is number => v !== null), 1e-300);
    const steps = series[0].length;
    const columns = Array.from({ length: steps }, (_, i) => {
      const step = ahead(Math.min(meta.horizon, Math.round(((i + 1) * meta.horizon) / steps)), meta.step);
      const column = h("div", { class: "nbf-bar", title: `${step}: ${series.map((v) => score(v[i])).join(" vs ")}` });
      series.forEach((v, s) => {
        const bar = h("i", { class: s ? "nbf-bar-other" : "nbf-bar-main" });
        bar.style.height = `${((v[i] ?? 0) / highest) * 100}%`;
        column.append(bar);
      });
      return column;
    });
    const ends = [
      ahead(Math.max(1, Math.round(meta.horizon / Math.max(steps, 1))), meta.step),
      ahead(meta.horizon, meta.step),
    ];
    const first = series[0].filter((v): v is number => v !== null);
    const values = h(
      "div",
      { class: "nbf-ends" },
      h("span", {}, score(first[0])),
      h("span", {}, score(first[first.length - 1])),
    );
    const axis = h("div", { class: "nbf-ends nbf-sub" }, ...ends.map((t) => h("span", {}, t)));
    const chart = h(
      "div",
      {
        class: "nbf-columns",
        role: "img",
        "aria-label": `CRPS from ${score(first[0])} at ${ends[0]} to ${score(first[first.length - 1])} at ${ends[1]}`,
      },
      ...columns,
    );
    this.#bars.replaceChildren(...(steps ? [values, chart, axis] : [h("div", { class: "nbf-sub" }, "not known yet")]));
  }

  #drawGauges(scores: (ScoresMessage | null)[]): void {
    const rows = ([50, 80, 95] as const).map((nominal) => {
      const shares = scores.map((s) => s?.overall[`coverage_${nominal}`] ?? null);
      const track = h("div", { class: "nbf-track" });
      shares.forEach((share, i) => {
        const mark = h("i", { class: i ? "nbf-gauge-other" : "nbf-gauge-main", hidden: share === null });
        if (i) mark.style.left = `${(share ?? 0) * 100}%`;
        else mark.style.width = `${(share ?? 0) * 100}%`;
        track.append(mark);
      });
      const tick = h("i", { class: "nbf-tick" });
      tick.style.left = `${nominal}%`;
      track.append(tick);
      const text = h("span", { class: "nbf-share" }, shares.map((s) => percent(s)).join(" · "));
      return h("div", { class: "nbf-gauge" }, h("span", { class: "nbf-nominal" }, `${nominal} %`), track, text);
    });
    this.#gauges.replaceChildren(...rows);
  }
}
