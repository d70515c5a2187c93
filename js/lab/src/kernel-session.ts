/**
 * One notebook's kernel: whether nbforecast is loaded there, and the connection to it.
 *
 * The kernel opens the comm, with an id that is always the same, when the extension is loaded. Nothing is sent to a
 * kernel that has not done so; after the page was loaded anew one question tells whether it had.
 */

import type { ISessionContext } from "@jupyterlab/apputils";
import type { Kernel, KernelMessage } from "@jupyterlab/services";
import type { JSONObject } from "@lumino/coreutils";
import { Connection } from "../../cache/src/connection";
import { COMM_ID, TARGET, VERSION } from "../../cache/src/messages";
import { type Host, View } from "../../cache/src/view";

/** The status of a kernel. */
export type SessionStatus =
  /** The kernel starts, or has not answered yet. */
  | "starting"
  | "none"
  /** nbforecast is not loaded there. */
  | "absent"
  | "loading"
  /** It could not be loaded: it is not installed where the kernel runs, or for another reason, which `detail` has. */
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

/** Follows the kernel of a notebook as it starts, restarts, is changed or dies. */
export class KernelSession {
  status: SessionStatus = "starting";
  detail = "";
  view: View;
  #connection: Connection;
  #kernel: Kernel.IKernelConnection | null = null;
  #comm: Kernel.IComm | null = null;
  #visible = false;
  #turn = 0;
  #end = new AbortController();

  /** `changed` is called with every change of the status, and of what commands depend on. */
  readonly #context: ISessionContext;
  readonly #host: Omit<Host, "changed">;
  readonly #changed: () => void;

