import { signal } from "@preact/signals-core";
import { html, nothing, type TemplateResult } from "lit";
import { general, narrow, shape } from "../lib/format.js";
import { css, diverging, palette } from "../lib/palette.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { cellOf, elementLabel, label, layout, shapeOf, type Explained } from "../state/cell.js";
import { onward, type Site } from "../state/site.js";
import { EVERY, Explaining, productsOf, type Product } from "../state/terms.js";
import { valueOf } from "../state/values.js";
import { computedYet, nodes } from "../state/walk.js";
import { Run, runKeys, runPanel, sumOf } from "./running-sum.js";
import { pictureName } from "./pictures.js";
import { weightSweep, type Sweep } from "./weight-sweep.js";
import { agreement } from "./walk-explain.js";
import type { Mark } from "./marked.js";
import "./marked.js";
import "./tensor.js";
import "./special-style.js";

type Conv = Extract<Site, { view: "conv" }>;

/** Pictures of one input, or of one gradient from above, whose products are added. */
interface Channel {
  picture: number;
  products: Product[];
  sum: number;
  /** The first of its products in the order of the whole sum. */
  from: number;
}

/** Channels that are shown large at once, and in the strip at most. */
const LARGE = 3;
const STRIP = 64;
/** A grid of more columns writes its products alone. */
const WIDE = 5;

const byValue = (values: Iterable<number>): number[] => [...new Set(values)].sort((a, b) => a - b);

/** A convolution's cell, as the window sees it: forward, and for both of its gradients. */
class ConvView extends View {
  readonly #site = signal<Conv | undefined>(undefined);
  /** The node whose picture is chosen from: that of the cell that was selected. */
  readonly #shown = signal<number>(-1);
  readonly #explaining = new Explaining();
  readonly #run = new Run(() => this.querySelector("figure:hover") !== null);
  /** Channels that are large, by the node that they are of. */
  readonly #chosen = signal<{ node: number; pictures: readonly number[] } | undefined>(undefined);

  set site(site: Conv) {
    this.#site.value = site;
  }
  set shown(node: number) {
    this.#shown.value = node;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#run.stop();
  }

