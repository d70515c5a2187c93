/** The side bar's panel: the view of the current notebook's cache, or why there is none. */

import { Widget } from "@lumino/widgets";
import { button } from "../../cache/src/buttons";
import sheet from "../../cache/src/style.css";
import { h, setText } from "../../common/src/dom";
import { icon } from "./icon";
import type { KernelSession } from "./kernel-session";
import { sentenceFor } from "./status-text";
import frame from "./style.css";

/** The panel. */
export class CachePanel extends Widget {
  #session: KernelSession | null = null;
  readonly #name = h("span", { class: "nbf-name" });
  readonly #state = h("span", { class: "nbf-state" });
  readonly #header = h("header", { class: "nbf-lead" }, this.#name, this.#state);
  readonly #text = h("p");
  readonly #detail = h("p", { class: "nbf-detail" });
  readonly #load = button("Load it", () => void this.#session?.load(), { class: "nbf-button nbf-primary" });
  readonly #message = h("div", { class: "nbf-instead", role: "status" }, this.#text, this.#detail, this.#load);
  readonly #content = h("div", { class: "nbf-place" });
  readonly #abort = new AbortController();

  constructor() {
    super();
    this.id = "nbforecast-cache";
    this.title.icon = icon;
    this.title.caption = "Forecasts kept by nbforecast";
    const root = h("div", { class: "nbf-cache nbf-side" }, this.#header, this.#message, this.#content);
    this.node.setAttribute("role", "region");
    this.node.setAttribute("aria-label", "nbforecast");
    this.node.append(h("style", {}, sheet + frame), root);
    document.addEventListener("visibilitychange", () => this.#updateVisibility(), { signal: this.#abort.signal });
    window.addEventListener("pagehide", () => this.#session?.setVisible(false), { signal: this.#abort.signal });
    this.refresh();
  }

  override dispose(): void {
    this.#abort.abort();
    super.dispose();
  }

  /** Shows another notebook, by its name; null for none. */
  follow(session: KernelSession | null, name: string): void {
    if (session !== this.#session) this.#session?.setVisible(false);
    this.#session = session;
    setText(this.#name, name);
    this.#updateVisibility();
    this.refresh();
  }

  /** Shows what has changed in the session. */
  refresh(): void {
    const session = this.#session;
    const sentence = sentenceFor(session?.status ?? null);
    this.#header.hidden = session === null;
    this.#message.hidden = sentence === null;
    this.#content.hidden = sentence !== null;
    this.node.dataset.standing = session?.status ?? "no-notebook";
    setText(this.#text, sentence?.text ?? "");
    setText(this.#detail, sentence ? (session?.detail ?? "") : "");
    setText(this.#load, sentence?.button ?? "");
    this.#load.hidden = sentence?.button === undefined;
    setText(this.#state, session?.busy ? "kernel busy" : "");
    const root = session?.view.root;
    if (root && this.#content.firstElementChild !== root) this.#content.replaceChildren(root);
  }

  protected override onAfterShow(): void {
    this.#updateVisibility();
  }

  protected override onAfterAttach(): void {
    this.#updateVisibility();
  }

  protected override onAfterHide(): void {
    this.#updateVisibility();
  }

  protected override onBeforeDetach(): void {
    this.#session?.setVisible(false);
  }

  #updateVisibility(): void {
    this.#session?.setVisible(this.isVisible && document.visibilityState === "visible");
  }
}
