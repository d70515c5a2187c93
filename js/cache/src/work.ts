/** What is being computed, and what waits for its turn. */

import { h, say } from "../../common/src/dom";
import { count, duration, plural, rate } from "../../common/src/format";
import { Bar, iconButton } from "./button";
import type { Action, Task } from "./protocol";
import { titleOf } from "./state";

/** Of tasks that wait, more than these are only counted. */
const MOST_QUEUED = 5;

/** How far a task is, in words. */
export function progressText(task: Task): string {
  if (task.state === "queued") return `queued, ${task.priority}`;
  if (task.state === "ending") return "ending";
  const scoring = task.state === "calculating";
  const done = Math.min(scoring ? task.calculated : task.inferred, task.available);
  const parts = [`${count(done)} of ${count(task.available)}${scoring ? " scored" : ""}`];
  if (task.rate !== null && task.rate > 0) parts.push(rate(task.rate));
  if (task.left !== null) parts.push(`${duration(task.left)} left`);
  return parts.join(" · ");
}

class Row {
  readonly el: HTMLElement;
  private readonly name = h("span", { class: "nbf-name" });
  private readonly model = h("span", { class: "nbf-model" });
  private readonly bar = new Bar("Origins inferred");
  private readonly told = h("span", { class: "nbf-told" });
  private readonly cancel: HTMLButtonElement;

  constructor(task: Task, act: (action: Action) => void) {
    this.cancel = iconButton("cancel", "Cancel", () => act({ action: "cancel", task: task.id }));
    this.el = h("li", { class: "nbf-task" }, h("span", { class: "nbf-title" }, this.name, this.model), this.cancel, this.bar.el, this.told);
  }

  show(task: Task, cancelling: boolean): void {
    say(this.name, titleOf(task));
    say(this.model, task.model);
    this.el.dataset.state = task.state;
    this.bar.show(task.available ? Math.min(task.inferred, task.available) / task.available : 0);
    say(this.told, cancelling ? "cancel is queued" : progressText(task));
    this.cancel.disabled = !task.cancellable || cancelling;
    this.cancel.setAttribute("aria-label", `Cancel ${titleOf(task)} · ${task.model}`);
  }
}

export class Work {
  readonly el: HTMLElement;
  private readonly head = h("h3");
  private readonly list = h("ul");
  private readonly more = h("p", { class: "nbf-more" });
  private readonly rows = new Map<Task["id"], Row>();

  constructor(private readonly act: (action: Action) => void) {
    this.el = h("section", { class: "nbf-work", "aria-label": "Work", hidden: true }, this.head, this.list, this.more);
  }

  /** `cancelling`: tasks whose cancelling waits for the kernel. */
  show(tasks: readonly Task[], cancelling: ReadonlySet<Task["id"]>): void {
    this.el.hidden = tasks.length === 0;
    const shown = tasks.filter((task, i) => task.state !== "queued" || i < MOST_QUEUED);
    const there = new Set(shown.map((task) => task.id));
    for (const [id, row] of this.rows) {
      if (there.has(id)) continue;
      row.el.remove();
      this.rows.delete(id);
    }
    shown.forEach((task, at) => {
      const row = this.rows.get(task.id) ?? new Row(task, this.act);
      this.rows.set(task.id, row);
      row.show(task, cancelling.has(task.id));
      if (this.list.children[at] !== row.el) this.list.insertBefore(row.el, this.list.children[at] ?? null);
    });
    const running = tasks.filter((task) => task.state !== "queued").length;
    say(this.head, running ? `Working on ${plural(running, "run")}` : plural(tasks.length, "run waits", "runs wait"));
    const rest = tasks.length - shown.length;
    say(this.more, rest ? `and ${plural(rest, "more waits", "more wait")}` : "");
    this.more.hidden = !rest;
  }
}
