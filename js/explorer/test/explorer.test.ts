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
    expect(model.sent).toEqual([{ kind: "connect", v: 2 }]);
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
    models: [{ name: evil, draws: 1, levels: [0.5] }],
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
  buttons[3].click();
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
