/** The extension of JupyterLab: a panel in the left side bar that follows the notebook in front. */

import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette } from "@jupyterlab/apputils";
import { INotebookTracker, type NotebookPanel } from "@jupyterlab/notebook";
import { Attachment } from "./attachment";
import { addCommands } from "./commands";
import { openBeside, openInCell } from "./opening";
import { CachePanel } from "./panel";
import { showStills } from "./stills";

function activate(app: JupyterFrontEnd, tracker: INotebookTracker, restorer: ILayoutRestorer | null, palette: ICommandPalette | null): void {
  const panel = new CachePanel();
  const attachments = new Map<NotebookPanel, Attachment>();
  const current = (): Attachment | null => (tracker.currentWidget && attachments.get(tracker.currentWidget)) ?? null;

  const follow = (): void => panel.follow(current(), tracker.currentWidget?.title.label ?? "");
  const reveal = (): void => app.shell.activateById(panel.id);
  const notify = addCommands(app, palette, current, reveal);
  const changed = (): void => {
    panel.renew();
    notify();
  };

  /** Every notebook has one from the start: a kernel whose greeting nobody takes would withdraw it. */
  const attach = (notebook: NotebookPanel): void => {
    const attachment: Attachment = new Attachment(
      notebook.sessionContext,
      {
        cells: true,
        opened: (message, cell) => {
          const { model_id: model, code } = message;
          if (cell) void openInCell(notebook, code);
          else if (model !== null) void openBeside(app, notebook, message, () => attachment.closed(model));
        },
      },
      changed,
    );
    attachments.set(notebook, attachment);
    notebook.title.changed.connect(follow);
    notebook.disposed.connect(() => {
      attachments.delete(notebook);
      attachment.dispose();
      follow();
    });
    // The widget manager's own renderer has to be there first.
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
  description: "What a kernel keeps of nbforecast's results, and what can be done with it.",
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ILayoutRestorer, ICommandPalette],
  activate,
};

export default plugin;
