import { effect, signal } from "@preact/signals-core";
import { html } from "lit";
import { augment, GradscopeError } from "gradscope";
import style from "../../styles/augmentation.css";
import { drawImage } from "../lib/draw.js";
import { Drawing } from "../lib/drawing.js";
import { latest } from "../lib/latest.js";
import { adopt } from "../lib/style.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import * as store from "../state/store.js";
import { icons } from "./icons.js";
import "./sample.js";

adopt(style);

/** Variants that are shown, and the space between them. */
const SHOWN = 12;
const GAP = 4;

interface Variants {
  shape: readonly number[];
  /** One after another. */
  values: Float32Array;
}

/** What the layers in the list make of the pinned image; none where one of them is impossible, which the list explains. */
const variants = signal<Variants | undefined>(undefined);
/** The step of training whose random numbers the first variant has. */
const from = signal(0);

const ask = latest(async () => {
  const [setup, pinned] = [store.setup.peek(), store.pinned.peek()];
  const model = setup?.model;
  if (!model || !pinned || model.input.reduce((a, b) => a * b, 1) !== pinned.x.length) return;
  try {
    const values = await augment(model, pinned.x, { count: SHOWN, seed: setup.seed, step: from.peek() });
    variants.value = { shape: model.input, values };
  } catch (error) {
    if (!(error instanceof GradscopeError)) throw error;
    variants.value = undefined;
  }
});

/** The variants side by side, as large as there is room for. */
class Variations extends Drawing {
  protected override reads(): string {
    this.classList.toggle("hatch", !variants.value);
    return t("augment.label", { n: SHOWN });
  }

  /** Columns that fill whole rows, and the side of one. */
  #place(width: number): { columns: number; side: number } {
    const columns = width >= 560 ? 6 : 4;
    return { columns, side: (width - (columns - 1) * GAP) / columns };
  }

  protected override heightFor(width: number): number {
    const { columns, side } = this.#place(width);
    const [rows = 1, across = 1] = variants.peek()?.shape ?? [];
    return (SHOWN / columns) * ((side * rows) / across + GAP) - GAP;
  }

  protected override draw(context: CanvasRenderingContext2D, width: number): void {
    const of = variants.peek();
    if (!of) return;
    const { columns, side } = this.#place(width);
    const [rows = 1, across = 1] = of.shape;
    const height = (side * rows) / across;
    const cells = of.values.length / SHOWN;
    for (let k = 0; k < SHOWN; k++) {
      context.save();
      context.translate((k % columns) * (side + GAP), Math.floor(k / columns) * (height + GAP));
      drawImage(context, of.values.subarray(k * cells, (k + 1) * cells), of.shape, side, height);
      context.restore();
    }
  }
}
customElements.define("gs-variations", Variations);

/** A preview of augmentation: the pinned image, and what the layers at the beginning of the list make of it. */
class Augmentation extends View {
  #stop: (() => void) | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stop = effect(() => {
      for (const of of [store.setup, store.pinned, from]) void of.value;
      ask();
    });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stop?.();
    variants.value = undefined;
    from.value = 0;
  }

  override render() {
    const last = from.value + SHOWN;
    return html`<section class="panel augmentation" aria-label=${t("augment.title")}>
      <header><h2>${t("augment.title")}</h2><p>${t("augment.steps", { first: from.value + 1, last })}</p>
        <button @click=${() => (from.value = last)}>${icons.reset}${t("augment.again")}</button></header>
      <div class="augmentation-body">
        <figure><gs-sample-image></gs-sample-image><figcaption>${t("augment.original")}</figcaption></figure>
        <gs-variations></gs-variations>
      </div>
      <p class="caption">${t("augment.text")}</p>
    </section>`;
  }
}
customElements.define("gs-augmentation", Augmentation);
