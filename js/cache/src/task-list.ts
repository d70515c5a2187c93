/** The tasks that run and wait. */

import { h, setText } from "../../common/src/dom";
import { duration, integer, plural, rate } from "../../common/src/format";
import { Bar, iconButton } from "./buttons";
import type { Action, CacheTask } from "./messages";
import { titleOf } from "./state";

/** Further tasks that wait are only counted. */
const MAX_QUEUED = 5;

/** The progress of a task, in words. */
export function progressText(task: CacheTask): string {
  if (task.state === "queued") return `queued, ${task.priority}`;
  if (task.state === "ending") return "ending";
  const scoring = task.state === "calculating";
  const finished = Math.min(scoring ? task.calculated : task.inferred, task.available);
  const parts = [`${integer(finished)} of ${integer(task.available)}${scoring ? " scored" : ""}`];
  if (task.rate !== null && task.rate > 0) parts.push(rate(task.rate));
  if (task.eta_seconds !== null) parts.push(`${duration(task.eta_seconds)} left`);
  return parts.join(" · ");
}

class TaskRow {
  readonly el: HTMLElement;
  readonly #name = h("span", { class: "nbf-name" });
  readonly #model = h("span", { class: "nbf-model" });
  readonly #bar = new Bar("Origins inferred");
  readonly #text = h("span", { class: "nbf-text" });
  readonly #cancel: HTMLButtonElement;

  constructor(task: CacheTask, act: (action: Action) => void) {
    this.#cancel = iconButton("cancel", "Cancel", () => act({ name: "cancel", task: task.id }));
    this.el = h(
      "li",
      { class: "nbf-task" },
      h("span", { class: "nbf-title" }, this.#name, this.#model),
      this.#cancel,
      this.#bar.el,
      this.#text,
    );
  }

  show(task: CacheTask, cancelling: boolean): void {
    setText(this.#name, titleOf(task));
    setText(this.#model, task.model);
    this.el.dataset.state = task.state;
    this.#bar.show(task.available ? Math.min(task.inferred, task.available) / task.available : 0);
    setText(this.#text, cancelling ? "cancel is queued" : progressText(task));
    this.#cancel.disabled = !task.cancellable || cancelling;
    this.#cancel.setAttribute("aria-label", `Cancel ${titleOf(task)} · ${task.model}`);
  }
}

/** The list of tasks. */
export class TaskList {
  readonly el: HTMLElement;
  readonly #head = h("h3");
  readonly #list = h("ul");
  readonly #more = h("p", { class: "nbf-more" });
  readonly #rows = new Map<number, TaskRow>();
  readonly #act: (action: Action) => void;

  constructor(act: (action: Action) => void) {
    this.#act = act;
    this.el = h(
      "section",
      { class: "nbf-work", "aria-label": "Work", hidden: true },
      this.#head,
      this.#list,
      this.#more,
    );
  }

  /** Shows these tasks; `cancelling` are those whose cancellation waits for the kernel. */
  show(tasks: readonly CacheTask[], cancelling: ReadonlySet<number>): void {
    this.el.hidden = tasks.length === 0;
    const visible = tasks.filter((task, i) => task.state !== "queued" || i < MAX_QUEUED);
    const ids = new Set(visible.map((task) => task.id));
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue;
      row.el.remove();
      this.#rows.delete(id);
    }
    visible.forEach((task, i) => {
      const row = this.#rows.get(task.id) ?? new TaskRow(task, this.#act);
      this.#rows.set(task.id, row);
      row.show(task, cancelling.has(task.id));
      if (this.#list.children[i] !== row.el) this.#list.insertBefore(row.el, this.#list.children[i] ?? null);
    });
    const running = tasks.filter((task) => task.state !== "queued").length;
    setText(
      this.#head,
      running ? `Working on ${plural(running, "run")}` : plural(tasks.length, "run waits", "runs wait"),
    );
    const hidden = tasks.length - visible.length;
    setText(this.#more, hidden ? `and ${plural(hidden, "more waits", "more wait")}` : "");
    this.#more.hidden = !hidden;
  }
}
