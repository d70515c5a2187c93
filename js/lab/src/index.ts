/** The extension of JupyterLab: a panel in the left side bar that follows the notebook in front. */

import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette } from "@jupyterlab/apputils";
import { INotebookTracker, type NotebookPanel } from "@jupyterlab/notebook";
import { addCommands } from "./commands";
import { KernelSession } from "./kernel-session";
import { openBeside, openInCell } from "./opening";
import { CachePanel } from "./panel";
import { showStills } from "./stills";

function activate(
  app: JupyterFrontEnd,
  tracker: INotebookTracker,
  restorer: ILayoutRestorer | null,
  palette: ICommandPalette | null,
): void {
  const panel = new CachePanel();
  const sessions = new Map<NotebookPanel, KernelSession>();
  const current = (): KernelSession | null => (tracker.currentWidget && sessions.get(tracker.currentWidget)) ?? null;

  const follow = (): void => panel.follow(current(), tracker.currentWidget?.title.label ?? "");
  const reveal = (): void => app.shell.activateById(panel.id);
  const notify = addCommands(app, palette, current, reveal);
  const changed = (): void => {
    panel.refresh();
    notify();
  };

  /** Every notebook has a session from the start: a kernel closes a comm that nobody takes. */
  const attach = (notebook: NotebookPanel): void => {
    const session: KernelSession = new KernelSession(
      notebook.sessionContext,
      {
        hasCells: true,
        open: (message, inCell) => {
          const { model_id: model, code } = message;
          if (inCell) void openInCell(notebook, code);
          else if (model !== null) void openBeside(app, notebook, message, () => session.closeExplorer(model));
        },
      },
      changed,
    );
    sessions.set(notebook, session);
    notebook.title.changed.connect(follow);
    notebook.disposed.connect(() => {
      sessions.delete(notebook);
      session.dispose();
      follow();
    });
    // After the widget manager has set its own renderer.
    void app.started.then(() => showStills(notebook));
    follow();
  };

  tracker.forEach(attach);
  tracker.widgetAdded.connect((_, notebook) => attach(notebook));
  tracker.currentChanged.connect(() => {
    follow();
    notify();
  });
  app.shell.add(panel, "left", { rank: 900, type: "nbforecast" });
  restorer?.add(panel, panel.id);
}

const plugin: JupyterFrontEndPlugin<void> = {
  id: "@nbforecast/lab:panel",
  description: "The cache of nbforecast's results in a kernel, and the actions on it.",
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ILayoutRestorer, ICommandPalette],
  activate,
};

export default plugin;
