/** The anywidget: the view of the cache in a cell, and below it the explorers that are opened from it. */

import { h } from "../../common/src/dom";
import { iconButton } from "./button";
import { Link } from "./link";
import type { Opened } from "./protocol";
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
  /** Aborted when the view goes away. */
  signal?: AbortSignal;
  host?: {
    getWidget(ref: string): Promise<{ render(target: { el: HTMLElement; signal?: AbortSignal }): Promise<void> }>;
  };
}

function render({ model, el, signal, host }: RenderProps): () => void {
  const end = new AbortController();
  const close = (): void => end.abort();
  signal?.addEventListener("abort", close, { once: true });
  // In the element itself, so that it holds inside shadow roots as well.
  const style = h("style", {}, sheet);
  const below = h("div", { class: "nbf-below" });
  const view = new View({ opened: (message) => void open(message), cells: false }, end.signal);
  view.root.classList.add("nbf-in-cell");
  view.root.append(below);
  el.append(style, view.root);
  const link = new Link((message) => model.send(message), view);
  view.use(link);
  const receive = (content: unknown): void => link.receive(content);
  model.on("msg:custom", receive);
  link.hello();

  let shown: AbortController | null = null;

  /** One at a time: the one before is closed. */
  async function open({ model_id, title, code }: Opened): Promise<void> {
    if (model_id === null) return;
    shown?.abort();
    const mine = new AbortController();
    shown = mine;
    end.signal.addEventListener("abort", () => mine.abort(), { signal: mine.signal });
    const place = h("div");
    const closer = iconButton("cancel", `Close ${title}`, () => mine.abort());
    below.replaceChildren(h("div", { class: "nbf-opened" }, h("code", {}, code.slice(code.lastIndexOf("\n") + 1)), closer), place);
    mine.signal.addEventListener("abort", () => {
      below.replaceChildren();
      link.closed(model_id);
    });
    try {
      const widget = await host?.getWidget(`anywidget:${model_id}`);
      if (!widget) throw new Error("this front end cannot");
      await widget.render({ el: place, signal: mine.signal });
    } catch (error) {
      console.warn("nbforecast:", error);
      place.textContent = "It cannot be shown here. Run the line above in a cell.";
    }
  }

  end.signal.addEventListener("abort", () => {
    link.bye();
    link.end();
    model.off("msg:custom", receive);
    view.root.remove();
    style.remove();
  });
  return close;
}

export default { render };
