/** Opens an explorer beside its notebook, or puts its line of code into a cell. */

import type { JupyterFrontEnd } from "@jupyterlab/application";
import { MainAreaWidget } from "@jupyterlab/apputils";
import { NotebookActions, type NotebookPanel } from "@jupyterlab/notebook";
import type { OpenedMessage } from "../../cache/src/messages";
import { icon } from "./icon";

/** The mime type of a widget in an output. */
export const WIDGET_VIEW = "application/vnd.jupyter.widget-view+json";

/** Opens a tab to the right of the notebook, which closes with it; `closed` is called when it does. */
export async function openBeside(
  app: JupyterFrontEnd,
  notebook: NotebookPanel,
  opened: OpenedMessage,
  closed: () => void,
): Promise<void> {
  const { rendermime } = notebook.content;
  const data = { [WIDGET_VIEW]: { model_id: opened.model_id, version_major: 2, version_minor: 0 } };
  const content = rendermime.createRenderer(WIDGET_VIEW);
  content.node.style.overflow = "auto";
  const tab = new MainAreaWidget({ content });
  tab.title.label = opened.title;
  tab.title.icon = icon;
  tab.title.caption = opened.code;
  const end = (): void => tab.dispose();
  notebook.disposed.connect(end);
  tab.disposed.connect(() => {
    notebook.disposed.disconnect(end);
    closed();
  });
  app.shell.add(tab, "main", { mode: "split-right", ref: notebook.id, activate: false });
  await content.renderModel(rendermime.createModel({ data, trusted: true }));
}

/** Runs code in a new cell below the active one. */
export async function openInCell(notebook: NotebookPanel, code: string): Promise<void> {
  const { content, sessionContext } = notebook;
  NotebookActions.insertBelow(content);
  content.activeCell?.model.sharedModel.setSource(code);
  await NotebookActions.run(content, sessionContext);
}
