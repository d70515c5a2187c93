import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { entry, Kernel, NOW, TOTALS, task } from "./helpers";

let kernel: Kernel;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW * 1000 });
  kernel = new Kernel();
});

afterEach(() => {
  kernel.end.abort();
  document.body.replaceChildren();
  vi.useRealTimers();
});

describe("what is shown", () => {
  test("one sentence while nothing is kept, and another while a busy kernel does not answer", () => {
    kernel.connection.connect();
    expect(kernel.find(".nbf-empty").hidden).toBe(true);
    vi.advanceTimersByTime(600);
    expect(kernel.find(".nbf-empty").textContent).toMatch(/kernel is busy/);
    kernel.list();
    expect(kernel.find(".nbf-empty").textContent).toMatch(/Nothing is kept yet/);
    kernel.list(entry(1));
    expect(kernel.find(".nbf-empty").hidden).toBe(true);
  });

  test("an entry's name, model, handle, origins, sizes and last use", () => {
    kernel.list(entry(3, { inferred: 25, hits: 1, memory_bytes: 8.1e6, disk_bytes: 0 }));
    const words = [".nbf-name", ".nbf-model", ".nbf-handle", ".nbf-done", ".nbf-fact", ".nbf-used"].map(
      (s) => kernel.find(s).textContent,
    );
    expect(words).toEqual(["frame 3", "auto", "00000003", "25 of 100 origins", "8.1 MB", "3 min ago"]);
    expect(kernel.find(".nbf-row .nbf-bar").getAttribute("aria-valuenow")).toBe("25");
    vi.advanceTimersByTime(60_000);
    expect(kernel.find(".nbf-used").textContent).toBe("4 min ago");
  });

  test("an entry that lies in another says so, one without a name too", () => {
    kernel.list(entry(1, { view_of: "9c3f11aa".padEnd(32, "0"), memory_bytes: 0 }), entry(2, { name: null }));
    expect(kernel.find(".nbf-fact").textContent).toBe("in 9c3f11aa");
    expect(kernel.names).toEqual(["frame 1", "unnamed"]);
  });

  test("work in its order, with what waits counted", () => {
    kernel.send({
      kind: "work",
      tasks: [task(1), ...Array.from({ length: 9 }, (_, i) => task(i + 2, { state: "queued", priority: "idle" }))],
    });
    const texts = [...kernel.view.root.querySelectorAll(".nbf-task .nbf-text")].map((el) => el.textContent);
    expect(texts[0]).toBe("250 of 1,000 · 50 origins/s · 15 s left");
    expect(texts.slice(1)).toEqual(Array(4).fill("queued, idle"));
    expect(kernel.find(".nbf-more").textContent).toBe("and 5 more wait");
    kernel.button("Cancel frame 1 · auto").click();
    expect(kernel.request?.action).toMatchObject({ name: "cancel", task: 1 });
    kernel.send({ kind: "work", tasks: [] });
    expect(kernel.find(".nbf-work").hidden).toBe(true);
  });

  test("totals against their budgets, and the device", () => {
    kernel.send(TOTALS);
    kernel.send({ kind: "device", platform: "gpu", text: "H200", memory_bytes: 2e10, memory_limit: 8e10 });
    const gauges = [...kernel.view.root.querySelectorAll(".nbf-gauge")];
    expect(gauges.map((g) => g.querySelector(".nbf-bar")?.getAttribute("aria-valuenow"))).toEqual(["25", "10", "25"]);
    expect(gauges.map((g) => g.querySelector(".nbf-text")?.textContent)).toEqual([
      "500 MB of 2 GB",
      "1 GB of 10 GB",
      "20 GB of 80 GB",
    ]);
  });

  test("hostile names are text", () => {
    const evil = '<img src=x onerror="window.pwned=1">';
    kernel.list(entry(1, { name: evil, model: evil, reason: evil }));
    kernel.send({ kind: "work", tasks: [task(1, { name: evil })] });
    kernel.send({ kind: "fault", id: null, text: evil });
    kernel.press(kernel.rows[0], "Delete");
    expect(kernel.view.root.querySelector("img")).toBeNull();
    expect(kernel.names).toEqual([evil]);
    expect(kernel.find(".nbf-notice span").textContent).toBe(evil);
  });

  test("malformed messages are ignored with a warning", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const wrong = [
      null,
      5,
      { kind: "nonsense" },
      { ...TOTALS, hits: "many" },
      { kind: "entries", put: [{}], gone: [], all: true },
      { kind: "work", tasks: [{ ...task(1), state: "asleep" }] },
    ];
    for (const message of wrong) kernel.send(message);
    expect(warn).toHaveBeenCalledTimes(wrong.length);
    expect(kernel.view.state.complete).toBe(false);
  });
});

