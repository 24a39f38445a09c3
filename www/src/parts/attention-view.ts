import { signal } from "@preact/signals-core";
import { html, nothing, type TemplateResult } from "lit";
import { fixed, general } from "../lib/format.js";
import { css, diverging, palette } from "../lib/palette.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { label, layout, select, selected, shapeOf } from "../state/cell.js";
import { firstToken, type Site } from "../state/site.js";
import { valueOf } from "../state/values.js";
import { followVocabulary, nameOf } from "../state/vocabulary.js";
import { computedYet, info } from "../state/walk.js";
import "./special-style.js";
import "./token-map.js";

type Attention = Extract<Site, { view: "attention" }>;

/** Positions that have a row of their own, and features of a value that have a column. */
const ROWS = 10;
const FEATURES = 4;

/** How one position looks at the others: a product with every key, the mask, softmax, and the values in those shares. */
class AttentionView extends View {
  readonly #site = signal<Attention | undefined>(undefined);

  set site(site: Attention) {
    this.#site.value = site;
  }

  protected override follow(): () => void {
    return followVocabulary();
  }

  /** What stands at a position of a query or a key: the token, or the position's number. */
  #token(position: number, of: "query" | "key"): string {
    const token = valueOf(info.value!.x)?.[firstToken(this.#site.value![of]) + position];
    return token === undefined ? `[${position}]` : nameOf(token);
  }

  /** Whether what is looked at is not what looks: a position of the one is none of the other then. */
  get #across(): boolean {
    const { query, key, scores } = this.#site.value!;
    const [, rows, columns] = shapeOf(scores);
    return rows !== columns || firstToken(query) !== firstToken(key);
  }

