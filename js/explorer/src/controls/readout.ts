/** The selection in words and numbers: card, slider, index box, and the text for screen readers. */

import { setText } from "../../../common/src/dom";
import { indexOf } from "../state/origin-state";
import { rankOf, type Selection } from "../state/selection";
import type { Controls } from "./controls";
import type { Layout } from "./layout";
import { describe, forecastWords, horizonNumbers, originScores, statusText } from "./origin-scores";
import type { BoardRow, ScoreCard } from "./score-card";
import type { LiveRegion } from "./screen-reader";
import { oddSentence, surpriseRows } from "./surprise-text";

/** Shows in all of them that the chosen series has not come, so that no name stands beside another one's numbers. */
export function showNothing(
  text: string,
  index: number,
  layout: Layout,
  controls: Controls,
  card: ScoreCard,
  region: LiveRegion,
): void {
  setText(layout.chip, text);
  layout.chip.hidden = false;
  layout.surface.setAttribute("aria-valuetext", text);
  controls.showIndex(index, text);
  card.clear();
  region.clear(text);
}

function boardRow(s: Selection, name: string, here: number, i: number): BoardRow {
  const all = s.scores[i]?.overall.crps ?? null;
  return { name, here, all, colour: i ? `var(--nbf-other${rankOf(s, i)})` : "var(--nbf-median)" };
}

/** Shows the selection in all of them. */
export function showReadout(
  s: Selection,
  layout: Layout,
  controls: Controls,
  card: ScoreCard,
  region: LiveRegion,
): void {
  const { meta, history, row, models, forecasts, statuses } = s;
  const { horizon, step, target } = meta;
  const [main] = forecasts;
  const values = history.value;
  const index = indexOf(row, s.rows);
  const time = s.calendar.text(history.time[row]);
  const status = statusText(meta, statuses[0], row, main?.filled ?? false, s.gone);
  const other = s.near ? ` · the faint one is as of ${s.calendar.text(history.time[s.near.row], true)}` : "";
  setText(layout.chip, status + other);
  layout.chip.hidden = !status;
  const text = describe(meta, main, values, row, time, status) + oddSentence(s);
  const aria = { valuemin: 1 - s.rows, valuemax: 0, valuenow: index, valuetext: text };
  for (const [name, v] of Object.entries(aria)) layout.surface.setAttribute(`aria-${name}`, String(v));
  controls.showIndex(index, `${time}, index ${index}`);
  const scores = models.map((model, i) => ({
    name: meta.models[model].name,
    crps: statuses[i].score[row],
    scores: originScores(forecasts[i], values, row, horizon),
    ...horizonNumbers(s.joints[i], values, row, horizon),
  }));
  const words = forecastWords(meta, main, values, row);
  // Beside each other there is room for two.
  const columns = models.length > 2 ? 1 : models.length;
  card.showOrigin({ time, index, horizon, words, models: scores.slice(0, columns) });
  card.showOverall(meta, models.slice(0, columns), s.scores.slice(0, columns));
  card.showBoard(columns < models.length ? scores.map((m, i) => boardRow(s, m.name, m.crps, i)) : []);
  card.showSurprises(s.surprises, () => (s.surprises ? surpriseRows(s.surprises, s) : []));
  const actual = values.subarray(row + 1, row + 1 + horizon);
  region.announce(text, () => ({ text, forecast: main, actual, horizon, step, target }));
}