describe("changes of a thousand entries", () => {
  const thousand = Array.from({ length: 1000 }, (_, n) => entry(n));

  /** How many things of the page an act changes. */
  function moved(act: () => void): number {
    const observer = new MutationObserver(() => undefined);
    observer.observe(kernel.view.root, {
      childList: true,
      subtree: true,
      characterData: true,
      attributes: true,
      attributeOldValue: true,
    });
    act();
    const records = observer.takeRecords();
    observer.disconnect();
    return records.filter(
      (r) => r.type !== "attributes" || (r.target as Element).getAttribute(r.attributeName as string) !== r.oldValue,
    ).length;
  }

  test("touch what has changed and nothing else", { timeout: 30_000 }, () => {
    kernel.list(...thousand);
    expect(kernel.rows.length).toBe(1000);
    expect(moved(() => kernel.send({ kind: "entries", put: [], gone: [], all: false }))).toBe(0);
    const last = kernel.rows[999];
    const count = moved(() =>
      kernel.send({ kind: "entries", put: [entry(999, { used: NOW + 1, hits: 5 })], gone: ["key500"], all: false }),
    );
    expect(kernel.rows[0]).toBe(last);
    expect(kernel.names.length).toBe(999);
    expect(kernel.names.slice(0, 3)).toEqual(["frame 999", "frame 0", "frame 1"]);
    expect(count).toBeLessThan(20);
  });

  test("are filtered by words and sorted, and Escape takes the filter back", () => {
    kernel.list(...thousand.slice(0, 20), entry(2000, { name: "zebra", model: "theta", memory_bytes: 9e9 }));
    const filter = kernel.find<HTMLInputElement>(".nbf-filter");
    filter.value = "THETA zeb";
    filter.dispatchEvent(new Event("input"));
    expect(kernel.names).toEqual(["zebra"]);
    kernel.press(filter, "Escape");
    expect(kernel.rows.length).toBe(21);
    const sort = kernel.find<HTMLSelectElement>(".nbf-sort");
    sort.value = "memory";
    sort.dispatchEvent(new Event("change"));
    expect(kernel.names[0]).toBe("zebra");
  });

  test("keep rows where they are while someone points at them", () => {
    kernel.list(entry(1), entry(2), entry(3));
    kernel.find(".nbf-rows").dispatchEvent(new Event("pointerenter"));
    kernel.send({ kind: "entries", put: [entry(3, { used: NOW + 10 })], gone: [], all: false });
    expect(kernel.names).toEqual(["frame 1", "frame 2", "frame 3"]);
    kernel.find(".nbf-rows").dispatchEvent(new Event("pointerleave"));
    kernel.send({ kind: "entries", put: [], gone: [], all: false });
    expect(kernel.names).toEqual(["frame 3", "frame 1", "frame 2"]);
  });
});

