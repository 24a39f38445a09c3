import { html, nothing, type TemplateResult } from "lit";
import { t } from "../messages/index.js";
import { build } from "../state/engine.js";
import { buildWithWeights } from "../state/transfer.js";
import * as store from "../state/store.js";

/** Says that the controls ask for another network than there is, and lets one build it or go back. */
export const pendingChange = (): TemplateResult => html`<div class="pending" role="status">
  <span>${store.impossible.value ? t("layers.impossible") : t("layers.pending")}</span>
  <div class="buttons">
    <button class="primary" ?disabled=${store.impossible.value !== undefined || store.busy.value} @click=${() => build()}>${t("layers.build")}</button>
    ${store.progress.value || store.loaded.value ? html`<button ?disabled=${store.impossible.value !== undefined || store.busy.value} title=${t("layers.buildKeepingWhy")} @click=${() => buildWithWeights()}>${t("layers.buildKeeping")}</button>` : nothing}
    <button @click=${() => (store.setup.value = store.built.value?.setup)}>${t("layers.undo")}</button>
  </div>
</div>`;
