/**
 * One notebook's kernel: whether nbforecast is loaded there, and the line to it.
 *
 * The kernel opens the comm, with an id that is always the same, when the extension is loaded. Nothing is sent to a
 * kernel that has not done so; after the page was loaded anew one question tells whether it had.
 */

import type { ISessionContext } from "@jupyterlab/apputils";
import type { Kernel, KernelMessage } from "@jupyterlab/services";
import type { JSONObject } from "@lumino/coreutils";
import { Link } from "../../cache/src/link";
import { COMM_ID, TARGET, VERSION } from "../../cache/src/protocol";
import { View, type Host } from "../../cache/src/view";

export type Standing =
  /** The kernel starts, or has not answered yet. */
  | "starting"
  | "none"
  /** nbforecast is not loaded there. */
  | "absent"
  | "loading"
  /** It could not be loaded: it is not installed where the kernel runs; or for another reason, which `detail` has. */
  | "missing"
  | "failed"
  | "live"
  | "disconnected"
  | "restarting"
  | "dead"
  /** The kernel speaks another language, or another version of ours; or its comms go to another page. */
  | "foreign"
  | "other"
  | "elsewhere";

/** How long a comm may take to get a thread of its own in the kernel, ms; without one, messages wait for cells. */
const THREAD_WITHIN = 1000;

export class Attachment {
  standing: Standing = "starting";
  detail = "";
  view: View;
  private link: Link;
  private kernel: Kernel.IKernelConnection | null = null;
  private comm: Kernel.IComm | null = null;
  private looked = false;
  private turn = 0;
  private end = new AbortController();

  /** `changed` hears of every change of standing, and of what commands depend on. */
  constructor(
    private readonly context: ISessionContext,
    private readonly host: Omit<Host, "changed">,
    private readonly changed: () => void,
  ) {
    [this.view, this.link] = this.fresh();
    context.kernelChanged.connect(this.attach, this);
    context.statusChanged.connect(this.onStatus, this);
    context.connectionStatusChanged.connect(this.onConnection, this);
    void this.attach();
  }

  dispose(): void {
    this.context.kernelChanged.disconnect(this.attach, this);
    this.context.statusChanged.disconnect(this.onStatus, this);
    this.context.connectionStatusChanged.disconnect(this.onConnection, this);
    this.turn++;
    this.release();
    this.end.abort();
  }

  /** Whether someone looks at the view; only then the kernel tells anything. */
  look(on: boolean): void {
    if (on === this.looked) return;
    this.looked = on;
    if (this.standing !== "live") return;
    if (on) void this.greet();
    else this.link.bye();
  }

  get busy(): boolean {
    return this.standing === "live" && this.link.busy;
  }

  /** A page of an explorer that was opened from here is closed. */
  closed(model: string): void {
    if (this.standing === "live") this.link.closed(model);
  }

  /** Loads nbforecast into the kernel, as the magic does; the one thing that is executed there. */
  async load(): Promise<void> {
    const { kernel, turn } = this;
    if (!kernel || this.standing === "live") return;
    this.set("loading");
    const request = { code: "%load_ext nbforecast", silent: true, store_history: false, allow_stdin: false, stop_on_error: false };
    let failed: { name: string; text: string } | null = null;
    try {
      const { content } = await kernel.requestExecute(request).done;
      if (content.status === "error") failed = { name: content.ename, text: content.evalue };
    } catch (error) {
      failed = { name: "", text: String(error) };
    }
    if (turn !== this.turn || this.standing !== "loading") return;
    if (!failed) await this.find(kernel, turn);
    else this.set(failed.name === "ModuleNotFoundError" ? "missing" : "failed", failed.text);
    if (turn === this.turn && (this.standing as Standing) === "absent") this.set("failed", "It is loaded, but does not answer. Restart the kernel.");
  }

  private set(standing: Standing, detail = ""): void {
    this.standing = standing;
    this.detail = detail;
    this.changed();
  }

