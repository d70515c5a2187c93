/** The connection to a kernel: it is open while the view is visible, and records the actions without an answer. */

import { Malformed } from "../../common/src/check";
import { type Action, type Messages, type Requests, VERSION } from "./messages";
import { parse } from "./parse";

/** Without an answer for this long, ms, an action waits for the kernel. */
const QUEUED_AFTER = 500;
const RECONNECT_AFTER = 5000;

/** An action without an answer. */
export interface PendingAction {
  action: Action;
  /** Taken by the kernel, which works on it; or still queued, since a cell runs. */
  stage: "sent" | "queued" | "taken";
}

/** What a view does with messages. */
export interface MessageListener {
  /** A message has come; `action` is the action of ours that it answers, if any. */
  receive(message: Messages, action: Action | null): void;
  /** The pending actions have changed, or whether the kernel answers. */
  pendingChanged(): void;
}

/** One view's connection. */
export class Connection {
  readonly client = Math.random().toString(36).slice(2, 10);
  /** Actions without an answer by their ids, the oldest first. */
  readonly pending = new Map<string | number, PendingAction>();
  /** Whether the kernel has not answered for a while since we connected. */
  silent = false;
  #open = false;
  #count = 0;
  #timers = new Map<string | number, ReturnType<typeof setTimeout>>();
  readonly #transmit: (message: Requests) => void;
  readonly #listener: MessageListener;

  constructor(transmit: (message: Requests) => void, listener: MessageListener) {
    this.#transmit = transmit;
    this.#listener = listener;
  }

  get busy(): boolean {
    return this.silent || [...this.pending.values()].some((pending) => pending.stage === "queued");
  }

  /** Requests the kernel's messages, and repeats that until it answers. */
  connect(): void {
    this.#open = true;
    this.#send({ kind: "connect", v: VERSION, client: this.client });
    this.#later("busy", QUEUED_AFTER, () => {
      this.silent = true;
      this.#listener.pendingChanged();
    });
    this.#later("connect", RECONNECT_AFTER, () => this.connect());
  }

  disconnect(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#answered();
    this.#send({ kind: "disconnect", client: this.client });
  }

  /** Forgets the pending actions: the kernel is gone. */
  end(): void {
    this.#open = false;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.pending.clear();
    this.silent = false;
  }

  act(action: Action): void {
    const id = `${this.client}-${++this.#count}`;
    this.pending.set(id, { action, stage: "sent" });
    this.#later(id, QUEUED_AFTER, () => this.#move(id, "queued"));
    this.#send({ kind: "action_request", id, action });
    this.#listener.pendingChanged();
  }

  /** Tells the kernel that the page of an opened explorer is closed. */
  closeExplorer(model_id: string): void {
    this.#send({ kind: "close_explorer", model_id });
  }

  receive(content: unknown): void {
    let message: Messages;
    try {
      message = parse(content);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      console.warn("nbforecast: ignored a message:", error.message);
      return;
    }
    if (message.kind === "entries" && message.all) this.#answered();
    if (message.kind === "queued") {
      this.#move(message.id, "taken");
      return;
    }
    const action = "id" in message && message.id !== null ? this.#settle(message.id) : null;
    this.#listener.receive(message, action);
  }

  #send(message: Requests): void {
    try {
      this.#transmit(message);
    } catch (error) {
      // The kernel is gone; the owner of this connection learns of it by other means.
      console.warn("nbforecast:", error);
    }
  }

  /** The action of an id, which is not pending any more; null where it is another page's. */
  #settle(id: string | number): Action | null {
    const pending = this.pending.get(id);
    if (!pending) return null;
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.pending.delete(id);
    this.#listener.pendingChanged();
    return pending.action;
  }

  #move(id: string | number, stage: "queued" | "taken"): void {
    const pending = this.pending.get(id);
    if (!pending) return;
    clearTimeout(this.#timers.get(id));
    pending.stage = stage;
    this.#listener.pendingChanged();
  }

  /** The kernel has answered, or nobody waits for that any more. */
  #answered(): void {
    for (const name of ["busy", "connect"]) clearTimeout(this.#timers.get(name));
    const wasSilent = this.silent;
    this.silent = false;
    if (wasSilent) this.#listener.pendingChanged();
  }

  #later(name: string | number, wait: number, job: () => void): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(job, wait));
  }
}
