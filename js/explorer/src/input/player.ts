/** Plays through the origins, one after the other. */

/** Origins a second. */
const RATE = 12;

/** The player. */
export class Player {
  #timer: ReturnType<typeof setInterval> | undefined;

  /** `step` moves on by one and returns whether there is more; `changed` is called at start and stop. */
  readonly #step: () => boolean;
  readonly #changed: (on: boolean) => void;

  constructor(step: () => boolean, changed: (on: boolean) => void, signal: AbortSignal) {
    this.#step = step;
    this.#changed = changed;
    signal.addEventListener("abort", () => clearInterval(this.#timer));
  }

  get on(): boolean {
    return this.#timer !== undefined;
  }

  toggle(): void {
    if (this.on) this.stop();
    else {
      this.#timer = setInterval(() => this.#step() || this.stop(), 1000 / RATE);
      this.#changed(true);
    }
  }

  stop(): void {
    if (!this.on) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#changed(false);
  }
}
