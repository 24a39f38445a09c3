import { effect } from "@preact/signals-core";
import { html, nothing, type TemplateResult } from "lit";
import { count, fixed, percent } from "../lib/format.js";
import { nearest } from "../lib/nearest.js";
import { SeenView } from "../lib/seen.js";
import { say } from "../messages/inside.js";
import { table } from "../state/inside.js";
import { cancel, failed, followTable, layout, layOut, method, METHODS, most, NUMBERS, underway } from "../state/projection.js";
import { chosen, nameOf, vocabulary } from "../state/vocabulary.js";
import { neighbours } from "./word-plane.js";
import "./word-list.js";

/** Neighbours that are listed. */
const LISTED = 8;

/** The vocabulary, and, where the network has a vector for each token, these vectors in the plane. */
class Words extends SeenView {
  #stops: (() => void)[] = [];
  #near: readonly { row: number; cosine: number }[] = [];

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stops = [
      effect(() => (table.value ? followTable(this.seen) : undefined)),
      effect(() => {
        const [of, token] = [layout.value, chosen.value];
        this.#near = of && token !== undefined && token * of.width < of.rows.length ? nearest(of.rows, of.width, token, LISTED) : [];
        neighbours.value = this.#near.map(({ row }) => row);
      }),
    ];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const stop of this.#stops) stop();
  }

  /** How tokens are laid out, and of what moment. */
  #controls(): TemplateResult {
    const share = underway.value;
    return html`<div class="word-controls">
      <span class="segmented" role="group" aria-label=${say("words.method")}>${METHODS.map((name) => html`<button aria-pressed=${name === method.value} @click=${() => (method.value = name)}>${say(`words.${name}`)}</button>`)}</span>
      <label class="pick"><span>${say("words.most")}</span><select @change=${(event: Event) => (most.value = Number((event.target as HTMLSelectElement).value))}>
        ${NUMBERS.map((n) => html`<option value=${n} ?selected=${n === most.value}>${count(n)}</option>`)}</select></label>
      ${share === undefined || method.value === "pca"
        ? html`<button ?disabled=${share !== undefined || !vocabulary.value} @click=${() => layOut()}>${say("words.anew")}</button>`
        : html`<button @click=${cancel}>${say("words.cancel")}</button><span class="segment-bar" role="progressbar" aria-label=${say("words.underway")} aria-valuenow=${Math.round(100 * share)}><i style="width:${100 * share}%"></i></span>`}
    </div>`;
  }

  /** The chosen token and those whose vectors point the same way. */
  #chosen(): TemplateResult {
    const token = chosen.value;
    const [of, words] = [layout.value, vocabulary.value];
    void neighbours.value;
    if (token === undefined || !words) return html`<p class="caption">${say("words.choose")}</p>`;
    return html`<div aria-live="polite"><h3>${say("words.chosen", { name: nameOf(token), token: String(token), n: count(words.counts[token] ?? 0) })}</h3>
      ${of && !of.tokens.includes(token) ? html`<p class="caption">${say("words.notShown", { n: of.tokens.length })}</p>` : nothing}
      ${this.#near.length ? html`<p class="caption">${say("words.near")}</p><ol class="bars near">${this.#near.map(({ row, cosine }) => html`<li><button class="link name" @click=${() => (chosen.value = row)}>${nameOf(row)}</button>
        <span class="bar"><i style="width:${100 * Math.max(0, cosine)}%"></i></span><span class="value">${fixed(cosine, 2)}</span></li>`)}</ol>` : nothing}</div>`;
  }

  override render() {
    const of = layout.value;
    const plane = table.value !== undefined;
    return html`<section class="panel words-panel" aria-label=${say("words.title")}>
      <header><h2>${say("words.title")}</h2><p>${say(plane ? "words.text" : "words.textAlone")}</p></header>
      ${plane ? this.#controls() : nothing}
      <div class=${plane ? "words-body" : ""}>
        ${plane ? html`<div><gs-word-plane></gs-word-plane>
          <p class="caption">${of ? [say("words.step", { step: count(of.step) }), of.shares ? say("words.shares", { first: percent(of.shares[0]), second: percent(of.shares[1]) }) : say("words.umapText")].join(" ") : nothing}</p>
          ${failed.value ? html`<p class="failed" role="alert">${failed.value}</p>` : nothing}${this.#chosen()}</div>` : nothing}
        <gs-word-list></gs-word-list></div>
    </section>`;
  }
}
customElements.define("gs-words", Words);
