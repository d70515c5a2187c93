/** Where the keyboard goes: every gesture with a pointer gives it to the chart, so that none of its keys reaches the notebook. */

/** Elements that take keys themselves: they keep the focus that a click gives them. */
const OWN_KEYS = "input, select, summary, .nbf-picker";

/** Moves the focus to the chart after presses and clicks anywhere else, and out of it with escape. */
export function followFocus(root: HTMLElement, surface: HTMLElement, signal: AbortSignal): void {
  let isPressed = false;
  const focus = (): void => surface.focus({ preventScroll: true });
  const listen = (name: string, act: (e: Event) => void): void => root.addEventListener(name, act, { signal });
  // A press on what cannot be focused focuses the root.
  listen("focusin", (e) => e.target === root && focus());
  listen("pointerdown", () => {
    isPressed = true;
  });
  listen("keydown", () => {
    isPressed = false;
  });
  listen("wheel", (e) => (e as WheelEvent).ctrlKey && focus());
  // Buttons work by the keyboard, too: pressed by a key, they keep the focus.
  listen("click", (e) => {
    const target = e.target as Element;
    if (isPressed && (!target.closest(OWN_KEYS) || target.closest("li"))) focus();
  });
  listen("change", () => isPressed && focus());
  listen("keydown", (e) => {
    const { key, target } = e as KeyboardEvent;
    if (key === "Enter" && (target as Element).matches(".nbf-index")) focus();
    if (key !== "Escape") return;
    // What is open closes first.
    const closing = root.querySelector<HTMLElement>(
      ".nbf-ask[aria-expanded=true], .nbf-stretch:not([hidden]) :last-child",
    );
    if (closing) {
      closing.click();
      return;
    }
    const outside = root.parentElement?.closest<HTMLElement>("[tabindex]");
    if (outside) outside.focus({ preventScroll: true });
    else (target as HTMLElement).blur();
  });
}
