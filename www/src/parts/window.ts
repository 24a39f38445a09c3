import { effect, signal } from "@preact/signals-core";
import { html, nothing } from "lit";
import { activation, geometry, terms, type Geometry, type Term } from "../lib/convolution.js";
import { arrange, drawImage, drawTile } from "../lib/draw.js";
import { Drawing } from "../lib/drawing.js";
import { fixed } from "../lib/format.js";
import { latest } from "../lib/latest.js";
import { css, diverging, palette } from "../lib/palette.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { kernelOf } from "../state/pictures.js";
import type { Spec } from "../state/spec.js";
import * as store from "../state/store.js";
import { decode, tileOf } from "./maps.js";

/** The output cell that is looked at. */
const cell = signal<readonly [number, number] | undefined>(undefined);
const kernel = signal<{ layer: string; values: Float32Array; shape: readonly number[]; bias: Float32Array | undefined } | undefined>(undefined);
const layerName = (): string => store.built.value?.description.layers[0]?.name ?? "";
const layerSpec = (): Spec => (store.built.value?.setup.model.layers[0] ?? { type: "" }) as unknown as Spec;
const inputShape = (): readonly number[] => store.built.value?.setup.model.input ?? [];

const place = (): Geometry | undefined => (kernel.value ? geometry(layerSpec(), kernel.value.shape, inputShape()) : undefined);

/** Moves the window, within the map. */
function moveTo(row: number, column: number): void {
  const tile = tileOf(layerName());
  if (!tile) return;
  const clamp = (value: number, size: number): number => Math.max(0, Math.min(size - 1, value));
  const [i, j] = [clamp(row, tile.height), clamp(column, tile.width)];
  if (cell.value?.[0] !== i || cell.value[1] !== j) cell.value = [i, j];
}

/** A picture that the window moves over by mouse and arrow keys. */
abstract class Over extends Drawing {
  protected abstract at(x: number, y: number): [number, number];

  override connectedCallback(): void {
    super.connectedCallback();
    const { canvas } = this;
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.onpointermove = canvas.onpointerdown = (event) => moveTo(...this.at(event.offsetX / canvas.clientWidth, event.offsetY / canvas.clientHeight));
    canvas.onkeydown = (event) => {
      const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!by || event.altKey || !cell.value) return;
      event.preventDefault();
      moveTo(cell.value[0] + by[0]!, cell.value[1] + by[1]!);
    };
  }

  protected override heightFor(width: number): number {
    return width;
  }

  protected outline(context: CanvasRenderingContext2D, x: number, y: number, width: number, height: number): void {
    // Two lines, so that it shows on any ground.
    context.lineWidth = 3;
    context.strokeStyle = css(palette.peek().zero);
    context.strokeRect(x, y, width, height);
    context.lineWidth = 1.5;
    context.strokeStyle = css(palette.peek().ink);
    context.strokeRect(x, y, width, height);
  }
}

class WindowInput extends Over {
  protected override reads(): string {
    void store.pinned.value;
    void palette.value;
    void kernel.value;
    return t("window.input", { row: cell.value?.[0] ?? 0, column: cell.value?.[1] ?? 0 });
  }
  protected override at(x: number, y: number): [number, number] {
    const [rows = 1, columns = 1] = inputShape();
    const { kernel: size, strides, before } = place() ?? { kernel: [1, 1], strides: [1, 1], before: [0, 0] };
    return [Math.round((y * rows - size[0] / 2 + before[0]) / strides[0]), Math.round((x * columns - size[1] / 2 + before[1]) / strides[1])];
  }
  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const pinned = store.pinned.peek();
    const where = place();
    const [rows = 1, columns = 1] = inputShape();
    if (!pinned) return;
    drawImage(context, pinned.x, inputShape(), width, height);
    if (!where || !cell.value) return;
    const [sy, sx] = [height / rows, width / columns];
    const [row, column] = [cell.value[0] * where.strides[0] - where.before[0], cell.value[1] * where.strides[1] - where.before[1]];
    this.outline(context, column * sx, row * sy, where.kernel[1] * sx, where.kernel[0] * sy);
  }
}
customElements.define("gs-window-input", WindowInput);

class WindowOutput extends Over {
  protected override reads(): string {
    void store.frame.value;
    void palette.value;
    return t("window.output", { k: store.channel.value, row: cell.value?.[0] ?? 0, column: cell.value?.[1] ?? 0 });
  }
  protected override at(x: number, y: number): [number, number] {
    const tile = tileOf(layerName());
    return tile ? [Math.floor(y * tile.height), Math.floor(x * tile.width)] : [0, 0];
  }
  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const tile = tileOf(layerName());
    const frame = store.frame.peek();
    if (!tile || !frame) return;
    const one = { ...tile, count: 1, offset: tile.offset + store.channel.peek() * tile.width * tile.height };
    drawTile(context, frame.atlas, one, { ...arrange(one, width, height, 1), width, height });
    const [sy, sx] = [height / tile.height, width / tile.width];
    if (cell.value) this.outline(context, cell.value[1] * sx, cell.value[0] * sy, sx, sy);
  }
}
customElements.define("gs-window-output", WindowOutput);

/** The first convolution, number by number: the window on the input, its products, and the cell of the map that their sum becomes. */
class ConvolutionWindow extends View {
  #timer: ReturnType<typeof setInterval> | undefined;
  #unwatch: (() => void) | undefined;

