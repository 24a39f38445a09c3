import { html, nothing } from "lit";
import { describeModel, type GradscopeError, type LayerSpec, type ModelSpec } from "gradscope";
import { shape } from "../lib/format.js";
import { View } from "../lib/view.js";
import { errorText, t } from "../messages/index.js";
import { augmentations, LAYER_FIELDS, layerFields, newLayer, placeFor, summary, withAugmentation, withFrozen, withLayers, type Spec } from "../state/spec.js";
import { lookAt, lookedAt } from "../state/cell.js";
import * as store from "../state/store.js";
import { field } from "./field.js";
import { icons } from "./icons.js";
import { pendingChange } from "./pending.js";

/** The layer list: what the network is, and the place to change it. */
class Layers extends View {
  /** Index of the row that is open for editing. */
  #open: number | undefined;
  #dragged: number | undefined;
  #focus: number | undefined;
  /** Why the text of that model could not be taken. */
  #refused: { of: ModelSpec; why: unknown } | undefined;

  #set(layers: LayerSpec[]): void {
    const setup = store.setup.value;
    if (setup) store.change({ model: withLayers(setup.model, layers) });
  }

  get #layers(): LayerSpec[] {
    return [...(store.setup.value?.model.layers ?? [])];
  }

  #move(from: number, to: number): void {
    const layers = this.#layers;
    if (to < 0 || to >= layers.length || from === to) return;
    layers.splice(to, 0, ...layers.splice(from, 1));
    if (this.#open === from) this.#open = to;
    this.#focus = to;
    this.#set(layers);
  }

  #remove(k: number): void {
    this.#open = undefined;
    this.#focus = Math.max(0, k - 1);
    this.#set(this.#layers.filter((_, other) => other !== k));
  }

  #edit(k: number, key: string, value: unknown): void {
    const layers = this.#layers;
    const layer: Spec = { ...(layers[k] as unknown as Spec), [key]: value };
    if (value === undefined) delete layer[key];
    layers[k] = layer as unknown as LayerSpec;
    this.#set(layers);
  }

  #add(type: string): void {
    const setup = store.setup.value;
    if (!setup) return;
    const layers = this.#layers;
    const at = placeFor(type, setup.model);
    layers.splice(at, 0, newLayer(type as LayerSpec["type"]));
    this.#open = this.#focus = at;
    this.#set(layers);
  }

  #drag = (event: PointerEvent): void => {
    if (this.#dragged === undefined) return;
    const rows = [...this.querySelectorAll<HTMLElement>(".layer")];
    const to = rows.findIndex((row) => {
      const box = row.getBoundingClientRect();
      return event.clientY >= box.top && event.clientY <= box.bottom;
    });
    if (to < 0 || to === this.#dragged) return;
    this.#move(this.#dragged, to);
    this.#dragged = to;
  };

  #drop = (): void => {
    this.#dragged = undefined;
    this.#focus = undefined;
    removeEventListener("pointermove", this.#drag);
    removeEventListener("pointerup", this.#drop);
    removeEventListener("pointercancel", this.#drop);
    this.requestUpdate();
  };

  #grab(event: PointerEvent, k: number): void {
    event.preventDefault();
    this.#dragged = k;
    addEventListener("pointermove", this.#drag);
    addEventListener("pointerup", this.#drop);
    addEventListener("pointercancel", this.#drop);
  }

  protected override updated(): void {
    if (this.#focus === undefined || this.#dragged !== undefined) return;
    this.querySelectorAll<HTMLElement>(".layer-name")[this.#focus]?.focus();
    this.#focus = undefined;
  }

  #keys(event: KeyboardEvent, k: number): void {
    const by = event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0;
    if (event.altKey && by) {
      event.preventDefault();
      this.#move(k, k + by);
    } else if (by && event.target instanceof HTMLButtonElement) {
      event.preventDefault();
      this.querySelectorAll<HTMLElement>(".layer-name")[k + by]?.focus();
    } else if (event.key === "Delete" && event.target instanceof HTMLButtonElement) {
      this.#remove(k);
    } else if (event.key === "Escape" && this.#open === k) {
      this.#open = undefined;
      this.#focus = k;
      this.requestUpdate();
    }
  }

  /** A lock on a layer that has weights of its own: shut, they stay as they are. */
  #lock(layer: LayerSpec, k: number, weights: number) {
    if (weights === 0 || layer.shares !== undefined) return nothing;
    const shut = layer.trainable === false;
    const toggle = (): void => {
      const setup = store.setup.value;
      if (setup) store.change({ model: withFrozen(setup.model, k, !shut) });
    };
    return html`<button class="plain small freeze ${shut ? "shut" : ""}" aria-pressed=${shut} aria-label=${t("layers.freeze", { layer: store.description.value?.layers[k]?.name ?? layer.type })}
      title=${t(shut ? "layers.frozenWhy" : "layers.freezeWhy")} @click=${toggle}>${shut ? icons.shut : icons.unlocked}</button>`;
  }

  #row(layer: LayerSpec, k: number) {
    const described = store.description.value?.layers[k];
    const known = described?.kind === layer.type ? described : undefined;
    const open = this.#open === k;
    const toggle = (): void => {
      this.#open = open ? undefined : k;
      if (known && store.built.value?.description.layers.some(({ name }) => name === known.name)) lookAt(known.name);
      this.requestUpdate();
    };
    const on = known !== undefined && known.name === lookedAt();
    const fields = layerFields(layer);
    return html`<li class="layer ${on ? "on" : ""} ${known?.error ? "wrong" : ""} ${this.#dragged === k ? "dragged" : ""}" @keydown=${(event: KeyboardEvent) => this.#keys(event, k)}>
      <span class="handles"><span class="grip" @pointerdown=${(event: PointerEvent) => this.#grab(event, k)} title=${t("layers.drag")}>${icons.grip}</span>${this.#lock(layer, k, (known?.parameters ?? 0) + (known?.frozen ?? 0))}</span>
      <button class="layer-name" aria-expanded=${open} @click=${toggle}>
        <b>${layer.type}</b> <small>${summary(layer)}</small>
      </button>
      <span class="layer-shape">${shape(known?.outputShape)}<small>${known?.frozen ? t("layers.frozen", { n: known.frozen }) : known?.parameters ? t("layers.parameters", { n: known.parameters }) : nothing}</small></span>
      ${known?.error ? html`<p class="why" role="alert">${errorText({ code: known.error.code, args: known.error.args as Record<string, string> })}</p>` : nothing}
      ${open
        ? html`<div class="layer-form">
            ${fields.map((of) => field(layer as unknown as Spec, of, (key, value) => this.#edit(k, key, value)))}
            <div class="buttons">
              <button ?disabled=${k === 0} @click=${() => this.#move(k, k - 1)} title="Alt ↑">${icons.up}${t("layers.up")}</button>
              <button ?disabled=${k === this.#layers.length - 1} @click=${() => this.#move(k, k + 1)} title="Alt ↓">${icons.down}${t("layers.down")}</button>
              <button @click=${() => this.#remove(k)} title="Delete">${icons.remove}${t("layers.remove")}</button>
            </div>
          </div>`
        : nothing}
    </li>`;
  }

  /** Takes a model as text, unless another one was chosen while the engine read it. */
  async #apply(text: string): Promise<void> {
    const before = store.setup.value?.model;
    if (!before) return;
    this.#refused = undefined;
    try {
      const model = JSON.parse(text) as ModelSpec;
      const why = (await describeModel(model)).layers.find(({ error }) => error)?.error;
      if (why) this.#refused = { of: before, why };
      else if (store.setup.value?.model === before) store.change({ model });
    } catch (why) {
      this.#refused = { of: before, why };
    }
    this.requestUpdate();
  }

  /** The model as text, for what the forms have no field for, and to copy and paste it. */
  #text(model: ModelSpec) {
    const why = this.#refused?.of === model ? this.#refused.why : undefined;
    return html`<details class="model-text"><summary>${t("layers.text")}</summary>
      <textarea rows="16" wrap="off" spellcheck="false" autocapitalize="off" autocomplete="off" aria-label=${t("layers.text")}
        aria-invalid=${why !== undefined} aria-describedby="model-refused" .value=${JSON.stringify(model, undefined, 2)}></textarea>
      <button @click=${() => this.#apply(this.querySelector("textarea")!.value)}>${t("layers.apply")}</button>
      <p class="why" id="model-refused" role="alert">${
        why instanceof SyntaxError
          ? t("layers.notJson", { reason: why.message })
          : why
            ? html`<b class="mono">${(why as GradscopeError).where}</b> ${errorText(why as GradscopeError)}`
            : nothing
      }</p></details>`;
  }

  /** A switch for augmentation where the input is an image that is learned from. */
  #augment({ model, loss }: store.Setup) {
    const { input } = model;
    if (input.length !== 3 || ![1, 3].includes(input[2]!) || loss.type === "adversarial" || store.isWelcome.value) return nothing;
    return html`<label class="input-row augment" title=${t("augment.switchWhy")}><span>${t("augment.switch")}</span>
      <input type="checkbox" .checked=${augmentations(model) > 0} @change=${(event: Event) => {
        this.#open = undefined;
        store.change({ model: withAugmentation(model, (event.target as HTMLInputElement).checked) });
      }}></label>`;
  }

  override render() {
    const setup = store.setup.value;
    if (!setup) return nothing;
    const total = store.description.value?.parameterCount;
    const frozen = store.description.value?.layers.reduce((sum, layer) => sum + layer.frozen, 0) ?? 0;
    return html`<section class="layers">
      <h2>${t("layers.title")} ${total === undefined ? nothing : html`<small>${t("layers.total", { n: total })}${frozen ? ` · ${t("layers.frozen", { n: frozen })}` : nothing}</small>`}</h2>
      <p class="input-row"><b>${t("layers.input")}</b><span class="layer-shape">${shape(setup.model.input)}</span></p>
      ${this.#augment(setup)}
      <ol>${setup.model.layers.map((layer, k) => this.#row(layer, k))}</ol>
      <label class="add">${icons.add}<span>${t("layers.add")}</span>
        <select .value=${""} @change=${(event: Event) => {
          const select = event.target as HTMLSelectElement;
          this.#add(select.value);
          select.value = "";
        }}><option value="" hidden></option>${Object.keys(LAYER_FIELDS).map((type) => html`<option>${type}</option>`)}</select></label>
      ${this.#text(setup.model)}
      ${store.dirty.value ? pendingChange() : nothing}
    </section>`;
  }
}
customElements.define("gs-layers", Layers);
