import { html, nothing } from "lit";
import { count, general, percent } from "../lib/format.js";
import { Drawing } from "../lib/drawing.js";
import { drawImage } from "../lib/draw.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { fail } from "../state/engine.js";
import { examplesIn, pinDrawn } from "../state/pictures.js";
import * as store from "../state/store.js";
import { nextSample } from "../state/walk.js";
import { isPairs, isText } from "../state/writing.js";
import { icons } from "./icons.js";
import "./pad.js";

/** Inputs that are listed by number. */
const LISTED = 40;

const classes = (): readonly string[] => store.classes.value;
const className = (k: number): string => classes()[k] ?? String(k);

/** Class of the pinned example, where there are classes and it is known. A window of a text has as many as characters. */
const labelled = (): number | undefined => (classes().length && store.pinned.value?.target.length === 1 ? store.pinned.value.target[0] : undefined);

/** The pinned example as it is. */
class SampleImage extends Drawing {
  protected override reads(): string {
    const label = labelled();
    return label === undefined ? t("sample.image") : t("sample.imageOf", { label: className(label) });
  }
  protected override heightFor(width: number): number {
    return width;
  }
  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const { x } = store.pinned.peek() ?? {};
    if (x) drawImage(context, x, store.session.peek()?.info.inputShape ?? [], width, height);
  }
}
customElements.define("gs-sample-image", SampleImage);

/** What an autoencoder makes of it. */
class SampleBack extends Drawing {
  protected override reads(): string {
    void store.frame.value;
    return t("sample.back");
  }
  protected override heightFor(width: number): number {
    return width;
  }
  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const output = store.frame.peek()?.output;
    if (output?.length) drawImage(context, output, store.session.peek()?.info.inputShape ?? [], width, height);
  }
}
customElements.define("gs-sample-back", SampleBack);

/** Whether the model is to give its input back, and that is a picture. */
const givesBack = (): boolean => {
  const loss = store.built.value?.setup.loss;
  return loss !== undefined && "target" in loss && loss.target === "input" && store.session.value?.info.inputShape.length === 3;
};

/** The example that everything on the page is about, and what the network makes of it. */
class Sample extends View {
  #drawing = false;

  #bars() {
    const output = store.frame.value?.output;
    const n = store.session.value?.info.outputShape.reduce((a, b) => a * b, 1) ?? 0;
    if (n === 0 || n > 20) return nothing;
    const label = labelled();
    const values = output && output.length >= n ? [...output.slice(0, n)] : undefined;
    const bounded = values?.every((v) => v >= -1e-6 && v <= 1 + 1e-6) ?? true;
    const best = values ? values.indexOf(Math.max(...values)) : -1;
    const isClass = n > 1 && classes().length > 0;
    const shares = isClass && bounded;
    return html`<ol class="bars" aria-label=${t("sample.prediction")}>
      ${Array.from({ length: n }, (_, k) => {
        const value = values?.[k];
        const text = value === undefined ? "" : shares || (n === 1 && classes().length > 0 && bounded) ? percent(value) : general(value);
        return html`<li class="${isClass && k === label ? "truth" : ""} ${k === best && isClass ? "best" : ""}">
          <span class="name">${isClass ? className(k) : n === 1 ? "ŷ" : html`ŷ<sub>${k + 1}</sub>`}</span>
          ${bounded ? html`<span class="bar ${values ? "" : "unknown"}"><i style="width:${Math.min(100, Math.max(0, (value ?? 0) * 100))}%"></i></span>` : html`<span></span>`}
          <span class="value">${text}</span>
        </li>`;
      })}
    </ol>`;
  }

  #title(): string {
    const pinned = store.pinned.value;
    if (!pinned) return t("sample.title");
    const label = labelled();
    if (!pinned.from) return label === undefined ? t("sample.drawn") : t("sample.labelled", { label: className(label) });
    const part = t(`split.${pinned.from.split}`);
    const index = count(pinned.from.index);
    return label === undefined ? t("sample.at", { part, index }) : t("sample.of", { part, index, label: className(label) });
  }

  override render() {
    const info = store.session.value?.info;
    if (!info) return nothing;
    const shape = info.inputShape;
    const pinned = store.pinned.value;
    const image = shape.length === 3;
    const canDraw = image && shape[0] === 28 && shape[1] === 28 && shape[2] === 1;
    if (!canDraw) this.#drawing = false;
    const more = examplesIn(pinned?.from?.split ?? "train") > 1;
    const toggle = (): void => {
      this.#drawing = !this.#drawing;
      this.requestUpdate();
    };
    return html`<section class="sample ${this.#drawing ? "drawing" : ""}">
      <h2>${this.#title()}</h2>
      <div class="sample-body">
        ${this.#drawing
          ? html`<gs-pad @drawn=${(event: CustomEvent<Float32Array>) => pinDrawn(event.detail).catch(fail)}></gs-pad>`
          : isText()
            ? (void import("./writing.js"), html`<gs-text-sample></gs-text-sample>`)
            : isPairs()
            ? (void import("./pairs.js"), html`<gs-pair-sample></gs-pair-sample>`)
            : store.isDocuments.value
            ? (void import("./documents.js"), html`<gs-document-sample></gs-document-sample>`)
            : image
            ? pinned ? html`<gs-sample-image></gs-sample-image>` : html`<div class="hatch square"></div>`
            : html`<dl class="inputs">${pinned ? [...pinned.x.subarray(0, LISTED)].map((v, k) => html`<dt>x<sub>${k + 1}</sub></dt><dd>${general(v)}</dd>`) : nothing}
                ${pinned && pinned.x.length > LISTED ? html`<dt>…</dt><dd>x<sub>${pinned.x.length}</sub></dd>` : nothing}
                ${pinned?.target.map((y, k, all) => html`<dt>y${all.length > 1 ? html`<sub>${k + 1}</sub>` : nothing}</dt><dd>${general(y)}</dd>`)}</dl>`}
        ${isText() || isPairs() ? nothing : givesBack() ? html`<gs-sample-back title=${t("sample.back")}></gs-sample-back>` : this.#bars()}
      </div>
      <div class="buttons">
        ${more && !this.#drawing
          ? html`<button @click=${() => nextSample(-1)} title=${t("sample.previous")} aria-label=${t("sample.previous")}>${icons.previous}</button>
              <button @click=${() => nextSample(1)} title=${t("sample.next")}>${t("sample.nextShort")}${icons.next}</button>`
          : nothing}
        ${canDraw
          ? html`<button aria-pressed=${this.#drawing} @click=${toggle}>${icons.pen}${this.#drawing ? t("sample.stopDrawing") : t("sample.draw")}</button>`
          : nothing}
        ${this.#drawing ? html`<button @click=${() => (this.querySelector("gs-pad") as HTMLElement & { clear(): void }).clear()}>${t("sample.clear")}</button>` : nothing}
      </div>
    </section>`;
  }
}
customElements.define("gs-sample", Sample);
