/** The palette's entries: whatever the panel can do, as long as it makes sense. */

import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { ICommandPalette } from "@jupyterlab/apputils";
import type { Entry } from "../../cache/src/protocol";
import type { View } from "../../cache/src/view";
import type { Attachment } from "./attachment";

const CATEGORY = "nbforecast";

interface Command {
  label: string;
  /** Needs an entry that is picked in the panel. */
  entry?: (view: View, entry: Entry) => void;
  view?: (view: View) => void;
  /** Where a view is needed: whether there is something to do. */
  enabled?: (view: View) => boolean;
}

const saved = ({ state }: View): boolean => state.totals?.directory !== null;
const some = ({ state }: View): boolean => state.entries.size > 0;
const running = ({ state }: View): boolean => state.tasks.some((task) => task.cancellable);

const COMMANDS: Record<string, Command> = {
  explore: { label: "Open the selected entry", entry: (view, entry) => view.open(entry, false) },
  "explore-in-cell": { label: "Open the selected entry in a new cell", entry: (view, entry) => view.open(entry, true) },
  recompute: { label: "Recompute the selected entry", entry: (view, entry) => view.recompute(entry) },
  drop: { label: "Drop the selected entry…", entry: (view, entry) => view.drop(entry) },
  save: { label: "Save the cache", view: (view) => view.act({ action: "save" }), enabled: saved },
  "load-saved": { label: "Load what is saved", view: (view) => view.act({ action: "load" }), enabled: saved },
  prune: { label: "Prune the cache…", view: (view) => view.prune(), enabled: some },
  flush: { label: "Flush the cache…", view: (view) => view.flush(), enabled: some },
  cancel: {
    label: "Cancel all work",
    view: (view) => view.state.tasks.forEach((task) => task.cancellable && view.act({ action: "cancel", task: task.id })),
    enabled: running,
  },
};

const LOADABLE: readonly string[] = ["absent", "missing", "failed"];

/** Adds them; returns what is to be called when something they depend on has changed. */
export function addCommands(
  { commands }: JupyterFrontEnd,
  palette: ICommandPalette | null,
  current: () => Attachment | null,
  reveal: () => void,
): () => void {
  const view = (): View | null => {
    const attachment = current();
    return attachment?.standing === "live" && attachment.view.state.complete ? attachment.view : null;
  };
  const known = new Map<string, { isEnabled: () => boolean; was: boolean }>();
  const add = (name: string, label: string, execute: () => void, isEnabled: () => boolean): void => {
    const command = `${CATEGORY}:${name}`;
    commands.addCommand(command, { label, execute, isEnabled });
    palette?.addItem({ command, category: CATEGORY });
    known.set(command, { isEnabled, was: isEnabled() });
  };
  add("show-panel", "Show what the kernel keeps", reveal, () => true);
  add("load", "Load nbforecast into the kernel", () => void current()?.load(), () => LOADABLE.includes(current()?.standing ?? ""));
  for (const [name, command] of Object.entries(COMMANDS)) {
    const execute = (): void => {
      const there = view();
      reveal();
      if (there?.selected) command.entry?.(there, there.selected);
      if (there) command.view?.(there);
    };
    const isEnabled = (): boolean => {
      const there = view();
      return there !== null && (command.entry === undefined || there.selected !== null) && (command.enabled?.(there) ?? true);
    };
    add(name, command.label, execute, isEnabled);
  }
  return () => {
    for (const [id, command] of known) {
      const is = command.isEnabled();
      if (is === command.was) continue;
      command.was = is;
      commands.notifyCommandChanged(id);
    }
  };
}