describe("the keyboard", () => {
  beforeEach(() => kernel.list(entry(1), entry(2, { recomputable: false, reason: "no frame" }), entry(3)));

  const focused = (): string | null => document.activeElement?.querySelector(".nbf-name")?.textContent ?? null;

  test("reaches one row with Tab and the others with arrows", () => {
    expect(kernel.rows.map((row) => row.tabIndex)).toEqual([0, -1, -1]);
    kernel.rows[0].focus();
    kernel.press(kernel.rows[0], "ArrowDown");
    expect(focused()).toBe("frame 2");
    kernel.press(kernel.rows[1], "End");
    kernel.press(kernel.rows[2], "ArrowDown");
    expect(focused()).toBe("frame 3");
    expect(kernel.rows.map((row) => row.tabIndex)).toEqual([-1, -1, 0]);
    expect(kernel.rows[2].querySelectorAll("button[tabindex='0']").length).toBe(4);
    kernel.press(kernel.rows[2], "Home");
    expect(focused()).toBe("frame 1");
  });

  test("opens with Enter, asks before Delete, and Escape goes back to where one was", () => {
    kernel.rows[1].focus();
    kernel.press(kernel.rows[1], "Enter");
    expect(kernel.request?.action).toMatchObject({ name: "open", key: "key2", widget: true });
    kernel.press(kernel.rows[1], "Delete");
    const ask = kernel.find("[role=alertdialog]");
    expect(ask.textContent).toContain("Drop frame 2 · auto?");
    expect(ask.textContent).toContain("100 forecasts, 1 MB of memory and 500 kB on disk.");
    expect(document.activeElement?.textContent).toBe("Drop");
    kernel.press(document.activeElement as Element, "Escape");
    expect(ask.hidden).toBe(true);
    expect(focused()).toBe("frame 2");
    expect(kernel.request?.action.name).toBe("open");
    kernel.press(kernel.rows[1], "Delete");
    (document.activeElement as HTMLElement).click();
    expect(kernel.request?.action).toMatchObject({ name: "drop", key: "key2" });
  });

  test("goes on from the row after one that is gone", () => {
    kernel.rows[1].focus();
    kernel.send({ kind: "entries", put: [], gone: ["key2"], all: false });
    expect(focused()).toBe("frame 3");
  });

  test("moves through the menus, where what cannot be done says why", () => {
    kernel.rows[1].dispatchEvent(new MouseEvent("contextmenu", { bubbles: true, cancelable: true }));
    const items = [...kernel.view.root.querySelectorAll<HTMLElement>("[role=menuitem]")];
    expect(items.map((i) => i.textContent)).toEqual([
      "Open",
      "Open in a new cell",
      "Recompute",
      "Copy handle",
      "Drop…",
    ]);
    expect(document.activeElement).toBe(items[0]);
    kernel.press(items[0], "ArrowUp");
    expect(document.activeElement).toBe(items[4]);
    expect(items[2].title).toBe("no frame");
    items[2].click();
    expect(kernel.request).toBeUndefined();
    kernel.press(items[4], "Escape");
    expect(focused()).toBe("frame 2");
  });
});

describe("what goes is named before", () => {
  beforeEach(() => {
    kernel.send(TOTALS);
    kernel.list(
      entry(1),
      entry(2, { used: NOW - 40 * 86400, disk_bytes: 2e6 }),
      entry(3, { memory_bytes: 0, disk_bytes: 7e5 }),
    );
  });

  function ask(name: string): { words: () => string; choose: (at: number, value: string) => void } {
    kernel.button("More actions").click();
    kernel.button(name).click();
    const choose = (at: number, value: string): void => {
      const select = kernel.view.root.querySelectorAll<HTMLSelectElement>(".nbf-ask select")[at];
      select.value = value;
      select.dispatchEvent(new Event("change"));
    };
    return { words: () => kernel.find(".nbf-words").textContent ?? "", choose };
  }

  test("flush: memory, disk or both", () => {
    const { words, choose } = ask("Flush…");
    expect(words()).toMatch(/^2 entries, 2 MB\./);
    choose(0, "disk");
    expect(words()).toMatch(/^3 entries, 3.2 MB on disk\./);
    choose(0, "both");
    expect(words()).toBe("All of it, for good: 3 entries, 2 MB of memory and 3.2 MB on disk.");
    kernel.button("Flush").click();
    expect(kernel.request?.action).toMatchObject({ name: "flush", memory: true, disk: true });
  });

  test("prune: by age, by size", () => {
    const { words, choose } = ask("Prune…");
    expect(words()).toBe("What was used longest ago goes: 1 entry, 1 MB of memory and 2 MB on disk.");
    choose(0, "90d");
    expect(words()).toBe("Nothing would go.");
    choose(1, "100MB");
    expect(words()).toBe("Nothing would go.");
    kernel.button("Prune").click();
    expect(kernel.request?.action).toMatchObject({ name: "prune", max_age: "90d", max_size: "100MB" });
  });

  const write = (text: string): void => {
    const input = kernel.view.root.querySelector<HTMLInputElement>(".nbf-ask input");
    if (!input) throw new Error("no field");
    input.value = text;
    input.dispatchEvent(new Event("input"));
  };

  test("C11: dropping a range and one calculation", () => {
    kernel.press(kernel.rows[0], "Delete");
    const select = kernel.view.root.querySelector<HTMLSelectElement>(".nbf-ask select") as HTMLSelectElement;
    select.value = "scores";
    select.dispatchEvent(new Event("change"));
    write("-24:0");
    expect(kernel.find(".nbf-words").textContent).toBe(
      "Scores of the origins -24:0. They are calculated anew when asked for.",
    );
    kernel.button("Drop").click();
    expect(kernel.request?.action).toMatchObject({ name: "drop", index: "-24:0", only: "scores" });
  });

  test("C11: saving into a folder and loading from one", () => {
    ask("Save into a folder…");
    write("/tmp/copy");
    kernel.button("Save").click();
    expect(kernel.request?.action).toMatchObject({ name: "save", path: "/tmp/copy" });
    ask("Load from a folder…");
    write(" /tmp/copy ");
    kernel.button("Load").click();
    expect(kernel.request?.action).toMatchObject({ name: "load", path: "/tmp/copy" });
  });

  test("dropping one that others lie in", () => {
    kernel.send({
      kind: "entries",
      put: [entry(4, { view_of: entry(1).handle, memory_bytes: 0 })],
      gone: [],
      all: false,
    });
    kernel.press(kernel.rows[kernel.names.indexOf("frame 1")], "Delete");
    expect(kernel.find(".nbf-words").textContent).toContain("1 shorter entry");
  });
});

