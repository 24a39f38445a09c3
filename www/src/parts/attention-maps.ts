import { html, nothing, type TemplateResult } from "lit";
import { signal } from "@preact/signals-core";
import { picture } from "../lib/draw.js";
import { Drawing } from "../lib/drawing.js";
import { percent } from "../lib/format.js";
import { byteColours, css, palette } from "../lib/palette.js";
import { roving } from "../lib/roving.js";
import { SeenView } from "../lib/seen.js";
import { say } from "../messages/inside.js";
import { attentions, choice, forgetAttention, lookAtAttention, map, oneStack, row, type Attention } from "../state/attention.js";
import { following } from "../state/following.js";
import { attending, filled, read } from "../state/inside.js";
import { nameOf } from "../state/vocabulary.js";
import "./token-map.js";

/** A head as a small picture, without the padding: in each row the strongest colour is its largest share. */
class Head extends Drawing {
  readonly #of = signal<{ of: Attention; head: number } | undefined>(undefined);

  set of(of: { of: Attention; head: number }) {
    const now = this.#of.peek();
    // The same head of the same look is the same picture, however often the panel around it is rendered.
    if (now?.of !== of.of || now.head !== of.head) this.#of.value = of;
  }

  protected override reads(): string {
    void byteColours.value;
    const head = this.#of.value;
    return head ? say("attention.head", { layer: head.of.layer, k: head.head + 1 }) : "";
  }

  protected override heightFor(width: number): number {
    const { rows, columns } = this.#shown() ?? { rows: 1, columns: 1 };
    return Math.min(2 * width, Math.max(8, (width * rows) / columns));
  }

  #shown(): { rows: number; columns: number } | undefined {
    const of = this.#of.peek()?.of;
    return of && { rows: filled(of.firstRow, of.rows), columns: filled(of.firstColumn, of.columns) };
  }

  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const head = this.#of.peek();
    const shown = this.#shown();
    if (!head || !shown) return;
    const { shares, rows, columns } = head.of;
    const colours = new Uint32Array(shown.rows * shown.columns);
    for (let r = 0; r < shown.rows; r++) {
      const start = (head.head * rows + r) * columns;
      const own = shares.subarray(start, start + shown.columns);
      const most = own.reduce((a, b) => Math.max(a, b), 1e-30);
      own.forEach((share, c) => (colours[r * shown.columns + c] = byteColours.peek()[128 + Math.round((127 * share) / most)]!));
    }
    context.drawImage(picture(colours, shown.columns, shown.rows), 0, 0, width, height);
  }
}
customElements.define("gs-attention-head", Head);

/** What every head of every layer looks at in the pinned example; one of them large; and all layers rolled out. */
class AttentionMaps extends SeenView {
  #stop: (() => void) | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stop = following(this.seen, () => void [read.value, attending.value], lookAtAttention, forgetAttention);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stop?.();
  }

  /** A layer's heads, and their mean. */
  #layer(of: Attention, layer: number): TemplateResult {
    const now = choice.value;
    const on = (head: number | "mean"): boolean => now !== "rollout" && now.layer === layer && now.head === head;
    return html`<div class="attention-layer" role="group" aria-label=${of.layer}><h3>${of.layer}${of.self ? nothing : html` <small>${say("attention.across")}</small>`}</h3>
      <div class="attention-heads">${Array.from({ length: of.heads }, (_, head) => html`<button aria-pressed=${on(head)} aria-label=${say("attention.head", { layer: of.layer, k: head + 1 })}
        @click=${() => (choice.value = { layer, head })}><gs-attention-head .of=${{ of, head }}></gs-attention-head></button>`)}
        <button class="mean" aria-pressed=${on("mean")} @click=${() => (choice.value = { layer, head: "mean" })}>${say("attention.mean")}</button></div></div>`;
  }

  /** The chosen map with its tokens, and the tokens again in the colour of the share that one row gives them. */
  #map(): TemplateResult | typeof nothing {
    const of = map.value;
    const x = read.value;
    if (!of || !x) return nothing;
    const now = choice.value;
    const [rows, columns] = [filled(of.firstRow, of.rows), filled(of.firstColumn, of.columns)];
    const names = (first: number, count: number): string[] => Array.from({ length: count }, (_, k) => nameOf(x[first + k]!));
    const own = Math.min(row.value ?? Infinity, rows - 1);
    const at = (r: number, c: number): number => of.shares[r * of.columns + c]!;
    const most = Array.from({ length: rows }, (_, r) => Array.from({ length: columns }, (_, c) => at(r, c)).reduce((a, b) => Math.max(a, b), 1e-30));
    const [rowNames, columnNames] = [names(of.firstRow, rows), names(of.firstColumn, columns)];
    const title = now === "rollout" ? say("attention.rollout") : now.head === "mean" ? say("attention.meanOf", { layer: of.layer }) : say("attention.head", { layer: of.layer, k: now.head + 1 });
    const look = (r: number): void => void (row.value = r);
    return html`<div class="attention-map"><h3>${title}</h3>
      <gs-token-map .of=${{ label: say("attention.label", { title, rows, columns }), rows: rowNames, columns: columnNames, at: (r: number, c: number) => at(r, c) / most[r]!, chosen: [own, undefined] as const, choose: look, point: look }}></gs-token-map>
      <p class="caption">${say("attention.caption")}</p>
      ${of.self ? nothing : html`<ol class="attention-row mono" aria-label=${say("attention.rows")} @keydown=${roving}>${rowNames.map((name, r) => html`<li><button tabindex=${r === own ? 0 : -1} class=${r === own ? "own" : ""}
        aria-pressed=${r === own} @click=${() => look(r)} @focus=${() => look(r)}>${name}</button></li>`)}</ol>`}
      <p class="caption" aria-live="polite">${say(now === "rollout" ? "attention.from" : "attention.looks", { k: own + 1, name: rowNames[own] ?? "–" })}</p>
      <ol class="attention-row mono" @keydown=${roving}>${columnNames.map((name, c) => {
        const share = at(own, c);
        return html`<li><button tabindex=${c === Math.min(own, columns - 1) ? 0 : -1} class=${of.self && c === own ? "own" : ""} style="background:${css(palette.value.positive, (0.5 * share) / most[own]!)}"
          title=${percent(share, true)} aria-label=${say("attention.share", { k: c + 1, name, share: percent(share, true) })} @click=${() => of.self && look(c)} @focus=${() => of.self && look(c)}>${name}</button></li>`;
      })}</ol></div>`;
  }

  override render() {
    const all = attentions.value;
    const rolls = oneStack.value;
    return html`<section class="panel attention-panel" aria-label=${say("attention.title")}>
      <header><h2>${say("attention.title")}</h2><p>${say("attention.text")}</p></header>
      ${all.length === 0 ? html`<div class="hatch inside-wait"></div>` : html`<div class="attention-body">
        <div class="attention-layers">${all.map((of, layer) => this.#layer(of, layer))}
          <div class="attention-layer all"><h3>${say("attention.all")}</h3>${rolls
            ? html`<div class="attention-heads"><button class="mean" aria-pressed=${choice.value === "rollout"} @click=${() => (choice.value = "rollout")}>${say("attention.rollout")}</button></div><p class="caption">${say("attention.rolloutText")}</p>`
            : html`<p class="caption">${say("attention.noRollout")}</p>`}</div></div>
        ${this.#map()}</div>`}
    </section>`;
  }
}
customElements.define("gs-attention-maps", AttentionMaps);
