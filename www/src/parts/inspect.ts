import { html, nothing } from "lit";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { walk } from "../state/walk.js";
import { isWelcome, tab } from "../state/store.js";
import "./explain.js";
import "./numbers.js";
import "./optimizer.js";
import "./slots.js";
import "./walk-explain.js";
import "./evaluate.js";

const TABS = ["explain", "numbers", "optimizer", "evaluate"] as const;

/** The right side: one of the tabs. */
class Inspect extends View {
  #keys(event: KeyboardEvent): void {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!by || event.altKey) return;
    event.preventDefault();
    tab.value = TABS[(TABS.indexOf(tab.value) + by + TABS.length) % TABS.length]!;
    void this.updateComplete.then(() => this.querySelector<HTMLElement>("[aria-selected=true]")?.focus());
  }

  override render() {
    const open = tab.value;
    return html`
      <div class="tabs" role="tablist" aria-label=${t("pane.inspect")} @keydown=${(event: KeyboardEvent) => this.#keys(event)}>
        ${TABS.map((name) => html`<button role="tab" id="tab-${name}" aria-controls="tab-panel" aria-selected=${open === name} tabindex=${open === name ? 0 : -1}
          @click=${() => (tab.value = name)}>${t(`tab.${name}`)}</button>`)}
      </div>
      <div class="tab-panel" role="tabpanel" id="tab-panel" aria-labelledby="tab-${open}" tabindex="0">
        ${open === "explain"
          ? walk.value ? html`<gs-walk-explain></gs-walk-explain><details class="lesson-below" ?open=${isWelcome.value}><summary>${t("explain.model")}</summary><gs-explain></gs-explain></details>` : html`<gs-explain></gs-explain>`
          : open === "numbers" ? html`<gs-numbers></gs-numbers>` : open === "optimizer" ? html`${walk.value ? html`<gs-slots></gs-slots>` : nothing}<gs-optimizer></gs-optimizer>` : html`<gs-evaluate></gs-evaluate>`}
      </div>`;
  }
}
customElements.define("gs-inspect", Inspect);
