import { signal } from "@preact/signals-core";
import { html, noChange, nothing, type TemplateResult } from "lit";
import type { Term } from "gradscope";
import { fixed, general } from "../lib/format.js";
import { css, diverging, palette } from "../lib/palette.js";
import { writtenOut, type WrittenOut } from "../lib/softmax.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { select, selected, shapeOf, sizeOf, type Explained } from "../state/cell.js";
import type { Site } from "../state/site.js";
import * as store from "../state/store.js";
import { EVERY, Explaining } from "../state/terms.js";
import { valueOf } from "../state/values.js";
import { nodes } from "../state/walk.js";
import { icons } from "./icons.js";
import "./special-style.js";

type CrossEntropy = Extract<Site, { view: "crossEntropy" }>;

/** Classes that have a row of their own. */
const ROWS = 12;
/** Paths through p that have one: with targets that are spread over all classes there are as many as classes. */
const PATHS = 8;

/** The targets of the classes and ln Σ e^z, as the engine explains the loss: (Σ t) ln Σ e^z − Σ t z, where Σ t of a class's number is 1. */
function targetsOf({ term }: Explained, classes: number): { targets: number[]; logTotal: number } | undefined {
  const [total, own]: readonly (Term | undefined)[] = term.type === "call" ? term.arguments : [];
  const log = total?.type === "product" ? total.factors[1] : total;
  if (!log || own?.type !== "sum") return undefined;
  const targets = new Array<number>(classes).fill(0);
  for (const of of own.terms) {
    const [target, logit] = of.type === "product" ? of.factors : [];
    if (!target || logit?.type !== "element") return undefined;
    targets[logit.index.at(-1)!] = target.value;
  }
  return { targets, logTotal: log.value };
}

/** Four decimals, so that columns align; powers of ten where these would say nothing. */
const decimal = (value: number | undefined): string => (value !== undefined && value !== 0 && (Math.abs(value) < 5e-4 || Math.abs(value) >= 1e4) ? general(value) : fixed(value));

const agree = (a: number, b: number, scale = 1): boolean => Math.abs(a - b) <= 2e-6 * scale + 1e-5 * Math.abs(b);

function tick(right: boolean, why: string): TemplateResult {
  return html`<span class="check ${right ? "good" : "bad"}" title=${why}><span aria-hidden="true">${right ? "✓" : "✗"}</span><span class="unseen">${right ? t("softmax.same") : t("softmax.different")}</span></span>`;
}

/** Softmax and cross-entropy, written out and as one operation, forward and back, with the numbers of the example that is shown. */
class CrossEntropyView extends View {
  readonly #site = signal<CrossEntropy | undefined>(undefined);
  readonly #explaining = new Explaining();

  set site(site: CrossEntropy) {
    this.#site.value = site;
  }

