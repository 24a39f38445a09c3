import { html, nothing } from "lit";
import style from "../../styles/transfer.css";
import { adopt } from "../lib/style.js";
import { View } from "../lib/view.js";
import { lesson, t } from "../messages/index.js";
import { fail } from "../state/engine.js";
import { goTo } from "../state/route.js";
import * as store from "../state/store.js";
import { carry, keep, kept, takeOver } from "../state/transfer.js";

adopt(style);

const titled = (name: string): string => lesson(name)?.title ?? name;

/** Presets that begin with the same layer with weights, over the same input: what this model has learned is of use to them. */
function relatives(): string[] {
  const setup = store.built.value?.setup;
  const first = (layers: store.Setup["model"]["layers"]): string => JSON.stringify(layers.find(({ type }) => /Dense|Conv|Embedding|RNN|LSTM|GRU/.test(type)), (key, value: unknown) => (key === "trainable" ? undefined : value));
  const related = ({ name, model }: { name: string; model: store.Setup["model"] }): boolean =>
    name !== setup?.preset && JSON.stringify(model.input) === JSON.stringify(setup?.model.input) && first(model.layers) === first(setup!.model.layers);
  return setup ? store.presets.value.filter(related).map(({ name }) => name) : [];
}

/** Weights on their way from model to model: put aside, taken over, written to a file and read from one. */
class Transfer extends View {
  #over = false;

  async #read(files: FileList | null | undefined): Promise<void> {
    const file = files?.[0];
    if (!file) return;
    try {
      await takeOver({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) });
    } catch (error) {
      fail(error);
    }
  }

  async #download(): Promise<void> {
    const session = store.session.value;
    if (!session) return;
    try {
      const { bytes } = await session.snapshot();
      const url = URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>]));
      Object.assign(document.createElement("a"), { href: url, download: `${store.built.value?.setup.preset ?? "weights"}.safetensors` }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    } catch (error) {
      fail(error);
    }
  }

  #hover(event: DragEvent, over: boolean): void {
    event.preventDefault();
    this.#over = over;
    this.requestUpdate();
  }

  /** What came of the weights that were loaded last. */
  #report() {
    const report = store.loaded.value;
    if (!report) return nothing;
    const { taken, unknown, misshapen, missing, from } = report;
    const names = (text: string, list: readonly string[]) => (list.length ? html`<details><summary>${text}</summary><ul class="mono">${list.map((name) => html`<li>${name}</li>`)}</ul></details>` : nothing);
    return html`<div class="report" role="status"><p>${taken.length ? t("transfer.from", { name: titled(from) }) : t("transfer.nothing", { name: titled(from) })}</p>
      ${names(t("transfer.taken", { n: taken.length }), taken)}
      ${names(t("transfer.misshapen", { n: misshapen.length }), misshapen)}
      ${names(t("transfer.unknown", { n: unknown.length }), unknown)}
      ${names(t("transfer.missing", { n: missing.length }), missing)}</div>`;
  }

  override render() {
    if (!store.session.value) return nothing;
    const busy = store.busy.value;
    const others = relatives();
    return html`<section class="transfer ${this.#over ? "over" : ""}" @dragover=${(event: DragEvent) => this.#hover(event, true)} @dragleave=${(event: DragEvent) => this.#hover(event, false)}
      @drop=${(event: DragEvent) => {
        this.#hover(event, false);
        void this.#read(event.dataTransfer?.files);
      }}>
      <h2>${t("transfer.title")}</h2>
      ${others.map((name) => html`<button ?disabled=${busy} title=${t("transfer.goOnWhy")} @click=${() => carry(() => goTo(name))}>${t("transfer.goOn", { name: titled(name) })}</button>`)}
      <div class="buttons">
        <button ?disabled=${busy} title=${t("transfer.keepWhy")} @click=${() => keep()}>${t("transfer.keep")}</button>
        <button ?disabled=${busy} @click=${() => this.#download()}>${t("transfer.download")}</button>
        <label class="file">${t("transfer.choose")}<input type="file" accept=".safetensors" ?disabled=${busy} @change=${(event: Event) => {
          const input = event.target as HTMLInputElement;
          void this.#read(input.files).finally(() => (input.value = ""));
        }}></label>
      </div>
      ${kept.value ? html`<p class="kept">${t("transfer.kept", { name: titled(kept.value.name) })} <button ?disabled=${busy} @click=${() => takeOver()}>${t("transfer.take")}</button></p>` : nothing}
      ${this.#report()}
    </section>`;
  }
}
customElements.define("gs-transfer", Transfer);
