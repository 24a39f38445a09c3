import { html } from "lit";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { tab } from "../state/store.js";
import "./explain.js";
import "./numbers.js";
import "./health.js";
import "./optimizer.js";
import "./evaluate.js";

const TABS = ["explain", "numbers", "health", "optimizer", "evaluate"] as const;

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
      <div class="tab-panel" role="tabpanel" id="tab-panel" aria-labelledby="tab-${open}" tabindex="0"><h2 class="unseen">${t(`tab.${open}`)}</h2>
        ${open === "explain" ? html`<gs-explain></gs-explain>` : open === "numbers" ? html`<gs-numbers></gs-numbers>` : open === "health" ? html`<gs-health></gs-health>` : open === "optimizer" ? html`<gs-optimizer></gs-optimizer>` : html`<gs-evaluate></gs-evaluate>`}
      </div>`;
  }
}
customElements.define("gs-inspect", Inspect);
