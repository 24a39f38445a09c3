import { signal } from "@preact/signals-core";
import { html, nothing, type TemplateResult } from "lit";
import type { Term } from "gradscope";
import { Drawing } from "../lib/drawing.js";
import { count, general } from "../lib/format.js";
import { css, palette } from "../lib/palette.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { elementLabel, label, layout, select, sizeOf, wholeElement, type Explained } from "../state/cell.js";
import { onward, type Site } from "../state/site.js";
import { Explaining } from "../state/terms.js";
import { valueOf, wholeOf } from "../state/values.js";
import { computedYet, nodes } from "../state/walk.js";
import "./special-style.js";

type Norm = Extract<Site, { view: "norm" }>;

/** What an element was normalised by, as the engine explains it: (x − mean) / √(variance + ε). */
interface Statistics {
  x: number;
  mean: number;
  variance: number;
  epsilon: number;
  spread: number;
  /** Elements of the group. */
  n: number;
}

function statisticsOf({ term }: Explained): Statistics | undefined {
  const parts = (of: Term | undefined): readonly Term[] => (of?.type === "call" ? of.arguments : of?.type === "product" ? of.factors : of?.type === "sum" ? of.terms : []);
  const [distance, spread] = parts(term);
  const [x, mean] = parts(distance);
  const sum = parts(mean).find(({ type }) => type === "sum");
  const inner = parts(parts(spread)[0]);
  const epsilon = inner.find(({ type }) => type === "number");
  const variance = inner.find((of) => of !== epsilon);
  if (!x || !mean || !spread || !epsilon || !variance || sum?.type !== "sum") return undefined;
  return { x: x.value, mean: mean.value, variance: variance.value, epsilon: epsilon.value, spread: spread.value, n: sum.count };
}

/** Bars of a histogram, and the standard deviations that it reaches on either side at least. */
const BARS = 48;
const REACH = 2.6;

/** How the numbers of a group are spread, with the mean, one σ on both sides, and the chosen one. */
class GroupHistogram extends Drawing {
  readonly #of = signal<{ values: readonly number[]; statistics: Statistics } | undefined>(undefined);
  set of(of: { values: readonly number[]; statistics: Statistics }) {
    this.#of.value = of;
  }

  protected override reads(): string {
    void palette.value;
    const of = this.#of.value;
    return of ? t("norm.histogram", { n: of.values.length, mean: general(of.statistics.mean), std: general(Math.sqrt(of.statistics.variance)), x: general(of.statistics.x) }) : "";
  }

  protected override heightFor(): number {
    return 148;
  }

  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const of = this.#of.peek();
    if (!of || !Number.isFinite(of.statistics.spread)) return;
    const { values, statistics: { mean, variance, x } } = of;
    const sigma = Math.sqrt(Math.max(0, variance));
    const { ink, dim, positive, negative, line, zero } = palette.peek();
    let [low, high] = [mean - REACH * sigma, mean + REACH * sigma];
    for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
    if (!(high > low)) [low, high] = [mean - 1, mean + 1];
    const bars = new Array<number>(BARS).fill(0);
    for (const value of values) bars[Math.min(BARS - 1, Math.floor(((value - low) / (high - low)) * BARS))]!++;
    const [top, bottom] = [24, height - 20];
    const at = (value: number): number => 1 + ((value - low) / (high - low)) * (width - 2);
    const tallest = Math.max(...bars);
    context.fillStyle = css(line, 0.6);
    context.fillRect(at(mean - sigma), top, at(mean + sigma) - at(mean - sigma), bottom - top);
    bars.forEach((n, k) => {
      if (n === 0) return;
      const from = low + (k / BARS) * (high - low);
      // By the square root, so that the rare are seen beside a spike, such as that of a relu.
      const tall = Math.max(1, Math.sqrt(n / tallest) * (bottom - top - 4));
      context.fillStyle = css(from + (high - low) / BARS / 2 < 0 ? negative : positive, 0.75);
      context.fillRect(at(from) + 0.5, bottom - tall, (width - 2) / BARS - 1, tall);
    });
    context.strokeStyle = css(dim);
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(0, bottom + 0.5);
    context.lineTo(width, bottom + 0.5);
    context.stroke();
    context.font = "11px Inter, system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "alphabetic";
    const mark = (value: number, text: string, strong: boolean): void => {
      context.strokeStyle = css(strong ? ink : dim);
      context.lineWidth = strong ? 1.5 : 1;
      context.setLineDash(strong ? [] : [3, 3]);
      context.beginPath();
      context.moveTo(at(value), top);
      context.lineTo(at(value), bottom);
      context.stroke();
      context.setLineDash([]);
      context.fillStyle = css(dim);
      const half = context.measureText(text).width / 2;
      context.fillText(text, Math.max(half, Math.min(width - half, at(value))), height - 5);
    };
    mark(mean - sigma, "−σ", false);
    mark(mean + sigma, "+σ", false);
    mark(mean, "μ", true);
    // The chosen number points down at its place from above.
    context.beginPath();
    context.moveTo(at(x) - 5, top - 9);
    context.lineTo(at(x) + 5, top - 9);
    context.lineTo(at(x), top - 1);
    context.closePath();
    context.fillStyle = css(ink);
    context.fill();
    context.strokeStyle = css(zero);
    context.stroke();
    context.fillStyle = css(ink);
    const half = context.measureText("x").width / 2;
    context.fillText("x", Math.max(half, Math.min(width - half, at(x))), top - 13);
  }
}
customElements.define("gs-group-histogram", GroupHistogram);

/** Batch norm and layer norm: the statistics of the group that the chosen element was normalised with, and what becomes of it. */
class NormView extends View {
  readonly #site = signal<Norm | undefined>(undefined);
  readonly #explaining = new Explaining();

