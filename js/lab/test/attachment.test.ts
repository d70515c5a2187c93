import type { ISessionContext } from "@jupyterlab/apputils";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Attachment } from "../src/attachment";
import { wordsFor } from "../src/words";

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
  greet(v = 1): FakeComm {
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

async function attached(to: FakeKernel | null): Promise<Attachment> {
  context = new FakeContext(to);
  const made = new Attachment(context as unknown as ISessionContext, { opened: () => undefined, cells: true }, () => undefined);
  expect(made.standing).toBe("starting");
  await settled();
  return made;
}

beforeEach(() => {
  vi.useFakeTimers();
  kernel = new FakeKernel();
});

afterEach(() => {
  vi.useRealTimers();
});

test("nothing is sent to a kernel that has not loaded nbforecast", async () => {
  const attachment = await attached(kernel);
  attachment.look(true);
  expect([attachment.standing, kernel.made, kernel.executed]).toEqual(["absent", [], []]);
});

test("says hello when it is looked at, and bye when not", async () => {
  const attachment = await attached(kernel);
  const comm = kernel.greet();
  expect([attachment.standing, comm.kinds]).toEqual(["live", []]);
  attachment.look(true);
  await settled();
  attachment.look(true);
  attachment.look(false);
  expect(comm.kinds).toEqual(["hello", "bye"]);
  attachment.look(true);
  await settled();
  expect(comm.kinds).toEqual(["hello", "bye", "hello"]);
});

test("finds the comm again after the page was loaded anew", async () => {
  kernel.there["nbforecast-hub"] = {};
  const attachment = await attached(kernel);
  attachment.look(true);
  await settled();
  expect([attachment.standing, kernel.made[0].kinds]).toEqual(["live", ["hello"]]);
});

test("is busy while a kernel owes an answer", async () => {
  const attachment = await attached(kernel);
  const comm = kernel.greet();
  attachment.look(true);
  await vi.advanceTimersByTimeAsync(600);
  expect(attachment.busy).toBe(true);
  comm.tell({ kind: "entries", put: [], gone: [], all: true });
  expect([attachment.busy, attachment.view.state.complete]).toEqual([false, true]);
});

describe("loading", () => {
  test("runs the magic, silently and without a trace in the history", async () => {
    const attachment = await attached(kernel);
    kernel.onLoad = () => void kernel.greet();
    await attachment.load();
    expect(attachment.standing).toBe("live");
    expect(kernel.executed).toMatchObject([{ code: "%load_ext nbforecast", silent: true, store_history: false }]);
  });

  test("tells where it is not installed, and what else went wrong", async () => {
    const attachment = await attached(kernel);
    kernel.reply = { status: "error", ename: "ModuleNotFoundError", evalue: "No module named 'nbforecast'" };
    await attachment.load();
    expect([attachment.standing, attachment.detail]).toEqual(["missing", "No module named 'nbforecast'"]);
    kernel.reply = { status: "error", ename: "ImportError", evalue: "polars is too old" };
    await attachment.load();
    expect([attachment.standing, attachment.detail]).toEqual(["failed", "polars is too old"]);
    kernel.reply = { status: "ok" };
    await attachment.load();
    expect(attachment.standing).toBe("failed");
  });
});

describe("the kernel", () => {
  test("restarts, and is loaded again by itself or by a cell", async () => {
    const attachment = await attached(kernel);
    attachment.look(true);
    const before = kernel.greet();
    await settled();
    before.tell({ kind: "entries", put: [], gone: [], all: true });
    context.statusChanged.emit("restarting");
    expect([attachment.standing, attachment.view.state.complete]).toEqual(["restarting", false]);
    context.connectionStatusChanged.emit("connecting");
    context.connectionStatusChanged.emit("connected");
    context.statusChanged.emit("idle");
    expect(attachment.standing).toBe("absent");
    const after = kernel.greet();
    await settled();
    expect([attachment.standing, after.kinds, before.kinds]).toEqual(["live", ["hello"], ["hello"]]);
    before.tell({ kind: "entries", put: [], gone: [], all: true });
    expect(attachment.view.state.complete).toBe(false);
  });

  test("is changed for another", async () => {
    const attachment = await attached(kernel);
    attachment.look(true);
    const comm = kernel.greet();
    await settled();
    const other = new FakeKernel();
    context.session = { kernel: other };
    context.kernelChanged.emit(null);
    await settled();
    expect([attachment.standing, comm.kinds]).toEqual(["absent", ["hello", "bye"]]);
    other.greet();
    expect(attachment.standing).toBe("live");
    context.session = null;
    context.kernelChanged.emit(null);
    await settled();
    expect(attachment.standing).toBe("none");
  });

  test("unloads the extension", async () => {
    const attachment = await attached(kernel);
    kernel.greet().onClose({});
    expect(attachment.standing).toBe("absent");
  });

  test("is lost and found, as it was or restarted meanwhile", async () => {
    const attachment = await attached(kernel);
    attachment.look(true);
    const comm = kernel.greet();
    await settled();
    context.connectionStatusChanged.emit("connecting");
    expect(attachment.standing).toBe("disconnected");
    context.connectionStatusChanged.emit("connected");
    await settled();
    expect([attachment.standing, comm.kinds]).toEqual(["live", ["hello", "hello"]]);
    context.connectionStatusChanged.emit("disconnected");
    delete kernel.there["nbforecast-hub"];
    context.connectionStatusChanged.emit("connected");
    await settled();
    expect([attachment.standing, comm.kinds.length]).toEqual(["absent", 2]);
  });

  test("dies", async () => {
    const attachment = await attached(kernel);
    kernel.greet();
    context.statusChanged.emit("dead");
    context.connectionStatusChanged.emit("disconnected");
    expect(attachment.standing).toBe("dead");
  });

  test.each([
    ["foreign", () => (kernel.language = "R")],
    ["elsewhere", () => (kernel.handleComms = false)],
  ])("is %s", async (standing, make) => {
    make();
    expect((await attached(kernel)).standing).toBe(standing);
  });

  test("speaks another version", async () => {
    const attachment = await attached(kernel);
    kernel.greet(2);
    expect([attachment.standing, attachment.detail]).toEqual(["other", "0.1.0"]);
  });
});

test("leaves nothing behind", async () => {
  const attachment = await attached(kernel);
  attachment.look(true);
  kernel.greet();
  await settled();
  attachment.dispose();
  await vi.advanceTimersByTimeAsync(2000);
  expect([context.kernelChanged.count, context.statusChanged.count, context.connectionStatusChanged.count, vi.getTimerCount()]).toEqual([0, 0, 0, 0]);
});

test("every state but live has its sentence, and a button where loading may help", () => {
  const standings = ["starting", "none", "absent", "loading", "missing", "failed", "disconnected", "restarting", "dead", "foreign", "other", "elsewhere"] as const;
  expect(wordsFor("live")).toBeNull();
  expect([null, ...standings].every((s) => (wordsFor(s)?.text.length ?? 0) > 10)).toBe(true);
  expect(standings.filter((s) => wordsFor(s)?.button)).toEqual(["absent", "missing", "failed"]);
});