  #channels(products: readonly Product[]): Channel[] {
    const found = new Map<number, Product[]>();
    for (const product of products) {
      const { input, element } = product.left;
      const [picture] = layout(input).where(cellOf(input, element).element);
      found.set(picture, [...(found.get(picture) ?? []), product]);
    }
    let from = 0;
    return [...found].sort(([a], [b]) => a - b).map(([picture, own]) => {
      const channel = { picture, products: own, sum: own.reduce((sum, { value }) => sum + value, 0), from };
      from += own.length;
      return channel;
    });
  }

  /** The channels that are shown large: all of a few; else those that were chosen, and in the beginning the strongest. */
  #large(node: number, channels: readonly Channel[]): readonly number[] {
    if (channels.length <= LARGE) return channels.map(({ picture }) => picture);
    const chosen = this.#chosen.value;
    const still = chosen?.node === node ? chosen.pictures.filter((picture) => channels.some((of) => of.picture === picture)) : [];
    if (still.length > 0) return still;
    const strongest = channels.reduce((best, of) => (Math.abs(of.sum) > Math.abs(best.sum) ? of : best)).picture;
    // It stays while the window moves on.
    queueMicrotask(() => (this.#chosen.value = { node, pictures: [strongest] }));
    return [strongest];
  }

  #choose(node: number, picture: number, large: readonly number[]): void {
    const others = large.filter((other) => other !== picture);
    const pictures = others.length < large.length ? others : [...others, picture].slice(-LARGE);
    if (pictures.length > 0) this.#chosen.value = { node, pictures };
  }

  /** The picture of a channel with the cells that its products take. */
  #picture(node: number, { picture, products, from }: Channel, at: number, forward: boolean): TemplateResult {
    const cells = products.map(({ left }) => layout(node).where(cellOf(node, left.element).element));
    const [rows, columns] = [cells.map(([, row]) => row), cells.map(([, , column]) => column)];
    const [top, left] = [Math.min(...rows), Math.min(...columns)];
    const marks: Mark[] = forward
      ? [{ kind: "frame", row: top, column: left, rows: Math.max(...rows) - top + 1, columns: Math.max(...columns) - left + 1 }]
      : cells.map(([, row, column]) => ({ kind: "touched", row, column }));
    const now = cells[at - 1 - from];
    if (now && at < from + products.length) marks.push({ kind: "cell", row: now[1], column: now[2] });
    const text = t(forward ? "conv.frameAt" : "conv.touchedAt", { name: label(node), picture: pictureName(node, picture), row: top, column: left, n: cells.length });
    return html`<figure><figcaption><b class="mono">${label(node)}</b> ${pictureName(node, picture)}, ${shape([layout(node).rows, layout(node).columns])}</figcaption>
      <gs-marked .of=${{ node, picture, marks, text }}></gs-marked></figure>`;
  }

  /** A channel's products where they lie, those that are in the sum in colour. */
  #products({ picture, products, from }: Channel, at: number, largest: number, site: Conv): TemplateResult {
    const node = products[0]!.left.input;
    const gradient = site.kind !== "forward";
    const where = products.map(({ left }) => layout(node).where(cellOf(node, left.element).element));
    const [rows, columns] = [byValue(where.map(([, row]) => row)), byValue(where.map(([, , column]) => column))];
    const few = columns.length <= WIDE;
    // At an edge there are fewer rows; what stands beneath shall not move.
    const high = (shapeOf(products[0]!.right.input)[0] ?? 1) * (few ? 64 : 30);
    return html`<figure class="grow"><figcaption>${t(gradient ? "conv.productsBack" : "conv.products")} ${pictureName(node, picture)}</figcaption>
      <div class="products ${few ? "" : "many"}" role="img" aria-label=${t("conv.productsLabel", { n: products.length })} style="grid-template-columns:repeat(${columns.length},minmax(0,1fr));min-height:${high}px">
      ${products.map(({ left, right, value }, k) => {
        const [, row, column] = where[k]!;
        const isIn = from + k < at;
        const place = `grid-area:${rows.indexOf(row) + 1}/${columns.indexOf(column) + 1}`;
        return html`<div class="product ${isIn ? "" : "ahead"} ${at < products.length + from && from + k === at - 1 ? "last" : ""}"
          style="${place};background:${isIn ? css(diverging(value / largest, palette.value, gradient), 0.45) : ""}"
          title="${elementLabel(node, left.element)} × ${elementLabel(right.input, right.element)}">
          ${gradient ? html`<small class="tap">w[${right.index.slice(0, 2).join(",")}]</small>` : nothing}
          ${few ? html`<small>${narrow(left.value)}</small><small><i>×</i> ${narrow(right.value)}</small>` : nothing}<b>${narrow(value)}</b></div>`;
      })}</div></figure>`;
  }

  /** Every channel's products in small; the pressed ones are shown large. */
  #strip(node: number, channels: readonly Channel[], large: readonly number[], at: number, largest: number, gradient: boolean): TemplateResult | typeof nothing {
    if (channels.length <= LARGE) return nothing;
    const shown = channels.slice(0, STRIP);
    const rest = channels.slice(STRIP);
    const where = shown[0]!.products.map(({ left }) => layout(node).where(cellOf(node, left.element).element));
    const columns = new Set(where.map(([, , column]) => column)).size;
    const keys = (event: KeyboardEvent): void => {
      const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
      if (!by || event.altKey) return;
      event.preventDefault();
      const buttons = [...this.querySelectorAll<HTMLElement>(".strip button")];
      buttons[(buttons.indexOf(event.target as HTMLElement) + by + buttons.length) % buttons.length]?.focus();
    };
    return html`<div class="strip-box"><p class="caption">${t("conv.strip", { n: channels.length })}</p>
      <div class="strip" role="toolbar" aria-label=${t("conv.stripLabel")} @keydown=${keys}>${shown.map(({ picture, products, from, sum }) => {
        const on = large.includes(picture);
        return html`<button aria-pressed=${on} tabindex=${picture === (large[0] ?? shown[0]!.picture) ? 0 : -1} title="${pictureName(node, picture)}: ${general(sum)}"
          aria-label=${t("conv.channelSum", { picture: pictureName(node, picture), sum: general(sum) })} @click=${() => this.#choose(node, picture, large)}>
          <span class="small-products" style="grid-template-columns:repeat(${columns},1fr)">${products.map(({ value }, k) =>
            html`<i style=${from + k < at ? `background:${css(diverging(value / largest, palette.value, gradient))}` : ""}></i>`)}</span>
          <small>${picture}</small></button>`;
      })}${rest.length ? html`<small class="more">${t("terms.more", { n: rest.length })}</small>` : nothing}</div></div>`;
  }

  /** What follows the sum: the bias, the activation, with the numbers that the engine has. */
  #onward(now: Explained, sum: number): TemplateResult {
    const { element } = cellOf(now.node, now.element);
    const steps: TemplateResult[] = [];
    for (let at = onward(now.node); at && steps.length < 4; at = onward(at.node)) {
      const { parameter, node } = at;
      const value = computedYet(node) ? valueOf(node)?.[element] : undefined;
      const own = parameter === undefined ? undefined : valueOf(parameter)?.[layout(now.node).index(element).at(-1) ?? 0];
      steps.push(html`<span>${parameter === undefined ? html`→ ${nodes.value[node]!.op} →` : html`+ ${label(parameter)} <b>${general(own)}</b> =`}
        ${computedYet(node) ? html`<b class="result">${general(value)}</b>` : html`<span class="hatch unknown">${t("cards.none")}</span>`}</span>`);
    }
    return html`<span>Σ <b>${general(sum)}</b></span>${steps}`;
  }

  /** The kernel as it lies on the input, and turned, as it lies on the gradients from above. */
  #turned({ products }: Channel, at: number): TemplateResult {
    const { right } = products[0]!;
    const [rows = 1, columns = 1] = shapeOf(right.input);
    const of = layout(right.input);
    const [picture] = of.where(right.element);
    const values = valueOf(right.input);
    const largest = Math.max(1e-30, ...Array.from({ length: rows * columns }, (_, k) => Math.abs(values?.[of.at(picture, Math.floor(k / columns), k % columns)] ?? 0)));
    const now = products[at - 1]?.right.index;
    const used = new Set(products.map(({ right }) => right.index.slice(0, 2).join()));
    const grid = (turn: boolean): TemplateResult => html`<div class="taps" role="img" aria-label=${t(turn ? "conv.turnedLabel" : "conv.kernelLabel")} style="grid-template-columns:repeat(${columns},58px)">
      ${Array.from({ length: rows * columns }, (_, k) => {
        const place = turn ? rows * columns - 1 - k : k;
        const [p, q] = [Math.floor(place / columns), place % columns];
        const value = values?.[of.at(picture, p, q)];
        return html`<span class="${used.has(`${p},${q}`) ? "" : "unused"} ${now?.[0] === p && now[1] === q ? "last" : ""}" style="background:${css(diverging((value ?? 0) / largest, palette.value), 0.4)}"><small>${p},${q}</small>${general(value)}</span>`;
      })}</div>`;
    return html`<div class="turned"><figure><figcaption>${t("conv.kernel", { name: pictureName(right.input, picture) })}</figcaption>${grid(false)}</figure>
      <span class="turn" aria-hidden="true">↻ 180°</span>
      <figure><figcaption>${t("conv.turned")}</figcaption>${grid(true)}</figure>
      <p>${t("conv.whyTurned")}</p></div>`;
  }

  #result(gradient: boolean): TemplateResult {
    const node = this.#shown.value;
    const kernel = layout(node).kind === "kernel";
    return html`<figure><figcaption><b class="mono">${label(node)}</b> ${t(kernel ? "conv.chooseWeight" : gradient ? "conv.choosePixel" : "conv.chooseCell")}</figcaption>
      <gs-tensor .node=${node} .most=${kernel ? 16 : 1} .grows=${224} .largest=${44}></gs-tensor></figure>`;
  }

  /** Forward, or back to the input: products in place. */
  #window(site: Conv, now: Explained, products: readonly Product[]): TemplateResult {
    const gradient = site.kind === "input";
    const channels = this.#channels(products);
    const ordered = channels.flatMap((channel) => channel.products);
    const node = products[0]!.left.input;
    const large = this.#large(node, channels);
    const key = `${now.node} ${now.element} ${now.value}`;
    const terms = ordered.map(({ value }) => value);
    const at = this.#run.at(key, terms.length);
    const largest = Math.max(1e-30, ...terms.map(Math.abs).filter(Number.isFinite));
    const last = (k: number): TemplateResult | string => {
      const { left, right, value } = ordered[k]!;
      return html`${elementLabel(node, left.element, left.upstream ? "δ" : undefined)} <b>${general(left.value)}</b> × ${elementLabel(right.input, right.element)} <b>${general(right.value)}</b> = <b>${general(value)}</b>`;
    };
    const shown = channels.filter(({ picture }) => large.includes(picture));
    const sum = sumOf(terms, terms.length);
    return html`<div class="window-rows" @keydown=${(event: KeyboardEvent) => runKeys(event, this.#run, key, terms.length)}>
        <div class="window-grid">
          <div class="window-channels">${shown.map((channel) => html`<div>${this.#picture(node, channel, at, !gradient)}${this.#products(channel, at, largest, site)}</div>`)}</div>
          ${this.#result(gradient)}
        </div>
        ${runPanel({ run: this.#run, key, terms, gradient, last })}
        <p class="equation mono">${gradient ? html`<span>Σ ${t("terms.count", { n: terms.length })} <b>${general(sum)}</b></span>` : this.#onward(now, sum)}
          ${agreement(now.value, sum)}</p>
        ${this.#strip(node, channels, large, at, largest, gradient)}
        ${gradient ? this.#turned(shown[0] ?? channels[0]!, at - (shown[0] ?? channels[0]!).from) : nothing}
      </div>`;
  }

  /** Back to a weight: its window sweeps over the input. */
  #weight(now: Explained, sweep: Sweep): TemplateResult {
    const key = `${now.node} ${now.element} ${now.value} ${sweep.example}`;
    const at = this.#run.at(key, sweep.terms.length);
    const { input, delta, frame } = sweep;
    const place = at < sweep.terms.length ? sweep.places[at - 1] : undefined;
    const resting = place ?? sweep.places[sweep.strongest];
    const marks = (cell: readonly [number, number] | undefined, box?: Mark): Mark[] => [...(box ? [box] : []), ...(cell ? [{ kind: "cell", row: cell[0], column: cell[1] } as const] : [])];
    const picture = (node: number, k: number, list: Mark[], text: string): TemplateResult => html`<figure><figcaption><b class="mono">${label(node)}</b> ${pictureName(node, k)}</figcaption>
      <gs-marked .of=${{ node, picture: k, marks: list, text }}></gs-marked></figure>`;
    const sum = sumOf(sweep.terms, sweep.terms.length);
    return html`<div class="window-rows" @keydown=${(event: KeyboardEvent) => runKeys(event, this.#run, key, sweep.terms.length)}>
        <div class="window-grid three">
          ${picture(input.node, input.picture, marks(resting?.input, resting && { kind: "frame", row: resting.input[0] - frame.row, column: resting.input[1] - frame.column, rows: frame.rows, columns: frame.columns }), t("conv.sweepInput", { row: resting?.input[0] ?? 0, column: resting?.input[1] ?? 0 }))}
          ${picture(delta.node, delta.picture, marks(resting?.delta), t("conv.sweepDelta", { row: resting?.delta[0] ?? 0, column: resting?.delta[1] ?? 0 }))}
          ${this.#result(true)}
        </div>
        ${runPanel({ run: this.#run, key, terms: sweep.terms, gradient: true, last: sweep.last })}
        <p class="equation mono"><span>${t("conv.thisExample", { n: sweep.own.n })} <b>${general(sweep.own.sum)}</b></span>
          ${sweep.others.n ? html`<span>+ ${t("conv.otherExamples", { n: sweep.others.n })} <b>${general(sweep.others.sum)}</b></span>` : nothing}<span>= <b>${general(sum)}</b></span>${agreement(now.value, sum)}</p>
        <p class="why">${t("teach.convKernel")}</p>
      </div>`;
  }

  override render() {
    const site = this.#site.value;
    if (!site) return nothing;
    const kernel = site.kind === "kernel";
    const now = this.#explaining.of(site.cell, kernel ? 1 : EVERY);
    if (!now) return html`<div class="window-rows coming" role="status">${t("walk.computing")}</div>`;
    const sweep = kernel ? weightSweep(now) : undefined;
    const products = kernel ? undefined : productsOf(now.term);
    if (sweep) return this.#weight(now, sweep);
    if (products?.length) return this.#window(site, now, products);
    const many = !kernel && now.term.type === "sum" && now.term.count > EVERY;
    return html`<div class="window-rows coming" role="status">${kernel ? t("walk.computing") : many ? t("conv.many", { n: EVERY }) : t("conv.none")}</div>`;
  }
}
customElements.define("gs-conv-view", ConvView);
