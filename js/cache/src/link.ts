/** The line to a kernel: says hello while it is looked at, and keeps account of what has not been answered yet. */

import { Malformed } from "../../common/src/check";
import { parse } from "./parse";
import { VERSION, type Action, type Incoming, type Outgoing } from "./protocol";

/** Without an answer for this long, ms, an action waits for the kernel. */
const QUEUED_AFTER = 500;
const HELLO_AGAIN = 5000;

export interface Waiting {
  action: Action;
  /** Taken by the kernel, which works on it; or still queued, for a cell runs. */
  stage: "sent" | "queued" | "taken";
}

export interface Listener {
  /** A message came; `mine` is the action it answers, if it is one of ours. */
  heard(message: Incoming, mine: Action | null): void;
  /** Something began to wait, or does so no longer. */
  waited(): void;
}

export class Link {
  readonly client = Math.random().toString(36).slice(2, 10);
  /** Actions without an answer, the oldest first. */
  readonly waiting = new Map<string, Waiting>();
  /** The kernel owes the answer to a hello. */
  silent = false;
  private open = false;
  private count = 0;
  private timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(private readonly transmit: (message: Outgoing) => void, private readonly listener: Listener) {}

  get busy(): boolean {
    return this.silent || [...this.waiting.values()].some((w) => w.stage === "queued");
  }

  hello(): void {
    this.open = true;
    this.send({ kind: "hello", v: VERSION, client: this.client });
    this.later("busy", QUEUED_AFTER, () => {
      this.silent = true;
      this.listener.waited();
    });
    this.later("hello", HELLO_AGAIN, () => this.hello());
  }

  bye(): void {
    if (!this.open) return;
    this.open = false;
    this.settle();
    this.send({ kind: "bye", client: this.client });
  }

  /** Forgets what was asked: the kernel is gone. */
  end(): void {
    this.open = false;
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
    this.waiting.clear();
    this.silent = false;
  }

  act(action: Action): void {
    const id = `${this.client}-${++this.count}`;
    this.waiting.set(id, { action, stage: "sent" });
    this.later(id, QUEUED_AFTER, () => this.move(id, "queued"));
    this.send({ kind: "act", id, ...action });
    this.listener.waited();
  }

  /** The page of an opened explorer is closed. */
  closed(model: string): void {
    this.send({ kind: "closed", model_id: model });
  }

  receive(content: unknown): void {
    let message: Incoming;
    try {
      message = parse(content);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      console.warn("nbforecast: ignored a message:", error.message);
      return;
    }
    if (message.kind === "entries" && message.all) this.settle();
    if (message.kind === "queued") {
      this.move(message.id, "taken");
      return;
    }
    const mine = "id" in message && message.id !== null ? this.answer(message.id) : null;
    this.listener.heard(message, mine);
  }

  private send(message: Outgoing): void {
    try {
      this.transmit(message);
    } catch (error) {
      // A kernel that is gone; whoever holds this line is told by other means.
      console.warn("nbforecast:", error);
    }
  }

  private answer(id: string): Action | null {
    const known = this.waiting.get(id);
    if (!known) return null;
    clearTimeout(this.timers.get(id));
    this.timers.delete(id);
    this.waiting.delete(id);
    this.listener.waited();
    return known.action;
  }

  private move(id: string, stage: "queued" | "taken"): void {
    const known = this.waiting.get(id);
    if (!known) return;
    clearTimeout(this.timers.get(id));
    known.stage = stage;
    this.listener.waited();
  }

  /** The hello is answered, or nobody waits for that any more. */
  private settle(): void {
    for (const name of ["busy", "hello"]) clearTimeout(this.timers.get(name));
    const was = this.silent;
    this.silent = false;
    if (was) this.listener.waited();
  }

  private later(name: string, wait: number, job: () => void): void {
    clearTimeout(this.timers.get(name));
    this.timers.set(name, setTimeout(job, wait));
  }
}
