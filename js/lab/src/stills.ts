/**
 * Still pictures in place of widgets that do not exist.
 *
 * A saved notebook has a widget's id and, beside it, a picture or a table. In a trusted notebook JupyterLab prefers the
 * id, and without the kernel of the widget it shows only an error. So outputs of ours show the still until the widget
 * comes. Nothing changes for the widgets of others.
 */

import type { NotebookPanel } from "@jupyterlab/notebook";
import type { IRenderMime } from "@jupyterlab/rendermime";
import { WIDGET_VIEW } from "./opening";

/** The still appears where there is no widget after this long, ms. */
const PATIENCE = 400;
const HTML = "text/html";

/** Whether an output is one of ours, with a still. */
function hasStill({ data, metadata }: IRenderMime.IMimeModel): boolean {
  return typeof metadata.nbforecast === "object" && HTML in data;
}

/**
 * The widget manager's renderer, which contains the still as long as it contains no widget but at most a sentence.
 */
function withStill(live: IRenderMime.IRenderer, html: () => IRenderMime.IRenderer): IRenderMime.IRenderer {
  const render = live.renderModel.bind(live);
  const watch = new MutationObserver(() => arrange());
  let timer: ReturnType<typeof setTimeout> | undefined;
  let still: IRenderMime.IRenderer | null = null;

  const arrange = (): void => {
    const widget = [...live.node.children].some((child) => child !== still?.node);
    if (widget) drop();
    else if (still && still.node.parentNode !== live.node) live.node.replaceChildren(still.node);
  };
  const drop = (): void => {
    clearTimeout(timer);
    still?.node.remove();
    still?.dispose();
    still = null;
  };
  const show = async (model: IRenderMime.IMimeModel): Promise<void> => {
    if (live.node.childElementCount) return;
    still = html();
    await still.renderModel(model);
    arrange();
  };
  live.disposed.connect(() => {
    watch.disconnect();
    drop();
  });
  live.renderModel = (model) => {
    if (hasStill(model)) {
      watch.observe(live.node, { childList: true });
      drop();
      timer = setTimeout(() => void show(model), PATIENCE);
    }
    return render(model);
  };
  return live;
}

/** Has a notebook show stills of the widgets of ours that it has not got. */
export function showStills({ content: { rendermime } }: NotebookPanel): void {
  const factory = rendermime.getFactory(WIDGET_VIEW);
  if (!factory) return;
  const createRenderer = (options: IRenderMime.IRendererOptions): IRenderMime.IRenderer =>
    withStill(factory.createRenderer(options), () => rendermime.createRenderer(HTML));
  rendermime.addFactory({ ...factory, createRenderer }, rendermime.getRank(WIDGET_VIEW));
}
