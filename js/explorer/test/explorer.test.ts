import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import widget from "../src/index";
import { FakeModel, RAW, rows, status } from "./helpers";

const observers = new Set<unknown>();

beforeEach(() => {
  vi.useFakeTimers({
    toFake: [
      "setTimeout",
      "clearTimeout",
      "setInterval",
      "clearInterval",
      "requestAnimationFrame",
      "cancelAnimationFrame",
      "performance",
    ],
  });
  window.ResizeObserver = class {
    observe(): void {
      observers.add(this);
    }
    unobserve(): void {
      observers.delete(this);
    }
    disconnect(): void {
      observers.delete(this);
    }
  };
  // Without a canvas nothing is painted, everything else works.
  HTMLCanvasElement.prototype.getContext = (() => null) as typeof HTMLCanvasElement.prototype.getContext;
  Object.defineProperty(HTMLElement.prototype, "clientWidth", { configurable: true, value: 0 });
});

afterEach(() => {
  vi.useRealTimers();
  document.body.replaceChildren();
  observers.clear();
});

function open(model = new FakeModel()): { model: FakeModel; el: HTMLElement; close: () => void } {
  const el = document.createElement("div");
  document.body.append(el);
  return { model, el, close: widget.render({ model, el }) };
}

const badge = (el: HTMLElement): HTMLElement => el.querySelector(".nbf-badge") as HTMLElement;

describe("connect", () => {
  test("is sent at once and every two seconds until answered; a quiet badge after one", () => {
    const { model, el } = open();
    expect(model.sent).toEqual([{ kind: "connect", v: 4 }]);
    vi.advanceTimersByTime(900);
    expect(badge(el).hidden).toBe(true);
    vi.advanceTimersByTime(200);
    expect(badge(el).hidden).toBe(false);
    vi.advanceTimersByTime(3000);
    expect(model.kinds("connect").length).toBe(3);
    model.receive(RAW);
    expect(badge(el).hidden).toBe(true);
    vi.advanceTimersByTime(9000);
    expect(model.kinds("connect").length).toBe(3);
  });
});

test("hostile names are text", () => {
  const { model, el } = open();
  const evil = '<img src=x onerror="window.pwned=1">';
  model.receive({
    ...RAW,
    title: evil,
    notes: [evil],
    series: [
      { id: evil, rows: 5 },
      { id: "b", rows: 5 },
    ],
    models: [{ name: evil, draws: 1, levels: [0.5], code: "run" }],
  });
  model.receive({ kind: "fault", text: evil });
  vi.advanceTimersByTime(50);
  expect(el.querySelector("img")).toBeNull();
  expect(el.querySelector(".nbf-title")?.textContent).toBe(evil);
  expect(el.querySelector(".nbf-picked")?.textContent).toBe(evil);
  expect(el.querySelector(".nbf-fault")?.textContent).toBe(evil);
});

test("malformed messages are ignored with a warning", () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const { model } = open();
  model.receive(RAW);
  for (const content of [null, 5, { kind: "rows" }, { kind: "status", series: 0, model: 0, first: 0, count: 1e9 }])
    model.receive(content);
  expect(warn).toHaveBeenCalledTimes(4);
});

test("controls move the origin, and Python sees it at most every 100 ms", () => {
  const { model, el } = open();
  model.receive(RAW);
  model.receiveParsed(status(0, [3, 3, 3, 3], [1, 9, 2, 3]));
  const surface = el.querySelector(".nbf-focus") as HTMLElement;
  const press = (key: string, shiftKey = false): boolean =>
    surface.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, bubbles: true }));
  press("ArrowLeft");
  press("ArrowLeft");
  press("ArrowLeft");
  expect(model.traits.index).toBe(-8);
  press("ArrowRight", true);
  expect(model.traits.index).toBe(0);
  press("Home");
  expect(model.traits.index).toBe(-1999);
  const buttons = [...el.querySelectorAll<HTMLButtonElement>(".nbf-jumps button")];
  buttons[0].click();
  expect(model.traits.index).toBe(-1998);
  buttons[1].click();
  buttons[4].click();
  expect(model.traits.index).toBe(0);
  const slider = el.querySelector<HTMLInputElement>(".nbf-slider") as HTMLInputElement;
  vi.advanceTimersByTime(500);
  const before = model.saves;
  for (let i = 1; i <= 50; i++) {
    slider.value = String(-i);
    slider.dispatchEvent(new Event("input"));
    vi.advanceTimersByTime(10);
  }
  expect(model.saves - before).toBeLessThanOrEqual(6);
  vi.advanceTimersByTime(200);
  expect(model.traits.index).toBe(-50);
});

test("Python moves the view, but not against a hand", () => {
  const { model, el } = open();
  model.receive(RAW);
  const surface = el.querySelector(".nbf-focus") as HTMLElement;
  model.set("index", -100);
  surface.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
  expect(model.traits.index).toBe(-101);
  // The echo of what this view has set comes late: it moves nothing.
  model.emit("change:index");
  surface.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
  expect(model.traits.index).toBe(-102);
});

test("two views of one model live and die apart", () => {
  const first = open();
  const second = open(first.model);
  first.model.receive(RAW);
  expect(second.el.querySelector(".nbf-title")?.textContent).toBe("Load");
  first.close();
  expect(first.el.childElementCount).toBe(0);
  first.model.receive({ ...RAW, title: "Other" });
  expect(second.el.querySelector(".nbf-title")?.textContent).toBe("Other");
  second.close();
});

