/** The anywidget: the view of the cache in a cell, and below it the explorers that are opened from it. */

import { h } from "../../common/src/dom";
import { iconButton } from "./buttons";
import { Connection } from "./connection";
import type { OpenedMessage } from "./messages";
import sheet from "./style.css";
import { View } from "./view";

interface WidgetModel {
  on(event: "msg:custom", callback: (content: unknown) => void): void;
  off(event: "msg:custom", callback: (content: unknown) => void): void;
  send(content: unknown): void;
}

interface RenderProps {
  model: WidgetModel;
  el: HTMLElement;
  /** Aborted when the view is removed. */
  signal?: AbortSignal;
  host?: {
    getWidget(ref: string): Promise<{ render(target: { el: HTMLElement; signal?: AbortSignal }): Promise<void> }>;
  };
}

function render({ model, el, signal, host }: RenderProps): () => void {
  const end = new AbortController();
  const close = (): void => end.abort();
  signal?.addEventListener("abort", close, { once: true });
  // In the element itself, so that it applies inside shadow roots as well.
  const style = h("style", {}, sheet);
  const below = h("div", { class: "nbf-below" });
  const view = new View({ open: (message) => void open(message), hasCells: false }, end.signal);
  view.root.classList.add("nbf-in-cell");
  view.root.append(below);
  el.append(style, view.root);
  const connection = new Connection((message) => model.send(message), view);
  view.use(connection);
  const receive = (content: unknown): void => connection.receive(content);
  model.on("msg:custom", receive);
  connection.connect();

  let current: AbortController | null = null;

  /** Shows an explorer below the view, in place of the one before. */
  async function open({ model_id, title, code }: OpenedMessage): Promise<void> {
    if (model_id === null) return;
    current?.abort();
    const own = new AbortController();
    current = own;
    end.signal.addEventListener("abort", () => own.abort(), { signal: own.signal });
    const place = h("div");
    const closer = iconButton("cancel", `Close ${title}`, () => own.abort());
    below.replaceChildren(
      h("div", { class: "nbf-opened" }, h("code", {}, code.slice(code.lastIndexOf("\n") + 1)), closer),
      place,
    );
    own.signal.addEventListener("abort", () => {
      below.replaceChildren();
      connection.closeExplorer(model_id);
    });
    try {
      const widget = await host?.getWidget(`anywidget:${model_id}`);
      if (!widget) throw new Error("this front end cannot");
      await widget.render({ el: place, signal: own.signal });
    } catch (error) {
      console.warn("nbforecast:", error);
      place.textContent = "It cannot be current here. Run the line above in a cell.";
    }
  }

  end.signal.addEventListener("abort", () => {
    connection.disconnect();
    connection.end();
    model.off("msg:custom", receive);
    view.root.remove();
    style.remove();
  });
  return close;
}

export default { render };
