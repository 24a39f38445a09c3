import { html, nothing, type TemplateResult } from "lit";
import { View } from "../lib/view.js";
import { errorText, missingLanguage, t } from "../messages/index.js";
import { dismissed, LANGUAGE_NAMES } from "../state/settings.js";
import * as store from "../state/store.js";
import { goBackSlower, moveTo, restart, smallerBatch } from "../state/training.js";
import { icons } from "./icons.js";

const NO_WEBGPU = "no-webgpu";

const button = (text: string, run: () => unknown): TemplateResult => html`<button @click=${run}>${text}</button>`;

const onCpu = (): TemplateResult => button(t("notice.useCpu"), () => moveTo({ backend: "cpu" }));

/** What can be done about an error, besides knowing it. */
function remedy(notice: store.Notice): TemplateResult | typeof nothing {
  if (notice.kind === "deviceLost") return button(t("notice.tryGpu"), () => moveTo({}));
  if (notice.kind !== "error") return nothing;
  const setup = store.setup.value;
  const step = store.lastSnapshot.value?.progress?.step;
  switch (notice.error.code) {
    case "worker_died":
      return button(step ? t("notice.restartAt", { step }) : t("notice.restart"), restart);
    case "out_of_memory":
      return setup && setup.batchSize > 1 ? button(t("notice.smallerBatch", { size: setup.batchSize >> 1 }), () => smallerBatch(setup.batchSize >> 1)) : nothing;
    case "buffer_too_large": {
      // Parameters do not grow with the batch, and evaluations have batches of their own.
      const { args } = notice.error;
      const fits = setup && Number(args.batch) === setup.batchSize ? Math.floor((setup.batchSize * Number(args.most_bytes)) / Number(args.bytes)) : 0;
      return fits >= 1 ? button(t("notice.smallerBatch", { size: fits }), () => smallerBatch(fits)) : onCpu();
    }
    case "not_finite":
      return setup ? button(step ? t("notice.goBackSlower", { step }) : t("notice.lowerRate"), goBackSlower) : nothing;
    case "no_web_gpu":
    case "gpu":
    case "device_lost":
      return onCpu();
    default:
      return nothing;
  }
}

function sentence(notice: store.Notice): TemplateResult | string {
  if (notice.kind === "address") return t("notice.address", { field: notice.field, value: notice.value });
  if (notice.kind === "workersLost") return t("notice.workersLost");
  if (notice.kind === "deviceLost") return t("notice.deviceLost", { reason: notice.reason, step: notice.step });
  const { error } = notice;
  return html`${error.where && error.where !== error.args.file ? html`<b class="mono">${error.where}</b> ` : nothing}${errorText(error)}`;
}

/** Banners under the top bar: one error at a time, and the quiet note that there is no WebGPU. */
class Notices extends View {
  override render() {
    const notice = store.notice.value;
    const noGpu = store.backendReport.value && !store.backendReport.value.webgpu && !dismissed.value.includes(NO_WEBGPU);
    return html`
      <div role="alert">
        ${notice
          ? html`<div class="notice bad">
              ${icons.warn}<span>${sentence(notice)}</span>${remedy(notice)}
              <button class="plain" @click=${() => (store.notice.value = undefined)}>${t("notice.dismiss")}</button>
            </div>`
          : nothing}
      </div>
      <div role="status">
        ${missingLanguage.value
          ? html`<div class="notice">
              <span>${t("notice.language", { language: LANGUAGE_NAMES[missingLanguage.value] })}</span>
              <button class="plain" @click=${() => (missingLanguage.value = undefined)}>${t("notice.understood")}</button>
            </div>`
          : nothing}
        ${noGpu
          ? html`<div class="notice">
              <span>${t("notice.noWebGpu")}</span>
              <button class="plain" @click=${() => (dismissed.value = [...dismissed.value, NO_WEBGPU])}>${t("notice.understood")}</button>
            </div>`
          : nothing}
      </div>
    `;
  }
}
customElements.define("gs-notices", Notices);
