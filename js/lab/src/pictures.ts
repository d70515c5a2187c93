/**
 * The picture in place of a widget that is not there.
 *
 * A saved notebook has a widget's id and, beside it, a picture. JupyterLab prefers the id where it trusts the
 * notebook, and without the kernel that made the widget there is only an error to be seen. So for outputs of ours the
 * picture is shown until the widget comes. Nothing changes for the widgets of others.
 */

import type { NotebookPanel } from "@jupyterlab/notebook";
import type { IRenderMime } from "@jupyterlab/rendermime";
import { Panel } from "@lumino/widgets";
import { WIDGET_VIEW } from "./opening";

/** A widget that lives is on the page sooner, ms. */
const PATIENCE = 400;
const HTML = "text/html";

/** Whether an output is one of ours, with a still. */
function hasStill({ data, metadata }: IRenderMime.IMimeModel): boolean {
  return typeof metadata.nbforecast === "object" && HTML in data;
}

/** The renderer of widgets, and the picture as long as that has none to show. */
class Pictured extends Panel implements IRenderMime.IRenderer {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private picture: IRenderMime.IRenderer | null = null;

  constructor(private readonly live: IRenderMime.IRenderer, private readonly still: () => IRenderMime.IRenderer) {
    super();
    this.addWidget(live);
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    if (!hasStill(model)) return this.live.renderModel(model);
    const watch = new MutationObserver(() => this.arrange());
    watch.observe(this.live.node, { childList: true });
    this.disposed.connect(() => watch.disconnect());
    this.timer = setTimeout(() => void this.showPicture(model), PATIENCE);
    await this.live.renderModel(model);
    this.arrange();
  }

  override dispose(): void {
    clearTimeout(this.timer);
    super.dispose();
  }

  private get here(): boolean {
    return this.live.node.childElementCount > 0;
  }

  private async showPicture(model: IRenderMime.IMimeModel): Promise<void> {
    if (this.here || this.isDisposed) return;
    this.picture = this.still();
    this.addWidget(this.picture);
    await this.picture.renderModel(model);
    this.arrange();
  }

  private arrange(): void {
    if (this.here) {
      clearTimeout(this.timer);
      this.picture?.dispose();
      this.picture = null;
    }
    this.live.setHidden(this.picture !== null);
  }
}

/** Has a notebook show pictures for the widgets of ours that it has not got. */
export function showPictures({ content: { rendermime } }: NotebookPanel): void {
  const factory = rendermime.getFactory(WIDGET_VIEW);
  if (!factory) return;
  const rank = rendermime.getRank(WIDGET_VIEW);
  const createRenderer = (options: IRenderMime.IRendererOptions): IRenderMime.IRenderer =>
    new Pictured(factory.createRenderer(options), () => rendermime.createRenderer(HTML));
  rendermime.addFactory({ ...factory, createRenderer }, rank);
}
