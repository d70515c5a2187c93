import type { ISessionContext } from "@jupyterlab/apputils";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { KernelSession } from "../src/kernel-session";
import { sentenceFor } from "../src/status-text";

/** As much of Lumino's signals as is used. */
class FakeSignal<T> {
  private slots: [(sender: unknown, args: T) => void, unknown][] = [];

  connect(slot: (sender: never, args: T) => void, self?: unknown): void {
    this.slots.push([slot as (sender: unknown, args: T) => void, self]);
  }

  disconnect(slot: unknown, self?: unknown): void {
    this.slots = this.slots.filter(([s, o]) => s !== slot || o !== self);
  }

  emit(args: T): void {
    for (const [slot, self] of [...this.slots]) slot.call(self, null, args);
  }

  get count(): number {
    return this.slots.length;
  }
}

class FakeComm {
  readonly sent: { kind: string }[] = [];
  subshellStarted = Promise.resolve();
  onMsg: (message: unknown) => void = () => undefined;
  onClose: (message: unknown) => void = () => undefined;

  send(data: { kind: string }): void {
    this.sent.push(data);
  }

  tell(data: unknown): void {
    this.onMsg({ content: { data } });
  }

  get kinds(): string[] {
    return this.sent.map((m) => m.kind);
  }
}

type Reply = { status: "ok" } | { status: "error"; ename: string; evalue: string };

class FakeKernel {
  handleComms = true;
  language = "python";
  readonly executed: { code: string; silent: boolean; store_history: boolean }[] = [];
  /** Comms that are there before the page is. */
  readonly there: Record<string, unknown> = {};
  readonly made: FakeComm[] = [];
  reply: Reply = { status: "ok" };
  /** What loading does. */
  onLoad: () => void = () => undefined;
  /** The one comm that this page knows. */
  private open: FakeComm | null = null;
  private target: ((comm: FakeComm, message: unknown) => void) | null = null;

  get info(): Promise<unknown> {
    return Promise.resolve({ language_info: { name: this.language } });
  }

  registerCommTarget(_: string, target: (comm: FakeComm, message: unknown) => void): void {
    this.target = target;
  }

  removeCommTarget(): void {
    this.target = null;
  }

  createComm(): FakeComm {
    if (this.open) throw new Error("Comm is already created");
    this.open = new FakeComm();
    this.made.push(this.open);
    return this.open;
  }

  requestCommInfo(): Promise<unknown> {
    return Promise.resolve({ content: { status: "ok", comms: this.there } });
  }

  requestExecute(request: { code: string; silent: boolean; store_history: boolean }): { done: Promise<unknown> } {
    this.executed.push(request);
    this.onLoad();
    return { done: Promise.resolve({ content: this.reply }) };
  }

  /** The extension is loaded: the kernel opens its comm. */
  greet(v = 2): FakeComm {
    const comm = new FakeComm();
    this.open = comm;
    this.there["nbforecast-hub"] = {};
    this.target?.(comm, { content: { data: { kind: "loaded", v, version: "0.1.0" } } });
    return comm;
  }
}

class FakeContext {
  readonly kernelChanged = new FakeSignal<unknown>();
  readonly statusChanged = new FakeSignal<string>();
  readonly connectionStatusChanged = new FakeSignal<string>();
  readonly ready = Promise.resolve();
  session: { kernel: FakeKernel } | null;

  constructor(kernel: FakeKernel | null) {
    this.session = kernel && { kernel };
  }
}

let kernel: FakeKernel;
let context: FakeContext;

const settled = async (): Promise<void> => void (await vi.advanceTimersByTimeAsync(1));

async function open(to: FakeKernel | null): Promise<KernelSession> {
  context = new FakeContext(to);
  const session = new KernelSession(
    context as unknown as ISessionContext,
    { open: () => undefined, hasCells: true },
    () => undefined,
  );
  expect(session.status).toBe("starting");
  await settled();
  return session;
}

beforeEach(() => {
  vi.useFakeTimers();
  kernel = new FakeKernel();
});

afterEach(() => {
  vi.useRealTimers();
});

test("nothing is sent to a kernel that has not loaded nbforecast", async () => {
  const session = await open(kernel);
  session.setVisible(true);
  expect([session.status, kernel.made, kernel.executed]).toEqual(["absent", [], []]);
});

test("connects while it is visible, and disconnects when not", async () => {
  const session = await open(kernel);
  const comm = kernel.greet();
  expect([session.status, comm.kinds]).toEqual(["live", []]);
  session.setVisible(true);
  await settled();
  session.setVisible(true);
  session.setVisible(false);
  expect(comm.kinds).toEqual(["connect", "disconnect"]);
  session.setVisible(true);
  await settled();
  expect(comm.kinds).toEqual(["connect", "disconnect", "connect"]);
});

test("finds the comm again after the page was loaded anew", async () => {
  kernel.there["nbforecast-hub"] = {};
  const session = await open(kernel);
  session.setVisible(true);
  await settled();
  expect([session.status, kernel.made[0].kinds]).toEqual(["live", ["connect"]]);
});

