import { html, nothing } from "lit";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { walk } from "../state/walk.js";
import { isWelcome, scratchOpen, tab } from "../state/store.js";
import "./explain.js";
import "./numbers.js";
import "./optimizer.js";
import "./slots.js";
import "./walk-explain.js";

const TABS = ["explain", "numbers", "health", "optimizer", "evaluate"] as const;

/** The tabs that there is something in. */
const shown = (): readonly (typeof TABS)[number][] => (scratchOpen.value ? ["explain", "optimizer"] : TABS);

/** The right side: one of the tabs. */
class Inspect extends View {
  #keys(event: KeyboardEvent): void {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!by || event.altKey) return;
    event.preventDefault();
    const tabs = shown();
    tab.value = tabs[(tabs.indexOf(tab.value) + by + tabs.length) % tabs.length]!;
    void this.updateComplete.then(() => this.querySelector<HTMLElement>("[aria-selected=true]")?.focus());
  }

  // What not everybody opens is loaded when it is opened.
  #panel(open: (typeof TABS)[number], program: boolean) {
    switch (open) {
      case "explain":
        if (!walk.value) return html`<gs-explain></gs-explain>`;
        return html`<gs-walk-explain></gs-walk-explain>${program ? nothing : html`<details class="lesson-below" ?open=${isWelcome.value}><summary>${t("explain.model")}</summary><gs-explain></gs-explain></details>`}`;
      case "numbers":
        return html`<gs-numbers></gs-numbers>`;
      case "health":
        void import("./health.js");
        return html`<gs-health></gs-health>`;
      case "optimizer":
        return html`${walk.value ? html`<gs-slots></gs-slots>` : nothing}${program ? nothing : html`<gs-optimizer></gs-optimizer>`}`;
      case "evaluate":
        void import("./evaluate.js");
        return html`<gs-evaluate></gs-evaluate>`;
    }
  }

  override render() {
    const program = scratchOpen.value;
    const tabs = shown();
    const open = tabs.includes(tab.value) ? tab.value : "explain";
    return html`
      <div class="tabs" role="tablist" aria-label=${t("pane.inspect")} @keydown=${(event: KeyboardEvent) => this.#keys(event)}>
        ${tabs.map((name) => html`<button role="tab" id="tab-${name}" aria-controls="tab-panel" aria-selected=${open === name} tabindex=${open === name ? 0 : -1}
          @click=${() => (tab.value = name)}>${t(`tab.${name}`)}</button>`)}
      </div>
      <div class="tab-panel" role="tabpanel" id="tab-panel" aria-labelledby="tab-${open}" tabindex="0"><h2 class="unseen">${t(`tab.${open}`)}</h2>
        ${this.#panel(open, program)}
      </div>`;
  }
}
customElements.define("gs-inspect", Inspect);
