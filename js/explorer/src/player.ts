/** Plays through the origins, one after the other. */

/** Origins a second. */
const PACE = 12;

export class Player {
  private timer: ReturnType<typeof setInterval> | undefined;

  /** `step` goes on by one and says whether there is more; `changed` hears of start and stop. */
  constructor(private readonly step: () => boolean, private readonly changed: (on: boolean) => void, signal: AbortSignal) {
    signal.addEventListener("abort", () => clearInterval(this.timer));
  }

  get on(): boolean {
    return this.timer !== undefined;
  }

  toggle(): void {
    if (this.on) this.stop();
    else {
      this.timer = setInterval(() => this.step() || this.stop(), 1000 / PACE);
      this.changed(true);
    }
  }

  stop(): void {
    if (!this.on) return;
    clearInterval(this.timer);
    this.timer = undefined;
    this.changed(false);
  }
}