  constructor(context: ISessionContext, host: Omit<Host, "changed">, changed: () => void) {
    this.#context = context;
    this.#host = host;
    this.#changed = changed;
    [this.view, this.#connection] = this.#createView();
    context.kernelChanged.connect(this.#attach, this);
    context.statusChanged.connect(this.#onStatus, this);
    context.connectionStatusChanged.connect(this.#onConnection, this);
    void this.#attach();
  }

  dispose(): void {
    this.#context.kernelChanged.disconnect(this.#attach, this);
    this.#context.statusChanged.disconnect(this.#onStatus, this);
    this.#context.connectionStatusChanged.disconnect(this.#onConnection, this);
    this.#turn++;
    this.#release();
    this.#end.abort();
  }

  /** Sets whether the view is visible; only then the kernel sends anything. */
  setVisible(visible: boolean): void {
    if (visible === this.#visible) return;
    this.#visible = visible;
    if (this.status !== "live") return;
    if (visible) void this.#connect();
    else this.#connection.disconnect();
  }

  get busy(): boolean {
    return this.status === "live" && this.#connection.busy;
  }

  /** Tells the kernel that the page of an explorer that was opened from here is closed. */
  closeExplorer(model: string): void {
    if (this.status === "live") this.#connection.closeExplorer(model);
  }

  /** Loads nbforecast into the kernel, as the magic does; nothing else is executed there. */
  async load(): Promise<void> {
    const [kernel, turn] = [this.#kernel, this.#turn];
    if (!kernel || this.status === "live") return;
    this.#set("loading");
    const request = {
      code: "%load_ext nbforecast",
      silent: true,
      store_history: false,
      allow_stdin: true, // by which the kernel knows that there is a page to connect to
      stop_on_error: false,
    };
    let failed: { name: string; text: string } | null = null;
    try {
      const { content } = await kernel.requestExecute(request).done;
      if (content.status === "error") failed = { name: content.ename, text: content.evalue };
    } catch (error) {
      failed = { name: "", text: String(error) };
    }
    if (turn !== this.#turn || this.status !== "loading") return;
    if (!failed) await this.#find(kernel, turn);
    else this.#set(failed.name === "ModuleNotFoundError" ? "missing" : "failed", failed.text);
    if (turn === this.#turn && (this.status as SessionStatus) === "absent")
      this.#set("failed", "It is loaded, but does not answer. Restart the kernel.");
  }

  #set(status: SessionStatus, detail = ""): void {
    this.status = status;
    this.detail = detail;
    this.#changed();
  }

  #createView(): [View, Connection] {
    this.#end.abort();
    this.#end = new AbortController();
    const view = new View({ ...this.#host, changed: this.#changed }, this.#end.signal);
    const connection = new Connection((message) => this.#comm?.send(message as unknown as JSONObject), view);
    view.use(connection);
    return [view, connection];
  }

  /** Drops the comm, and everything that came through it. */
  #release(): void {
    this.#connection.disconnect();
    this.#connection.end();
    this.#kernel?.removeCommTarget(TARGET, this.#onOpen);
    this.#kernel = null;
    this.#dropComm();
  }

  #dropComm(): void {
    if (!this.#comm) return;
    this.#comm.onMsg = this.#comm.onClose = () => undefined;
    this.#comm = null;
    [this.view, this.#connection] = this.#createView();
  }

  async #attach(): Promise<void> {
    const turn = ++this.#turn;
    this.#release();
    this.#set("starting");
    await this.#context.ready;
    if (turn !== this.#turn) return;
    const kernel = this.#context.session?.kernel ?? null;
    if (!kernel) return this.#set("none");
    if (!kernel.handleComms) return this.#set("elsewhere");
    this.#kernel = kernel;
    kernel.registerCommTarget(TARGET, this.#onOpen);
    const { language_info: language } = await kernel.info;
    if (turn !== this.#turn || this.#comm) return;
    if (language.name !== "python") return this.#set("foreign");
    await this.#find(kernel, turn);
  }

  /** Finds the comm: the page was reloaded or disconnected, the kernel was not. */
  async #find(kernel: Kernel.IKernelConnection, turn: number): Promise<void> {
    let exists = false;
    try {
      const { content } = await kernel.requestCommInfo({ target_name: TARGET });
      exists = content.status === "ok" && COMM_ID in content.comms;
    } catch (error) {
      if (turn === this.#turn) console.warn("nbforecast:", error);
    }
    if (turn !== this.#turn || this.status === "live") return;
    if (!exists) {
      this.#dropComm();
      this.#set("absent");
    } else if (this.#comm) this.#goLive();
    else this.#bind(kernel.createComm(TARGET, COMM_ID));
  }

  readonly #onOpen = (comm: Kernel.IComm, message: KernelMessage.ICommOpenMsg): void => {
    const data = message.content.data;
    if (data.v === VERSION) this.#bind(comm);
    else this.#set("other", String(data.version ?? ""));
  };

  #bind(comm: Kernel.IComm): void {
    this.#dropComm();
    this.#comm = comm;
    comm.onMsg = (message) => this.#connection.receive(message.content.data);
    comm.onClose = () => {
      if (this.#comm !== comm) return;
      this.#dropComm();
      this.#set("absent");
    };
    this.#goLive();
  }

  #goLive(): void {
    this.#set("live");
    if (this.#visible) void this.#connect();
  }

  async #connect(): Promise<void> {
    const comm = this.#comm as (Kernel.IComm & { subshellStarted?: Promise<void> }) | null;
    await Promise.race([comm?.subshellStarted, new Promise((resolve) => setTimeout(resolve, THREAD_WITHIN))]);
    if (this.#comm === comm && this.#visible && this.status === "live") this.#connection.connect();
  }

  #onStatus(_: ISessionContext, status: Kernel.Status): void {
    if (status === "restarting" || status === "autorestarting") {
      this.#turn++;
      this.#dropComm();
      this.#set("restarting");
    } else if (status === "dead") {
      this.#dropComm();
      this.#set("dead");
    } else if ((status === "idle" || status === "busy") && this.status === "restarting") {
      this.#set("absent");
    }
  }

  #onConnection(_: ISessionContext, status: Kernel.ConnectionStatus): void {
    if (this.status === "restarting" || this.status === "starting") return;
    if (status === "connected" && this.status === "disconnected") void this.#rejoin();
    else if (status !== "connected" && this.status !== "dead" && this.#kernel) this.#set("disconnected");
  }

  async #rejoin(): Promise<void> {
    const kernel = this.#kernel;
    if (!kernel || !this.#comm) return this.#attach();
    this.#set("starting");
    await this.#find(kernel, ++this.#turn);
  }
}
