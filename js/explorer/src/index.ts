/** The anywidget: `render` puts one explorer into a cell's output, and takes it away again. */

import { Explorer } from "./explorer";
import sheet from "./style.css";
import type { WidgetModel } from "./wire/connection";

interface RenderProps {
  model: WidgetModel;
  el: HTMLElement;
  /** Aborted when the view is removed. */
  signal?: AbortSignal;
}

function render({ model, el, signal }: RenderProps): () => void {
  const end = new AbortController();
  const close = (): void => end.abort();
  signal?.addEventListener("abort", close, { once: true });
  // In the element itself, so that it applies inside shadow roots as well.
  const style = document.createElement("style");
  style.textContent = sheet;
  el.append(style);
  const explorer = new Explorer(model, end.signal);
  el.append(explorer.root);
  explorer.start();
  end.signal.addEventListener("abort", () => {
    explorer.root.remove();
    style.remove();
  });
  return close;
}

export default { render };
