import { html, nothing } from "lit";
import { picture } from "../lib/draw.js";
import { Drawing } from "../lib/drawing.js";
import { general, percent } from "../lib/format.js";
import { css, diverging, palette } from "../lib/palette.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import * as attribution from "../state/attribution.js";
import * as store from "../state/store.js";

/** Methods whose values are never below 0. */
const UNSIGNED: readonly string[] = ["saliency", "gradCam"];

/** One number a pixel: of channels the largest (Simonyan et al.), or for signed values their sum. */
function flatten(values: Float32Array, channels: number, signed: boolean): Float32Array {
  if (channels === 1) return values;
  return Float32Array.from({ length: values.length / channels }, (_, k) => {
    const own = values.subarray(k * channels, (k + 1) * channels);
    return signed ? own.reduce((a, b) => a + b, 0) : Math.max(...own);
  });
}

const largest = (values: Float32Array): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

const pack = ([r, g, b]: readonly number[], alpha: number): number => ((Math.round(255 * alpha) << 24) | (b! << 16) | (g! << 8) | r!) >>> 0;

/** The attribution over a faint picture of the example. */
class AttributionMap extends Drawing {
  protected override reads(): string {
    void palette.value;
    const of = attribution.found.value;
    this.classList.toggle("hatch", !of);
    return of ? t("attribution.label", { method: t(`attribution.${of.method}`), name: attribution.choices.value[of.target] ?? "" }) : t("cards.none");
  }
  protected override heightFor(width: number): number {
    const [rows = 1, columns = 1] = store.session.peek()?.info.inputShape ?? [];
    return (width * rows) / columns;
  }
  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const of = attribution.found.peek();
    const [rows = 1, columns = 1, channels = 1] = store.session.peek()?.info.inputShape ?? [];
    if (!of || of.x.length !== rows * columns * channels) return;
    const { zero, ink } = palette.peek();
    const faint = Uint32Array.from({ length: rows * columns }, (_, k) => {
      const light = of.x.subarray(k * channels, (k + 1) * channels).reduce((a, b) => a + b, 0) / channels;
      const share = 0.4 * Math.max(0, Math.min(1, light));
      return pack(zero.map((from, c) => Math.round(from + (ink[c]! - from) * share)), 1);
    });
    context.drawImage(picture(faint, columns, rows), 0, 0, width, height);
    const [high = 1, wide = 1] = of.map.shape;
    const values = flatten(of.map.values, of.map.values.length / (high * wide), !UNSIGNED.includes(of.method));
    const most = largest(values) || 1;
    const colours = Uint32Array.from(values, (value) => pack(diverging(Math.sign(value)), 0.9 * Math.min(1, Math.abs(value) / most) ** 0.7));
    // Maps of a few cells stand for wide regions: their borders would say too much.
    context.imageSmoothingEnabled = of.method === "gradCam";
    context.drawImage(picture(colours, wide, high), 0, 0, width, height);
  }
}
customElements.define("gs-attribution-map", AttributionMap);

/** What the answer to the pinned example rests on. */
class Attribution extends View {
  protected override follow(): () => void {
    return attribution.followAttribution();
  }