  readonly #fetch = latest(async () => {
    const session = store.session.peek();
    const built = store.built.peek();
    const layer = built?.description.layers[0]?.name;
    const info = built?.parameters.find(({ name }) => name === kernelOf(layer ?? ""));
    if (!session || !layer || !info) return;
    try {
      const hasBias = built!.parameters.some(({ name }) => name === `${layer}.bias`);
      const [values, bias] = await Promise.all([session.getParameter(info.name), hasBias ? session.getParameter(`${layer}.bias`) : undefined]);
      if (store.session.peek() === session) kernel.value = { layer, values, shape: info.shape, bias };
      this.#begin();
    } catch {
      // The session ended meanwhile, and says so itself.
    }
  });

  #begunWith: Float32Array | undefined;

  /** Begins, for each new example, at the cell where the chosen filter answers most strongly. */
  #begin(): void {
    const x = store.pinned.peek()?.x;
    const of = kernel.peek();
    const tile = tileOf(layerName());
    const where = place();
    if (!x || !of || !tile || !where || this.#begunWith === x) return;
    this.#begunWith = x;
    let best = -Infinity;
    for (let row = 0; row < tile.height; row++) {
      for (let column = 0; column < tile.width; column++) {
        const sum = terms(x, inputShape(), of.values, of.shape, where, [row, column], store.channel.peek()).flat().reduce((total, { x, w }) => total + x * w, 0);
        if (sum > best) {
          best = sum;
          cell.value = [row, column];
        }
      }
    }
  }

  override connectedCallback(): void {
    super.connectedCallback();
    cell.value = undefined;
    this.#unwatch = effect(() => {
      void store.frame.value;
      this.#fetch();
    });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#unwatch?.();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #slide = (): void => {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = this.#timer ? undefined : setInterval(() => {
      const tile = tileOf(layerName());
      if (!tile || !cell.value || this.querySelector("canvas:hover")) return;
      const next = (cell.value[0] * tile.width + cell.value[1] + 1) % (tile.width * tile.height);
      moveTo(Math.floor(next / tile.width), next % tile.width);
    }, 140);
    this.requestUpdate();
  };

  #products(of: Term[][], columns: number) {
    const strongest = Math.max(1e-9, ...of.flat().map(({ x, w }) => Math.abs(x * w)));
    return of.map((channel, c) => html`<div class="products" style="grid-template-columns:repeat(${columns},minmax(0,1fr))" role="group" aria-label=${t("window.products", { c })}>
      ${channel.map(({ x, w, inside }) => {
        const product = x * w;
        return html`<div class="product ${inside ? "" : "outside"}" style="background:${css(diverging(product / strongest), 0.45)}">
          <small>${fixed(x, 2)}<i>×</i>${fixed(w, 2)}</small><b>${fixed(product, 3)}</b></div>`;
      })}
    </div>`);
  }

  override render() {
    const pinned = store.pinned.value;
    const tile = tileOf(layerName());
    const values = kernel.value;
    const where = place();
    if (!pinned || !tile || !values || !where || values.layer !== layerName() || !cell.value || pinned.x.length !== inputShape().reduce((a, b) => a * b, 1)) return nothing;
    const filter = Math.min(store.channel.value, values.shape[3]! - 1);
    const products = terms(pinned.x, inputShape(), values.values, values.shape, where, cell.value, filter);
    const n = products.flat().length;
    const sum = products.flat().reduce((total, { x, w }) => total + x * w, 0);
    const bias = values.bias?.[filter] ?? 0;
    const name = layerSpec().activation;
    const apply = activation(name);
    const result = apply?.(sum + bias);
    const shown = decode(tile, filter * tile.width * tile.height + cell.value[0] * tile.width + cell.value[1]);
    const agrees = result !== undefined && Math.abs(result - shown) <= tile.scale / 127;
    const [row, column] = cell.value;
    return html`<section class="panel window" aria-label=${t("window.title")}>
      <header><h2>${t("window.title")}</h2><p>${t("window.text", { n })}</p>
        <button aria-pressed=${this.#timer !== undefined} @click=${this.#slide}>${this.#timer ? t("window.stop") : t("window.slide")}</button></header>
      <div class="window-body">
        <figure><gs-window-input></gs-window-input><figcaption>${t("window.caption.input")}</figcaption></figure>
        <figure class="grow"><div class="product-grids">${this.#products(products, where.kernel[1])}</div><figcaption>${t("window.caption.products", { k: filter })}</figcaption></figure>
        <figure><gs-window-output></gs-window-output><figcaption>${t("window.caption.output", { layer: layerName(), k: filter })}</figcaption></figure>
      </div>
      <p class="equation mono" aria-live=${store.status.value === "training" ? "off" : "polite"}>
        <span>Σ ${t("window.count", { n })} <b>${fixed(sum)}</b></span><span>+ ${t("window.bias")} <b>${fixed(bias)}</b></span><span>= <b>${fixed(sum + bias)}</b></span>
        ${result !== undefined && name && name !== "linear" ? html`<span>→ ${String(name)} → <b class="result">${fixed(result)}</b></span>` : nothing}
        <span class="cell">= ${layerName()}[${row}, ${column}, ${filter}]</span>
        <span class="check ${agrees ? "good" : ""}" title=${t("window.checkWhy")}>${agrees ? t("window.agrees", { value: fixed(shown, 3) }) : t("window.waiting")}</span>
      </p>
    </section>`;
  }
}
customElements.define("gs-window", ConvolutionWindow);
