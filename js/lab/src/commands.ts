/** The commands of the palette: everything that the panel can do. */

import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { ICommandPalette } from "@jupyterlab/apputils";
import type { CacheEntry } from "../../cache/src/messages";
import type { View } from "../../cache/src/view";
import type { KernelSession } from "./kernel-session";

const CATEGORY = "nbforecast";

interface Command {
  label: string;
  /** Acts on the entry that is selected in the panel. */
  entry?: (view: View, entry: CacheEntry) => void;
  view?: (view: View) => void;
  /** Whether the view has something to act on. */
  enabled?: (view: View) => boolean;
}

const hasDirectory = ({ state }: View): boolean => state.totals?.directory !== null;
const hasEntries = ({ state }: View): boolean => state.entries.size > 0;
const hasTasks = ({ state }: View): boolean => state.tasks.some((task) => task.cancellable);

const COMMANDS: Record<string, Command> = {
  explore: { label: "Open the selected entry", entry: (view, entry) => view.open(entry, false) },
  "explore-in-cell": { label: "Open the selected entry in a new cell", entry: (view, entry) => view.open(entry, true) },
  recompute: { label: "Recompute the selected entry", entry: (view, entry) => view.recompute(entry) },
  drop: { label: "Drop the selected entry…", entry: (view, entry) => view.drop(entry) },
  save: { label: "Save the cache", view: (view) => view.act({ name: "save" }), enabled: hasDirectory },
  "load-saved": { label: "Load what is saved", view: (view) => view.act({ name: "load" }), enabled: hasDirectory },
  prune: { label: "Prune the cache…", view: (view) => view.prune(), enabled: hasEntries },
  flush: { label: "Flush the cache…", view: (view) => view.flush(), enabled: hasEntries },
  cancel: {
    label: "Cancel all work",
    view: (view) => view.state.tasks.forEach((task) => task.cancellable && view.act({ name: "cancel", task: task.id })),
    enabled: hasTasks,
  },
};

const LOADABLE: readonly string[] = ["absent", "missing", "failed"];

/** Adds the commands; returns a function to call when something that they depend on has changed. */
export function addCommands(
  { commands }: JupyterFrontEnd,
  palette: ICommandPalette | null,
  current: () => KernelSession | null,
  reveal: () => void,
): () => void {
  const view = (): View | null => {
    const session = current();
    return session?.status === "live" && session.view.state.complete ? session.view : null;
  };
  const commandStates = new Map<string, { isEnabled: () => boolean; enabled: boolean }>();
  const add = (name: string, label: string, execute: () => void, isEnabled: () => boolean): void => {
    const command = `${CATEGORY}:${name}`;
    commands.addCommand(command, { label, execute, isEnabled });
    palette?.addItem({ command, category: CATEGORY });
    commandStates.set(command, { isEnabled, enabled: isEnabled() });
  };
  add("show-panel", "Show what the kernel keeps", reveal, () => true);
  add(
    "load",
    "Load nbforecast into the kernel",
    () => void current()?.load(),
    () => LOADABLE.includes(current()?.status ?? ""),
  );
  for (const [name, command] of Object.entries(COMMANDS)) {
    const execute = (): void => {
      const target = view();
      reveal();
      if (target?.selected) command.entry?.(target, target.selected);
      if (target) command.view?.(target);
    };
    const isEnabled = (): boolean => {
      const target = view();
      return (
        target !== null &&
        (command.entry === undefined || target.selected !== null) &&
        (command.enabled?.(target) ?? true)
      );
    };
    add(name, command.label, execute, isEnabled);
  }
  return () => {
    for (const [id, state] of commandStates) {
      const enabled = state.isEnabled();
      if (enabled === state.enabled) continue;
      state.enabled = enabled;
      commands.notifyCommandChanged(id);
    }
  };
}