  /** The row of a head's matrix, or undefined where it is not computed. */
  #row(node: number, head: number, row: number): Float32Array | undefined {
    const columns = shapeOf(node)[2] ?? 1;
    const start = layout(node).at(head, row, 0);
    return computedYet(node) ? valueOf(node)?.subarray(start, start + columns) : undefined;
  }

  #look(head: number, row: number, column: number | undefined): void {
    const { weights, scores } = this.#site.peek()!;
    const node = computedYet(weights) ? weights : scores;
    const own = selected.peek()?.node;
    const square = own !== undefined && shapeOf(own).join() === shapeOf(node).join() ? own : node;
    select({ node: square, element: layout(square).at(head, row, column ?? Math.min(row, shapeOf(node)[2]! - 1)) });
  }

  /** The shares of a head: a row for each position that looks. */
  #map(): TemplateResult | typeof nothing {
    const { weights, head, row, column } = this.#site.value!;
    const [, rows = 1, columns = 1] = shapeOf(weights);
    const shares = valueOf(weights);
    if (!computedYet(weights) || !shares) return nothing;
    const names = (length: number, of: "query" | "key"): string[] => Array.from({ length }, (_, k) => this.#token(k, of));
    return html`<gs-token-map .of=${{
      label: t("attention.map", { rows, columns }), rows: names(rows, "query"), columns: names(columns, "key"), chosen: [row, column] as const,
      at: (r: number, c: number) => shares[layout(weights).at(head, r, c)], choose: (r: number, c: number) => this.#look(head, r, c),
    }}></gs-token-map>`;
  }

  /** Every position, in the colour of the share that it gets: the one that looks is outlined. */
  #tokens(weights: Float32Array | undefined, keys: number): TemplateResult {
    const { head, row, column } = this.#site.value!;
    const across = this.#across;
    const most = weights ? Math.max(...weights, 1e-30) : 1;
    return html`<ol class="attention-tokens" aria-label=${t("attention.tokens")}>${Array.from({ length: keys }, (_, k) => html`<li><button class="${!across && k === row ? "looks" : ""} ${k === column ? "looked" : ""}"
      style=${weights ? `background:${css(diverging(weights[k]! / most), 0.5)}` : ""} title=${weights ? `${label(this.#site.value!.weights)}[${head}, ${row}, ${k}] = ${general(weights[k])}` : ""}
      aria-label=${t("attention.token", { k, name: this.#token(k, "key"), weight: weights ? general(weights[k]) : "–" })} @click=${() => (across ? this.#look(head, row, k) : this.#look(head, k, undefined))}>${this.#token(k, "key")}</button></li>`)}</ol>`;
  }

  override render() {
    const site = this.#site.value;
    if (!site) return nothing;
    void palette.value;
    const { query, key, scores, weights, value, attended, head, row } = site;
    const [heads = 1, , keys = 1] = shapeOf(scores);
    const [q, s, w] = [this.#row(query, head, row), this.#row(scores, head, row), this.#row(weights, head, row)];
    if (!q || !s) return nothing;
    const dim = q.length;
    const root = Math.sqrt(dim);
    // What a mask hides has a share of exactly 0.
    const seen = (k: number): boolean => w?.[k] !== 0;
    const products = Array.from({ length: keys }, (_, k) => (this.#row(key, head, k) ?? new Float32Array()).reduce((sum, part, i) => sum + part * q[i]!, 0));
    const order = products.map((_, k) => k).filter(seen).sort((a, b) => (w ? w[b]! - w[a]! : s[b]! - s[a]!));
    const own = site.column;
    const shown = [...new Set([...(own === undefined ? [] : [own]), ...order])].slice(0, ROWS).sort((a, b) => a - b);
    const rest = order.length - shown.filter((k) => order.includes(k)).length;
    const out = this.#row(attended, head, row);
    const features = Math.min(FEATURES, shapeOf(value)[2] ?? 0);
    const largest = Math.max(1e-30, ...(w ?? []));
    const sums = Array.from({ length: features }, (_, i) => Array.from({ length: keys }, (_, k) => (w?.[k] ?? 0) * (this.#row(value, head, k)?.[i] ?? 0)).reduce((a, b) => a + b, 0));
    return html`<div class="special-body attention"><h3>${t("attention.title", { head: head + 1, heads, token: this.#token(row, "query"), row })}</h3>
      <p class="segmented heads" role="group" aria-label=${t("attention.heads")}>${Array.from({ length: heads }, (_, k) => html`<button aria-pressed=${k === head} @click=${() => this.#look(k, row, own)}>${t("attention.head", { k: k + 1 })}</button>`)}</p>
      ${this.#tokens(w, keys)}${this.#map()}
      <div class="scroll-x" tabindex="0" role="region" aria-label=${t("attention.table")}><table class="numbers chain-table"><thead><tr>
        <th scope="col">${t("attention.key")}</th><th scope="col">q · k</th><th scope="col">/ √${dim}</th><th scope="col">${t("attention.mask")}</th><th scope="col">softmax</th>
        ${sums.map((_, i) => html`<th scope="col">w · v<sub>${i}</sub></th>`)}</tr></thead>
      <tbody>${shown.map((k) => html`<tr class="${k === own ? "on" : ""}" data-key=${k}><th scope="row"><button class="link" aria-pressed=${k === own} @click=${() => this.#look(head, row, k)}>${this.#token(k, "key")} <small>${k}</small></button></th>
        <td>${fixed(products[k])}</td><td>${fixed(products[k]! / root)}</td>
        <td>${seen(k) ? fixed(s[k]) : t("attention.unseen")}</td>
        <td style=${w ? `background:${css(diverging(w[k]! / largest), 0.35)}` : ""}>${w ? fixed(w[k]) : html`<small>${t("cards.none")}</small>`}</td>
        ${sums.map((_, i) => html`<td>${w ? fixed(w[k]! * (this.#row(value, head, k)?.[i] ?? NaN)) : "–"}</td>`)}</tr>`)}
        ${rest > 0 ? html`<tr class="rest"><th scope="row" colspan=${5 + features}>${t("attention.rest", { n: rest })}</th></tr>` : nothing}</tbody>
      <tfoot><tr><th scope="row" colspan="4">Σ</th><td>${w ? fixed(w.reduce((a, b) => a + b, 0)) : "–"}</td>${sums.map((sum) => html`<td>${w ? fixed(sum) : "–"}</td>`)}</tr>
        <tr><th scope="row" colspan="5">${t("attention.out")}</th>${sums.map((_, i) => html`<td>${out ? fixed(out[i]) : "–"}</td>`)}</tr></tfoot></table></div>
      <p class="why">${t("attention.why")}</p></div>`;
  }
}
customElements.define("gs-attention-view", AttentionView);