  /** The classes that are shown: all of a few; else the likeliest, the true one and the chosen one. */
  #shown(p: readonly number[], targets: readonly number[] | undefined, chosen: number): number[] {
    if (p.length <= ROWS) return p.map((_, k) => k);
    const truth = targets?.indexOf(Math.max(...targets)) ?? -1;
    const likeliest = p.map((_, k) => k).sort((a, b) => p[b]! - p[a]!);
    return [...new Set([chosen, ...(truth < 0 ? [] : [truth]), ...likeliest])].slice(0, ROWS).sort((a, b) => a - b);
  }

  #name(k: number, chosen: number): TemplateResult {
    const site = this.#site.value!;
    const node = site.chosen === undefined ? site.logits : selected.value!.node;
    const element = site.row * this.#classes() + k;
    return html`<th scope="row"><button class="link" aria-pressed=${k === chosen} @click=${() => select({ node, element })}>${store.classes.value[k] ?? k}</button></th>`;
  }

  #classes(): number {
    return shapeOf(this.#site.value!.logits).at(-1) ?? 1;
  }

  /** The row of logits that is shown, of a node that has as many an example. */
  #row(node: number | undefined): Float32Array | undefined {
    const values = node === undefined ? undefined : valueOf(node);
    const size = node === undefined ? 0 : sizeOf(node) / this.#rows();
    return values?.subarray(this.#site.value!.row * size, (this.#site.value!.row + 1) * size);
  }

  #rows(): number {
    return sizeOf(this.#site.value!.loss);
  }

  /** Another position, where every one of a sequence has its own loss. */
  #positions(): TemplateResult | typeof nothing {
    const { row, chosen } = this.#site.value!;
    const rows = this.#rows();
    if (rows === 1) return nothing;
    const go = (to: number): void => {
      const { node } = selected.value!;
      select({ node, element: chosen === undefined ? to : to * this.#classes() + chosen });
    };
    return html`<p class="which">
      <button class="plain small" ?disabled=${row === 0} aria-label=${t("softmax.previous")} title=${t("softmax.previous")} @click=${() => go(row - 1)}>${icons.previous}</button>
      <span>${t("softmax.position", { k: row + 1, n: rows })}</span>
      <button class="plain small" ?disabled=${row === rows - 1} aria-label=${t("softmax.next")} title=${t("softmax.next")} @click=${() => go(row + 1)}>${icons.next}</button></p>`;
  }

  #tint(value: number, largest: number, gradient: boolean): string {
    return `background:${css(diverging(largest > 0 ? value / largest : 0, palette.value, gradient), 0.35)}`;
  }

  #forward(out: WrittenOut, z: ArrayLike<number>, targets: readonly number[] | undefined, logTotal: number | undefined, chosen: number, rows: readonly number[]): TemplateResult {
    const { loss, probabilities } = this.#site.value!;
    const engineP = this.#row(probabilities);
    const engineLoss = this.#row(loss)?.[0];
    const truth = targets?.indexOf(1) ?? -1;
    const rest = z.length - rows.length;
    const fused = logTotal === undefined || !targets ? undefined : targets.reduce((sum, target, k) => sum + (target ? target * (logTotal - z[k]!) : 0), 0);
    return html`<div class="two-sides"><div><h4>${t("softmax.expanded")}</h4>
        <div class="scroll-x" tabindex="0" role="region" aria-label=${t("softmax.expandedForward")}><table class="numbers chain-table"><thead><tr>
          <th scope="col">${t("softmax.class")}</th><th scope="col">z</th><th scope="col">z − max</th><th scope="col">e^</th><th scope="col">p = e^ / Σ</th><th scope="col">t</th><th scope="col">−t ln p</th></tr></thead>
        <tbody>${rows.map((k) => html`<tr class="${k === chosen ? "on" : ""}">${this.#name(k, chosen)}<td style=${this.#tint(z[k]!, Math.max(...Array.from(z, Math.abs)), false)}>${decimal(z[k])}</td><td>${decimal(out.shifted[k])}</td><td>${decimal(out.powers[k])}</td>
            <td style=${this.#tint(out.p[k]!, 1, false)}>${decimal(out.p[k])}</td><td>${targets ? general(targets[k]) : "–"}</td><td>${targets ? decimal(out.losses[k]) : "–"}</td></tr>`)}
          ${rest > 0 ? html`<tr class="rest"><th scope="row" colspan="7">${t("terms.more", { n: rest })}</th></tr>` : nothing}</tbody>
        <tfoot><tr><th scope="row" colspan="2">max ${decimal(out.most)}</th><td>Σ</td><td>${decimal(out.total)}</td><td>1</td><td></td><td><b>${targets ? decimal(out.loss) : "–"}</b></td></tr></tfoot></table></div></div>
      <div><h4>${t("softmax.fused")}</h4>
        <dl class="fused mono">
          <dt>ln Σ e^z</dt><dd>${decimal(logTotal)}</dd>
          <dt>${truth >= 0 ? html`z<sub>${store.classes.value[truth] ?? truth}</sub>` : "Σ t z"}</dt><dd>${targets ? decimal(targets.reduce((sum, target, k) => sum + (target ? target * z[k]! : 0), 0)) : "–"}</dd>
          <dt>L = ln Σ e^z − ${truth >= 0 ? html`z<sub>${store.classes.value[truth] ?? truth}</sub>` : "Σ t z"}</dt><dd><b>${decimal(fused)}</b></dd>
          <dt>${t("softmax.engineLoss")}</dt><dd>${decimal(engineLoss)} ${engineLoss === undefined || fused === undefined ? nothing : tick(agree(fused, engineLoss), t("softmax.tickLoss"))}</dd>
          <dt>${t("softmax.writtenLoss")}</dt><dd>${targets ? decimal(out.loss) : "–"} ${engineLoss === undefined || !targets ? nothing : tick(agree(out.loss, engineLoss), t("softmax.tickLoss"))}</dd>
          ${engineP ? html`<dt>${t("softmax.engineP", { name: store.classes.value[chosen] ?? String(chosen) })}</dt><dd>${decimal(engineP[chosen])} ${tick(agree(out.p[chosen]!, engineP[chosen]!), t("softmax.tickP"))}</dd>` : nothing}
        </dl>
        <p class="why">${Number.isFinite(out.loss) || !targets ? t("softmax.whyFused") : t("softmax.broken")}</p></div></div>`;
  }

  #backward(out: WrittenOut, targets: readonly number[], chosen: number, rows: readonly number[]): TemplateResult {
    const { gradient } = this.#site.value!;
    const node = gradient === undefined ? undefined : nodes.value[gradient];
    const engine = this.#row(gradient);
    const upstream = this.#row(node?.inputs[2])?.[0];
    const weight = targets.reduce((sum, target) => sum + target, 0);
    const fused = out.p.map((p, k) => weight * p - targets[k]!);
    const name = (k: number): string => store.classes.value[k] ?? String(k);
    const all = out.p.map((_, k) => k);
    // A class without a target sends nothing back.
    const paths = all.filter((k) => targets[k] !== 0);
    const rest = all.length - rows.length;
    const largest = Math.max(...fused.map(Math.abs));
    const shown = paths.slice(0, PATHS);
    const later = paths.slice(PATHS).reduce((sum, k) => sum + out.toP[k]! * out.slope(k, chosen), 0);
    const [only] = paths;
    return html`<div class="two-sides through"><div><h4>${t("softmax.chain", { name: name(chosen) })}</h4>
        <div class="scroll-x" tabindex="0" role="region" aria-label=${t("softmax.chainLabel")}><table class="numbers chain-table"><thead><tr>
          <th scope="col">k</th><th scope="col">∂L/∂p<sub>k</sub></th><th scope="col">∂p<sub>k</sub>/∂z<sub>${name(chosen)}</sub></th><th scope="col">${t("softmax.product")}</th></tr></thead>
        <tbody>${shown.map((k) => html`<tr><th scope="row">${name(k)}</th><td>${decimal(out.toP[k])}</td><td>${decimal(out.slope(k, chosen))}</td><td>${decimal(out.toP[k]! * out.slope(k, chosen))}</td></tr>`)}
          ${paths.length > shown.length ? html`<tr class="rest"><th scope="row" colspan="3">${t("terms.more", { n: paths.length - shown.length })}</th><td>${decimal(later)}</td></tr>` : nothing}
          ${all.length > paths.length ? html`<tr class="rest"><th scope="row" colspan="3">${t("softmax.noTarget", { n: all.length - paths.length })}</th><td>${decimal(0)}</td></tr>` : nothing}</tbody>
        <tfoot><tr><th scope="row" colspan="3">∂L/∂z<sub>${name(chosen)}</sub> = Σ</th><td class="written"><b>${decimal(out.toZ[chosen])}</b></td></tr></tfoot></table></div>
        ${paths.length === 1 && only !== undefined
          ? html`<p class="cancel mono">−${general(targets[only])} / <s>${decimal(out.p[only])}</s> × <s>${decimal(out.p[only])}</s> × (${only === chosen ? 1 : 0} − ${decimal(out.p[chosen])}) = <b>${decimal(fused[chosen])}</b> ${tick(agree(out.toZ[chosen]!, fused[chosen]!), t("softmax.tickChain"))}</p>`
          : html`<p class="cancel mono">p<sub>${name(chosen)}</sub> − t<sub>${name(chosen)}</sub> = ${decimal(out.p[chosen])} − ${general(targets[chosen])} = <b>${decimal(fused[chosen])}</b> ${tick(agree(out.toZ[chosen]!, fused[chosen]!), t("softmax.tickChain"))}</p>`}
        <p class="why">${Number.isFinite(out.toZ[chosen]!) ? t("softmax.cancels") : t("softmax.broken")}</p></div>
      <div><h4>${t("softmax.fusedBack")}</h4>
        <div class="scroll-x" tabindex="0" role="region" aria-label=${t("softmax.fusedBack")}><table class="numbers chain-table"><thead><tr>
          <th scope="col">${t("softmax.class")}</th><th scope="col">${t("softmax.writtenOut")}</th><th scope="col">p − t</th><td></td><th scope="col">× δ${upstream === undefined ? "" : ` ${general(upstream)}`}</th><th scope="col">∂L/∂z</th><td></td></tr></thead>
        <tbody>${rows.map((k) => html`<tr class="${k === chosen ? "on" : ""}" data-class=${k}>${this.#name(k, chosen)}<td>${decimal(out.toZ[k])}</td><td style=${this.#tint(fused[k]!, largest, true)}>${decimal(fused[k])}</td><td>${tick(agree(out.toZ[k]!, fused[k]!), t("softmax.tickChain"))}</td>
            <td>${upstream === undefined ? "–" : general(fused[k]! * upstream)}</td><td>${engine ? general(engine[k]) : "–"}</td>
            <td>${engine && upstream !== undefined ? tick(agree(fused[k]! * upstream, engine[k]!, Math.abs(upstream)), t("softmax.tickEngine")) : nothing}</td></tr>`)}
          ${rest > 0 ? html`<tr class="rest"><th scope="row" colspan="7">${t("terms.more", { n: rest })}</th></tr>` : nothing}</tbody></table></div></div></div>`;
  }

  override render() {
    const site = this.#site.value;
    const z = site && this.#row(site.logits);
    if (!site || !z) return nothing;
    const now = this.#explaining.of({ node: site.loss, element: site.row }, EVERY);
    // The neighbour's numbers stay until this row's have come.
    if (now && !this.#explaining.isCurrent) return noChange;
    const known = now && targetsOf(now, z.length);
    const out = writtenOut(z, known?.targets ?? []);
    const chosen = site.chosen ?? (known ? known.targets.indexOf(Math.max(...known.targets)) : out.p.indexOf(Math.max(...out.p)));
    const rows = this.#shown(out.p, known?.targets, chosen);
    return html`<div class="special-body cross-entropy">
      ${this.#positions()}
      <h3>${t("softmax.forward")}</h3>
      ${this.#forward(out, z, known?.targets, known?.logTotal, chosen, rows)}
      <h3>${t("softmax.backward")}</h3>
      ${known && site.gradient !== undefined ? this.#backward(out, known.targets, chosen, rows) : html`<p class="hatch not-yet-line">${t("softmax.later")}</p>`}
    </div>`;
  }
}
customElements.define("gs-cross-entropy-view", CrossEntropyView);