test("is busy while a kernel owes an answer", async () => {
  const session = await open(kernel);
  const comm = kernel.greet();
  session.setVisible(true);
  await vi.advanceTimersByTimeAsync(600);
  expect(session.busy).toBe(true);
  comm.tell({ kind: "entries", put: [], gone: [], all: true });
  expect([session.busy, session.view.state.complete]).toEqual([false, true]);
});

describe("loading", () => {
  test("runs the magic, silently and without a trace in the history", async () => {
    const session = await open(kernel);
    kernel.onLoad = () => void kernel.greet();
    await session.load();
    expect(session.status).toBe("live");
    expect(kernel.executed).toMatchObject([{ code: "%load_ext nbforecast", silent: true, store_history: false }]);
  });

  test("says where it is not installed, and what else went wrong", async () => {
    const session = await open(kernel);
    kernel.reply = { status: "error", ename: "ModuleNotFoundError", evalue: "No module named 'nbforecast'" };
    await session.load();
    expect([session.status, session.detail]).toEqual(["missing", "No module named 'nbforecast'"]);
    kernel.reply = { status: "error", ename: "ImportError", evalue: "polars is too old" };
    await session.load();
    expect([session.status, session.detail]).toEqual(["failed", "polars is too old"]);
    kernel.reply = { status: "ok" };
    await session.load();
    expect(session.status).toBe("failed");
  });
});

describe("the kernel", () => {
  test("restarts, and is loaded again by itself or by a cell", async () => {
    const session = await open(kernel);
    session.setVisible(true);
    const before = kernel.greet();
    await settled();
    before.tell({ kind: "entries", put: [], gone: [], all: true });
    context.statusChanged.emit("restarting");
    expect([session.status, session.view.state.complete]).toEqual(["restarting", false]);
    context.connectionStatusChanged.emit("connecting");
    context.connectionStatusChanged.emit("connected");
    context.statusChanged.emit("idle");
    expect(session.status).toBe("absent");
    const after = kernel.greet();
    await settled();
    expect([session.status, after.kinds, before.kinds]).toEqual(["live", ["connect"], ["connect"]]);
    before.tell({ kind: "entries", put: [], gone: [], all: true });
    expect(session.view.state.complete).toBe(false);
  });

  test("is changed for another", async () => {
    const session = await open(kernel);
    session.setVisible(true);
    const comm = kernel.greet();
    await settled();
    const other = new FakeKernel();
    context.session = { kernel: other };
    context.kernelChanged.emit(null);
    await settled();
    expect([session.status, comm.kinds]).toEqual(["absent", ["connect", "disconnect"]]);
    other.greet();
    expect(session.status).toBe("live");
    context.session = null;
    context.kernelChanged.emit(null);
    await settled();
    expect(session.status).toBe("none");
  });

  test("unloads the extension", async () => {
    const session = await open(kernel);
    kernel.greet().onClose({});
    expect(session.status).toBe("absent");
  });

  test("is lost and found, as it was or restarted meanwhile", async () => {
    const session = await open(kernel);
    session.setVisible(true);
    const comm = kernel.greet();
    await settled();
    context.connectionStatusChanged.emit("connecting");
    expect(session.status).toBe("disconnected");
    context.connectionStatusChanged.emit("connected");
    await settled();
    expect([session.status, comm.kinds]).toEqual(["live", ["connect", "connect"]]);
    context.connectionStatusChanged.emit("disconnected");
    delete kernel.there["nbforecast-hub"];
    context.connectionStatusChanged.emit("connected");
    await settled();
    expect([session.status, comm.kinds.length]).toEqual(["absent", 2]);
  });

  test("dies", async () => {
    const session = await open(kernel);
    kernel.greet();
    context.statusChanged.emit("dead");
    context.connectionStatusChanged.emit("disconnected");
    expect(session.status).toBe("dead");
  });

  test.each([
    ["foreign", () => (kernel.language = "R")],
    ["elsewhere", () => (kernel.handleComms = false)],
  ])("is %s", async (status, make) => {
    make();
    expect((await open(kernel)).status).toBe(status);
  });

  test("speaks another version", async () => {
    const session = await open(kernel);
    kernel.greet(1);
    expect([session.status, session.detail]).toEqual(["other", "0.1.0"]);
  });
});

test("leaves nothing behind", async () => {
  const session = await open(kernel);
  session.setVisible(true);
  kernel.greet();
  await settled();
  session.dispose();
  await vi.advanceTimersByTimeAsync(2000);
  expect([
    context.kernelChanged.count,
    context.statusChanged.count,
    context.connectionStatusChanged.count,
    vi.getTimerCount(),
  ]).toEqual([0, 0, 0, 0]);
});

test("every state but live has its sentence, and a button where loading may help", () => {
  const statuses = [
    "starting",
    "none",
    "absent",
    "loading",
    "missing",
    "failed",
    "disconnected",
    "restarting",
    "dead",
    "foreign",
    "other",
    "elsewhere",
  ] as const;
  expect(sentenceFor("live")).toBeNull();
  expect([null, ...statuses].every((s) => (sentenceFor(s)?.text.length ?? 0) > 10)).toBe(true);
  expect(statuses.filter((s) => sentenceFor(s)?.button)).toEqual(["absent", "missing", "failed"]);
});