  #number(text: string, of: typeof attribution.window, most: number) {
    const set = (event: Event): void => {
      const value = Math.round(Number((event.target as HTMLInputElement).value));
      if (value >= 1 && value <= most) of.value = value;
      else (event.target as HTMLInputElement).value = String(of.value);
    };
    return html`<label class="inline small"><span>${text}</span><input type="number" min="1" max=${most} step="1" .value=${String(Math.min(of.value, most))} @change=${set}></label>`;
  }

  #choices(method: string, shape: readonly number[]) {
    const { asked, choices, predicted, possible, mapLayers, layer, window, stride } = attribution;
    const names = choices.value;
    return html`<div class="form two">
      <label><span>${t("attribution.method")}</span><select @change=${(event: Event) => (attribution.method.value = (event.target as HTMLSelectElement).value as typeof attribution.method.value)}>
        ${possible.value.map((name) => html`<option value=${name} ?selected=${name === method}>${t(`attribution.${name}`)}</option>`)}</select></label>
      <label><span>${t("attribution.class")}</span><select @change=${(event: Event) => {
        const { value } = event.target as HTMLSelectElement;
        asked.value = value === "" ? undefined : Number(value);
      }}><option value="" ?selected=${asked.value === undefined}>${t("attribution.predicted", { name: names[predicted.value] ?? "" })}</option>
        ${names.map((name, k) => html`<option value=${k} ?selected=${asked.value === k}>${name}</option>`)}</select></label>
      ${method === "gradCam"
        ? html`<label><span>${t("attribution.layer")}</span><select @change=${(event: Event) => (layer.value = (event.target as HTMLSelectElement).value)}>
            ${[...mapLayers.value].reverse().map((name) => html`<option ?selected=${name === (layer.value ?? mapLayers.value.at(-1))}>${name}</option>`)}</select></label>`
        : nothing}
      ${method === "occlusion" ? html`${this.#number(t("attribution.window"), window, Math.max(...shape.slice(0, 2)))}${this.#number(t("attribution.stride"), stride, window.value)}` : nothing}
    </div>`;
  }

  override render() {
    const shape = store.session.value?.info.inputShape;
    const of = attribution.found.value;
    if (!shape || !store.pinned.value || attribution.choices.value.length === 0) return nothing;
    const method = attribution.possible.value.includes(attribution.method.value) ? attribution.method.value : "integratedGradients";
    const image = shape.length === 3;
    const signed = !UNSIGNED.includes(method);
    const shown = of && flatten(of.map.values, image && of.method !== "gradCam" && of.method !== "occlusion" ? shape[2]! : 1, signed);
    const most = shown ? largest(shown) : undefined;
    const name = attribution.choices.value[of?.target ?? attribution.target.value] ?? "";
    return html`<section class="attribution"><h3>${t("attribution.title")}</h3>
      ${this.#choices(method, image ? shape : [shape[0] ?? 1])}
      <p class="caption">${t(`attribution.${method}.text`)}</p>
      ${image
        ? html`<gs-attribution-map style="aspect-ratio:${shape[1]}/${shape[0]}"></gs-attribution-map>
            <p class="legend"><span class="mono">${signed ? `−${general(most)}` : "0"}</span><i class=${signed ? "ramp" : "ramp half"}></i><span class="mono">${signed ? "+" : ""}${general(most)}</span><span>${t(signed ? "attribution.legend" : "attribution.legendUnsigned", { name })}</span></p>`
        : html`<ol class="inputs-bars">${shown && [...shown].slice(0, 64).map((value, k) => html`<li><span>x<sub>${k + 1}</sub></span>
            <i style="--share:${most ? Math.abs(value) / most : 0};--tone:${css(diverging(Math.sign(value)))}" class=${value < 0 ? "minus" : ""}></i><span class="mono">${general(value)}</span></li>`)}</ol>`}
      ${of
        ? html`<dl class="facts">
            <dt>${of.method === "occlusion" ? t("attribution.probability", { name }) : t("attribution.score", { name })}</dt><dd class="mono">${of.method === "occlusion" && store.classes.value.length ? percent(of.map.score, true) : general(of.map.score)}</dd>
            ${of.map.layer ? html`<dt>${t("attribution.layer")}</dt><dd class="mono">${of.map.layer} ${of.map.shape.join("×")}</dd>` : nothing}
            ${of.map.gap != null && of.map.baseline != null
              ? html`<dt>${t("attribution.difference")}</dt><dd class="mono">${general(of.map.score - of.map.baseline)}</dd>
                  <dt title=${t("attribution.gapWhy")}>${t("attribution.gap")}</dt><dd class="mono">${general(of.map.gap)}</dd>`
              : nothing}</dl>`
        : nothing}
      ${store.status.value === "training" ? html`<p class="caption">${t("attribution.paused")}</p>` : nothing}</section>`;
  }
}
customElements.define("gs-attribution", Attribution);
