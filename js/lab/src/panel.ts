/** The side bar's panel: the view of the notebook in front, or why there is none. */

import { Widget } from "@lumino/widgets";
import { button } from "../../cache/src/button";
import sheet from "../../cache/src/style.css";
import { h, say } from "../../common/src/dom";
import type { Attachment } from "./attachment";
import { icon } from "./icon";
import frame from "./style.css";
import { wordsFor } from "./words";

export class CachePanel extends Widget {
  private attachment: Attachment | null = null;
  private readonly name = h("span", { class: "nbf-name" });
  private readonly state = h("span", { class: "nbf-state" });
  private readonly lead = h("header", { class: "nbf-lead" }, this.name, this.state);
  private readonly text = h("p");
  private readonly detail = h("p", { class: "nbf-detail" });
  private readonly load = button("Load it", () => void this.attachment?.load(), { class: "nbf-button nbf-primary" });
  private readonly instead = h("div", { class: "nbf-instead", role: "status" }, this.text, this.detail, this.load);
  private readonly place = h("div", { class: "nbf-place" });
  private readonly end = new AbortController();

  constructor() {
    super();
    this.id = "nbforecast-cache";
    this.title.icon = icon;
    this.title.caption = "Forecasts kept by nbforecast";
    const root = h("div", { class: "nbf-cache nbf-side" }, this.lead, this.instead, this.place);
    this.node.setAttribute("role", "region");
    this.node.setAttribute("aria-label", "nbforecast");
    this.node.append(h("style", {}, sheet + frame), root);
    document.addEventListener("visibilitychange", () => this.look(), { signal: this.end.signal });
    window.addEventListener("pagehide", () => this.attachment?.look(false), { signal: this.end.signal });
    this.renew();
  }

  override dispose(): void {
    this.end.abort();
    super.dispose();
  }

  /** Shows another notebook, by its name; null for none. */
  follow(attachment: Attachment | null, name: string): void {
    if (attachment !== this.attachment) this.attachment?.look(false);
    this.attachment = attachment;
    say(this.name, name);
    this.look();
    this.renew();
  }

  /** Takes over what has changed in the attachment. */
  renew(): void {
    const { attachment } = this;
    const words = wordsFor(attachment?.standing ?? null);
    this.lead.hidden = attachment === null;
    this.instead.hidden = words === null;
    this.place.hidden = words !== null;
    this.node.dataset.standing = attachment?.standing ?? "no-notebook";
    say(this.text, words?.text ?? "");
    say(this.detail, words ? (attachment?.detail ?? "") : "");
    say(this.load, words?.button ?? "");
    this.load.hidden = words?.button === undefined;
    say(this.state, attachment?.busy ? "kernel busy" : "");
    const root = attachment?.view.root;
    if (root && this.place.firstElementChild !== root) this.place.replaceChildren(root);
  }

  protected override onAfterShow(): void {
    this.look();
  }

  protected override onAfterAttach(): void {
    this.look();
  }

  protected override onAfterHide(): void {
    this.look();
  }

  protected override onBeforeDetach(): void {
    this.attachment?.look(false);
  }

  private look(): void {
    this.attachment?.look(this.isVisible && document.visibilityState === "visible");
  }
}