test("nothing is left behind", () => {
  const { model, el, close } = open();
  model.receive(RAW);
  model.receiveParsed(rows(0, 4));
  vi.advanceTimersByTime(100);
  close();
  expect([model.listeners, el.childElementCount, vi.getTimerCount(), observers.size]).toEqual([0, 0, 0, 0]);
});

test("without a kernel there is nothing to cancel", () => {
  const { model, el } = open();
  const running = {
    kind: "progress",
    model: 0,
    available: 9,
    inferred: 3,
    calculated: 2,
    reused: 0,
    rate: 2,
    eta_seconds: 4,
    done: false,
    cancelled: false,
    error: null,
    note: "",
  };
  model.receive({ ...RAW, live: false });
  model.receive(running);
  vi.advanceTimersByTime(50);
  const cancel = el.querySelector(".nbf-cancel") as HTMLButtonElement;
  expect(cancel.hidden).toBe(true);
  model.receive(RAW);
  vi.advanceTimersByTime(50);
  expect(cancel.hidden).toBe(false);
  cancel.click();
  expect(model.kinds("cancel_run")).toEqual([{ kind: "cancel_run", model: 0 }]);
});

describe("W6: a series that has not come", () => {
  beforeEach(() => Object.defineProperty(HTMLElement.prototype, "clientWidth", { configurable: true, value: 800 }));

  test("is blank, and says that it is loaded, or that the kernel is gone", () => {
    const { model, el } = open();
    model.receive(RAW);
    vi.advanceTimersByTime(50);
    const root = el.querySelector(".nbf-explorer") as HTMLElement;
    const chip = el.querySelector(".nbf-chip") as HTMLElement;
    expect(root.classList.contains("nbf-blank")).toBe(true);
    expect([chip.hidden, chip.textContent]).toEqual([false, "Loading the series"]);
    expect(root.dataset.drawn).toBe("nothing");
    model.emit("comm_live_update");
    vi.advanceTimersByTime(50);
    expect(chip.textContent).toBe("This series was not loaded before the kernel went");
    expect([badge(el).hidden, badge(el).textContent]).toEqual([
      false,
      "kernel gone: what is loaded still works; run the cell again for the rest",
    ]);
    model.receive(RAW);
    expect(badge(el).hidden).toBe(true);
  });

  test("is asked for again, and the kernel said to be busy where it does not come", () => {
    const { model, el } = open();
    model.receive(RAW);
    vi.advanceTimersByTime(2000);
    expect(badge(el).hidden).toBe(true);
    model.set("series", 1);
    expect(model.kinds("open_series")).toEqual([{ kind: "open_series", series: 1, model: 0 }]);
    vi.advanceTimersByTime(1100);
    expect([badge(el).hidden, badge(el).textContent]).toEqual([false, "kernel busy: it will catch up"]);
    model.receive(
      { kind: "history", series: 1 },
      Float64Array.from({ length: 13 }, (_, i) => i),
      new Float64Array(10),
      new Float64Array(0),
    );
    expect(badge(el).hidden).toBe(true);
  });
});

describe("W7: the keyboard", () => {
  const press = (target: Element, key: string): boolean =>
    target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));

  test("no key of any part reaches the notebook, whose shortcuts are told to stay away", () => {
    const { model, el } = open();
    model.receive({ ...RAW, notes: ["a note"] });
    const keys: string[] = [];
    document.body.addEventListener("keydown", (e) => keys.push(e.key));
    const parts = [...el.querySelectorAll<HTMLElement>("button, input, select, summary, [tabindex]")];
    expect(parts.length).toBeGreaterThan(12);
    for (const part of parts) {
      expect(part.dataset.lmSuppressShortcuts, part.outerHTML).toBe("true");
      for (const key of ["r", "d", "m", "Enter", "ArrowLeft", "Escape"]) press(part, key);
    }
    expect(keys).toEqual([]);
  });

  test("every press and click gives the keys to the chart; buttons pressed by a key keep them", () => {
    const { model, el } = open();
    model.receive(RAW);
    model.receiveParsed(status(0, [3, 3, 3, 3], [1, 9, 2, 3]));
    const surface = el.querySelector<HTMLElement>(".nbf-focus");
    const [worst] = el.querySelectorAll<HTMLElement>(".nbf-jumps button");
    const point = (target: Element): void => {
      target.dispatchEvent(new Event("pointerdown", { bubbles: true }));
      target.dispatchEvent(new MouseEvent("click", { bubbles: true }));
    };
    worst.focus();
    press(worst, "Enter");
    worst.click();
    expect(document.activeElement).toBe(worst);
    press(worst, "ArrowLeft");
    expect(model.traits.index).toBe(-1999);
    point(worst);
    expect(document.activeElement).toBe(surface);
    worst.focus();
    (el.querySelector(".nbf-explorer") as HTMLElement).focus();
    expect(document.activeElement).toBe(surface);
    const box = el.querySelector(".nbf-index") as HTMLInputElement;
    box.focus();
    point(box);
    expect(document.activeElement).toBe(box);
    box.value = "-7";
    press(box, "r");
    press(box, "Enter");
    expect([model.traits.index, document.activeElement]).toEqual([-7, surface]);
  });

  test("escape gives the keys back", () => {
    const { el } = open();
    el.tabIndex = 0;
    const surface = el.querySelector(".nbf-focus") as HTMLElement;
    surface.focus();
    press(surface, "Escape");
    expect(document.activeElement).toBe(el);
  });
});
