/** What the panel says while there is no list to show. */

import type { Standing } from "./attachment";

export interface Words {
  text: string;
  /** What the button that loads nbforecast is called, where that would help. */
  button?: string;
}

const WORDS: Record<Exclude<Standing, "live">, Words> = {
  starting: { text: "Waiting for the kernel to answer." },
  none: { text: "This notebook has no kernel." },
  absent: { text: "nbforecast is not loaded in this kernel. The button does what %load_ext nbforecast does in a cell.", button: "Load nbforecast" },
  loading: { text: "Loading nbforecast …" },
  missing: { text: "nbforecast is not installed where this kernel runs. Install it there with pip.", button: "Try again" },
  failed: { text: "nbforecast could not be loaded.", button: "Try again" },
  disconnected: { text: "The connection to the kernel is lost. JupyterLab tries to get it back." },
  restarting: { text: "The kernel restarts." },
  dead: { text: "The kernel has died. Restart it to go on; what was saved is there again." },
  foreign: { text: "This kernel does not run Python." },
  other: { text: "nbforecast in this kernel and this panel are of different versions. Update the older one." },
  elsewhere: { text: "This kernel is tied to another console or page, which its list would go to." },
};

const NO_NOTEBOOK: Words = { text: "Open a notebook to see what its kernel keeps." };

export function wordsFor(standing: Standing | null): Words | null {
  if (standing === "live") return null;
  return standing === null ? NO_NOTEBOOK : WORDS[standing];
}