  private fresh(): [View, Link] {
    this.end.abort();
    this.end = new AbortController();
    const view = new View({ ...this.host, changed: this.changed }, this.end.signal);
    const link = new Link((message) => this.comm?.send(message as unknown as JSONObject), view);
    view.use(link);
    return [view, link];
  }

  /** Lets go of the comm, and of what was known through it. */
  private release(): void {
    this.link.bye();
    this.link.end();
    this.kernel?.removeCommTarget(TARGET, this.onOpen);
    this.kernel = null;
    this.forget();
  }

  private forget(): void {
    if (!this.comm) return;
    this.comm.onMsg = this.comm.onClose = () => undefined;
    this.comm = null;
    [this.view, this.link] = this.fresh();
  }

  private async attach(): Promise<void> {
    const turn = ++this.turn;
    this.release();
    this.set("starting");
    await this.context.ready;
    if (turn !== this.turn) return;
    const kernel = this.context.session?.kernel ?? null;
    if (!kernel) return this.set("none");
    if (!kernel.handleComms) return this.set("elsewhere");
    this.kernel = kernel;
    kernel.registerCommTarget(TARGET, this.onOpen);
    const { language_info: language } = await kernel.info;
    if (turn !== this.turn || this.comm) return;
    if (language.name !== "python") return this.set("foreign");
    await this.find(kernel, turn);
  }

  /** Whether the comm is there: the page was loaded anew or was cut off, the kernel was not. */
  private async find(kernel: Kernel.IKernelConnection, turn: number): Promise<void> {
    let there = false;
    try {
      const { content } = await kernel.requestCommInfo({ target_name: TARGET });
      there = content.status === "ok" && COMM_ID in content.comms;
    } catch (error) {
      if (turn === this.turn) console.warn("nbforecast:", error);
    }
    if (turn !== this.turn || this.standing === "live") return;
    if (!there) {
      this.forget();
      this.set("absent");
    } else if (this.comm) this.revive();
    else this.bind(kernel.createComm(TARGET, COMM_ID));
  }

  private readonly onOpen = (comm: Kernel.IComm, message: KernelMessage.ICommOpenMsg): void => {
    const data = message.content.data;
    if (data.v === VERSION) this.bind(comm);
    else this.set("other", String(data.version ?? ""));
  };

  private bind(comm: Kernel.IComm): void {
    this.forget();
    this.comm = comm;
    comm.onMsg = (message) => this.link.receive(message.content.data);
    comm.onClose = () => {
      if (this.comm !== comm) return;
      this.forget();
      this.set("absent");
    };
    this.revive();
  }

  private revive(): void {
    this.set("live");
    if (this.looked) void this.greet();
  }

  private async greet(): Promise<void> {
    const comm = this.comm as (Kernel.IComm & { subshellStarted?: Promise<void> }) | null;
    await Promise.race([comm?.subshellStarted, new Promise((resolve) => setTimeout(resolve, THREAD_WITHIN))]);
    if (this.comm === comm && this.looked && this.standing === "live") this.link.hello();
  }

  private onStatus(_: ISessionContext, status: Kernel.Status): void {
    if (status === "restarting" || status === "autorestarting") {
      this.turn++;
      this.forget();
      this.set("restarting");
    } else if (status === "dead") {
      this.forget();
      this.set("dead");
    } else if ((status === "idle" || status === "busy") && this.standing === "restarting") {
      this.set("absent");
    }
  }

  private onConnection(_: ISessionContext, status: Kernel.ConnectionStatus): void {
    if (this.standing === "restarting" || this.standing === "starting") return;
    if (status === "connected" && this.standing === "disconnected") void this.rejoin();
    else if (status !== "connected" && this.standing !== "dead" && this.kernel) this.set("disconnected");
  }

  private async rejoin(): Promise<void> {
    const { kernel } = this;
    if (!kernel || !this.comm) return this.attach();
    this.set("starting");
    await this.find(kernel, ++this.turn);
  }
}
