/** Everything the origin says in words and numbers: card, slider, index box, and for those who hear. */

import type { Hearing } from "./a11y";
import type { Card } from "./card";
import type { Controls } from "./controls";
import { say } from "../../common/src/dom";
import { indexOf } from "./keys";
import type { Layout } from "./layout";
import { originScores, standingText, words } from "./origin";
import type { Row } from "./rows";
import type { Sight } from "./sight";

/** `rows`: the forecasts of the sight's models at the origin. */
export function readout(s: Sight, rows: (Row | null)[], parts: Layout, controls: Controls, card: Card, hearing: Hearing): void {
  const { meta, history, row } = s;
  const values = history.value;
  const standing = s.store.standing(s.series, s.models[0]);
  const index = indexOf(row, s.rows);
  const time = s.calendar.text(history.time[row]);
  const shown = rows[0]?.filled ?? false;
  const text = standingText(meta, standing, row, shown);
  say(parts.chip, text);
  parts.chip.hidden = !text;
  const spoken = words(meta, rows[0], values, row, time, text);
  const aria = { valuemin: 1 - s.rows, valuemax: 0, valuenow: index, valuetext: spoken };
  for (const [name, v] of Object.entries(aria)) parts.surface.setAttribute(`aria-${name}`, String(v));
  controls.show(index, `${time}, index ${index}`);
  const models = s.models.map((m, i) => ({
    name: meta.models[m].name,
    crps: s.store.standing(s.series, m).score[row],
    scores: originScores(rows[i], values, row, meta.horizon),
  }));
  card.origin({ time, index, models });
  card.overall(meta, s.models, s.models.map((m) => s.store.score(s.series, m)));
  const actual = values.subarray(row + 1, row + 1 + meta.horizon);
  const { horizon, step, target } = meta;
  hearing.tell(spoken, () => ({ words: spoken, row: rows[0], actual, horizon, step, target }));
}