describe("answers", () => {
  beforeEach(() => kernel.list(entry(1), entry(2)));

  test("are queued after half a second without one, until the kernel takes it", () => {
    kernel.rows[0].focus();
    kernel.press(kernel.rows[0], "Enter");
    vi.advanceTimersByTime(400);
    expect(kernel.find(".nbf-used").textContent).toBe("1 min ago");
    vi.advanceTimersByTime(200);
    expect(kernel.find(".nbf-used").textContent).toBe("open: queued");
    expect(kernel.connection.busy).toBe(true);
    kernel.send({ kind: "queued", id: kernel.request?.id });
    expect(kernel.find(".nbf-used").textContent).toBe("opening …");
    expect(kernel.connection.busy).toBe(false);
    kernel.send({ kind: "opened", id: kernel.request?.id, model_id: "m", title: "frame 1", code: "c" });
    expect(kernel.find(".nbf-used").textContent).toBe("1 min ago");
    expect(kernel.opened.map(([m, cell]) => [m.model_id, cell])).toEqual([["m", false]]);
  });

  test("are shown for a while, faults until the next", () => {
    kernel.view.act({ name: "save" });
    kernel.send({ kind: "done", id: kernel.request?.id, text: "Saved 2 entries" });
    const notice = kernel.find(".nbf-notice");
    expect([notice.getAttribute("role"), notice.querySelector("span")?.textContent]).toEqual([
      "status",
      "Saved 2 entries",
    ]);
    vi.advanceTimersByTime(9000);
    expect(notice.querySelector("span")?.textContent).toBe("");
    kernel.send({ kind: "fault", id: null, text: "The disk is full" });
    vi.advanceTimersByTime(60_000);
    expect(notice.textContent).toContain("The disk is full");
  });

  test("of other pages are not ours", () => {
    kernel.view.act({ name: "save" });
    kernel.send({ kind: "done", id: "other-1", text: "Removed all" });
    kernel.send({ kind: "opened", id: "other-2", model_id: "m", title: "t", code: "c" });
    expect(kernel.find(".nbf-notice span").textContent).toBe("");
    expect(kernel.opened).toEqual([]);
  });

  test("nothing is left behind", () => {
    kernel.connection.connect();
    kernel.connection.disconnect();
    kernel.view.act({ name: "save" });
    kernel.connection.end();
    kernel.end.abort();
    expect(vi.getTimerCount()).toBe(0);
    expect(kernel.sent.map((m) => m.kind)).toEqual(["connect", "disconnect", "action_request"]);
  });
});
