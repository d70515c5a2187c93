/** The sentences of the panel for every status without a list. */

import type { SessionStatus } from "./kernel-session";

/** A sentence, and a button where one helps. */
export interface Sentence {
  text: string;
  /** The label of the button that loads nbforecast, where that would help. */
  button?: string;
}

const SENTENCES: Record<Exclude<SessionStatus, "live">, Sentence> = {
  starting: { text: "Waiting for the kernel to answer." },
  none: { text: "This notebook has no kernel." },
  absent: {
    text: "nbforecast is not loaded in this kernel. The button does what %load_ext nbforecast does in a cell.",
    button: "Load nbforecast",
  },
  loading: { text: "Loading nbforecast …" },
  missing: {
    text: "nbforecast is not installed where this kernel runs. Install it there with pip.",
    button: "Try again",
  },
  failed: { text: "nbforecast could not be loaded.", button: "Try again" },
  disconnected: { text: "The connection to the kernel is lost. JupyterLab tries to get it back." },
  restarting: { text: "The kernel restarts." },
  dead: { text: "The kernel has died. Restart it to go on; what was saved is there again." },
  foreign: { text: "This kernel does not run Python." },
  other: { text: "nbforecast in this kernel and this panel are of different versions. Update the older one." },
  elsewhere: { text: "This kernel is tied to another console or page, which its list would go to." },
};

const NO_NOTEBOOK: Sentence = { text: "Open a notebook to see what its kernel keeps." };

/** The sentence for a status, null meaning no notebook; null where the list is shown. */
export function sentenceFor(status: SessionStatus | null): Sentence | null {
  if (status === "live") return null;
  return status === null ? NO_NOTEBOOK : SENTENCES[status];
}