  set site(site: Norm) {
    this.#site.value = site;
  }

  /** The elements of the group, in one example or in all. */
  #group(now: Explained): readonly number[] | undefined {
    const [source] = now.sources;
    const [elements] = now.sourceElements;
    if (!source || !elements) return undefined;
    // Within one example its own slice has them.
    const size = sizeOf(source.node);
    const first = Math.floor(elements[0]! / size);
    const within = !nodes.value[source.node]!.batched || elements.at(-1)! < (first + 1) * size;
    const values = within ? valueOf(source.node) : wholeOf(source.node);
    const offset = within && nodes.value[source.node]!.batched ? first * size : 0;
    return values && Array.from(elements, (element) => values[element - offset]!);
  }

  /** A moving statistic: what it is, what this step's statistic makes of it. */
  #moving(channel: number): TemplateResult | typeof nothing {
    const { layer } = nodes.value[this.#site.value!.node]!;
    const kept = nodes.value.flatMap(({ role, layer: own }, node) => (role === "statistic" && own === layer ? [node] : []));
    if (kept.length === 0) return nothing;
    return html`<div><h4>${t("norm.moving")}</h4><table class="numbers"><thead><tr><td></td><th scope="col">${t("norm.before")}</th><th scope="col">${t("norm.keeps")}</th><th scope="col">${t("norm.after")}</th></tr></thead><tbody>
      ${kept.map((node) => {
        // The update keeps a share of the old one: the product with it, and the sum that the product goes into.
        const product = nodes.value.findIndex(({ lane, op, inputs }) => lane === "update" && op === "mul" && inputs.includes(node));
        const after = nodes.value.findIndex(({ lane, op, inputs }) => lane === "update" && op === "add" && inputs.includes(product));
        const share = nodes.value[product]?.inputs.find((input) => input !== node);
        return html`<tr><th scope="row"><button class="link mono" @click=${() => select({ node, element: channel })}>${elementLabel(node, channel)}</button></th>
          <td>${general(valueOf(node)?.[channel])}</td><td>× ${share === undefined ? "–" : general(valueOf(share)?.[0])}</td>
          <td>${computedYet(after) ? general(valueOf(after)?.[channel]) : html`<small>${t("cards.none")}</small>`}</td></tr>`;
      })}</tbody></table><p class="why">${t("norm.movingText")}</p></div>`;
  }

  override render() {
    const site = this.#site.value;
    if (!site) return nothing;
    const cell = { node: site.node, element: site.element };
    const now = this.#explaining.of(cell, 2);
    const found = now && statisticsOf(now);
    if (!now || !found) return html`<div class="special-body"><p class="hatch not-yet-line">${computedYet(site.node) ? t("walk.computing") : t("cards.none")}</p></div>`;
    const { x, mean, variance, epsilon, spread, n } = found;
    const values = this.#group(now);
    const [source] = now.sources;
    const channel = layout(site.node).index(site.element).at(-1) ?? 0;
    const batch = n > sizeOf(site.node) || nodes.value.some(({ role, layer }) => role === "statistic" && layer === nodes.value[site.node]!.layer);
    const fact = (name: TemplateResult | string, value: number | undefined, formula?: TemplateResult | string): TemplateResult =>
      html`<dt>${name}${formula ? html` <span class="formula">${formula}</span>` : nothing}</dt><dd>${general(value)}</dd>`;
    const steps: TemplateResult[] = [];
    let before = now.value as number;
    for (let at = onward(site.node); at && steps.length < 3; at = onward(at.node)) {
      const { node, parameter } = at;
      const own = parameter === undefined ? undefined : valueOf(parameter)?.[channel];
      const value = computedYet(node) ? valueOf(node)?.[site.element] : undefined;
      const sign = nodes.value[node]!.op === "mul" ? "×" : "+";
      steps.push(html`<dt>${parameter === undefined ? nodes.value[node]!.op : html`${general(before)} ${sign} <button class="link mono" @click=${() => select({ node: parameter, element: channel })}>${elementLabel(parameter, channel)}</button> ${general(own)}`}</dt>
        <dd>${value === undefined ? html`<small>${t("cards.none")}</small>` : general(value)}</dd>`);
      before = value ?? NaN;
    }
    return html`<div class="special-body norm"><h3>${batch ? t("norm.titleBatch", { channel }) : t("norm.titleLayer")}</h3>
      <p class="caption">${batch ? t("norm.groupBatch", { n, channel }) : t("norm.groupLayer", { n })}</p>
      <div class="two-sides">
        <figure><figcaption><b class="mono">${source ? label(source.node) : ""}</b> ${t("norm.spread", { n: values?.length ?? 0 })}</figcaption>
          ${values ? html`<gs-group-histogram .of=${{ values, statistics: found }}></gs-group-histogram>` : html`<div class="hatch histogram-none"></div>`}
          <p class="why">${values && values.length < n ? t("norm.some", { n: count(values.length) }) : t("norm.band")}</p></figure>
        <dl class="fused mono">
          ${fact("x", x, source ? elementLabel(source.node, wholeElement({ node: source.node, element: site.element })) : "")}
          ${fact("μ", mean, "Σ x / n")}
          ${fact("σ²", variance, "Σ (x − μ)² / n")}
          ${fact("ε", epsilon)}
          ${fact("√(σ² + ε)", spread)}
          ${fact("x̂", now.value, html`(x − μ) / √(σ² + ε)`)}
          ${steps}
        </dl>
      </div>
      ${this.#moving(channel)}
    </div>`;
  }
}
customElements.define("gs-norm-view", NormView);
