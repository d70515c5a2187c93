import type { JupyterFrontEnd, JupyterFrontEndPlugin } from "@jupyterlab/application";
import { INotebookTracker } from "@jupyterlab/notebook";
import { Widget } from "@lumino/widgets";
const plugin: JupyterFrontEndPlugin<void> = {
  id: "@nbforecast/lab:plugin", autoStart: true, requires: [INotebookTracker],
  activate: (app: JupyterFrontEnd, tracker: INotebookTracker) => { const w = new Widget(); w.id = "x"; app.shell.add(w, "left"); console.log(tracker); },
};
export default plugin;
