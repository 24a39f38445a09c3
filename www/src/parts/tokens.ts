import { html, nothing, type TemplateResult } from "lit";
import type { Learned, Tokenizer } from "gradscope";
import style from "../../styles/tokens.css";
import { count, fixed } from "../lib/format.js";
import { adopt } from "../lib/style.js";
import { visible } from "../lib/text.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { TOKENIZERS } from "../state/spec.js";
import * as store from "../state/store.js";
import { change, followText, MOST, options, tokenization } from "../state/tokens.js";
import { pieces } from "./pieces.js";

adopt(style);

/** Learned tokens that are listed at first, and with every wish for more. */
const ROWS = 50;

/** How a text is cut into tokens: the pinned window, and what was learned, in order. */
class Tokens extends View {
  /** The place in the window that is looked at. */
  #chosen: number | undefined;
  #rows = ROWS;

  protected override follow(): () => void {
    return followText();
  }

  #choose(place: number | undefined): void {
    this.#chosen = place;
    this.requestUpdate();
  }

  #keys = (event: KeyboardEvent): void => {
    const length = store.pinned.value?.x.length ?? 0;
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined || event.altKey || length === 0) return;
    event.preventDefault();
    event.stopPropagation();
    this.#choose(Math.min(length - 1, Math.max(0, (this.#chosen ?? -1) + by)));
  };

  #name(token: number): TemplateResult {
    return html`<span class="token mono">${visible(store.session.value?.info.classes[token])}</span>`;
  }

  #joined([left, right]: readonly [number, number]): TemplateResult {
    return html`${this.#name(left)} + ${this.#name(right)}`;
  }

  /** The merges that lead to a token, in the order in which they are made. */
  #merges(token: number, byToken: ReadonlyMap<number, Learned>): Learned[] {
    const of = byToken.get(token);
    return of?.pair ? [...new Set([...of.pair.flatMap((part) => this.#merges(part, byToken)), of])].sort((a, b) => a.token - b.token) : [];
  }

  /** What the chosen token of the window is, and how it came to be. */
  #made(learned: readonly Learned[]): TemplateResult | typeof nothing {
    const token = this.#chosen === undefined ? undefined : store.pinned.value?.x[this.#chosen];
    if (token === undefined) return nothing;
    const byToken = new Map(learned.map((of) => [of.token, of]));
    const times = byToken.get(token);
    return html`<div class="made" aria-live="polite"><p>${this.#name(token)} ${t("documents.token", { number: String(token) })}${times ? `, ${t("tokens.times", { n: times.count })}` : nothing}</p>
      <ol>${this.#merges(token, byToken).map((of) => html`<li>${this.#joined(of.pair!)} → ${this.#name(of.token)}</li>`)}</ol></div>`;
  }

  #learned(tokenizer: Tokenizer, learned: readonly Learned[]): TemplateResult | typeof nothing {
    if (!learned.length) return nothing;
    const merges = tokenizer === "bpe";
    const name = t(merges ? "tokens.merges" : "tokens.words");
    return html`<h3>${name}</h3><div class="learned" tabindex="0" role="region" aria-label=${name}><table class="numbers"><thead><tr><th scope="col">${t("tokens.order")}</th>
        ${merges ? html`<th scope="col">${t("tokens.pair")}</th>` : nothing}<th scope="col">${t("tokens.token")}</th><th scope="col">${t("tokens.count")}</th></tr></thead>
      <tbody>${learned.slice(0, this.#rows).map(({ token, pair, count: times }, k) => html`<tr><td>${count(k + 1)}</td>${pair ? html`<td>${this.#joined(pair)}</td>` : nothing}<td>${this.#name(token)}</td><td>${count(times)}</td></tr>`)}</tbody></table>
      ${learned.length > this.#rows ? html`<button @click=${() => { this.#rows += ROWS; this.requestUpdate(); }}>${t("tokens.more", { n: Math.min(ROWS, learned.length - this.#rows) })}</button>` : nothing}</div>`;
  }

  override render() {
    const of = tokenization.value;
    const names = store.session.value?.info.classes ?? [];
    const pinned = store.pinned.value;
    return html`<section class="panel tokens" aria-label=${t("tokens.title")}>
      <header><h2>${t("tokens.title")}</h2>${of ? html`<p>${t("tokens.ratio", { n: names.length, ratio: fixed(of.charactersPerToken, 2) })}</p>` : nothing}</header>
      ${of ? html`<p>${t(`tokens.about.${of.tokenizer}`, { characters: of.characters, learned: of.learnedInAll })}</p>` : nothing}
      ${pinned
        ? html`<p class="token-window mono" tabindex="0" role="group" aria-label=${t("tokens.window")} @keydown=${this.#keys}>${pieces(pinned.x, names, this.#chosen, (place) => this.#choose(place === this.#chosen ? undefined : place))}</p>`
        : html`<div class="hatch token-window"></div>`}
      ${of ? html`${this.#made(of.learned)}${this.#learned(of.tokenizer, of.learned)}` : nothing}
    </section>`;
  }
}
customElements.define("gs-tokens", Tokens);

/** What the tokens of a text are to be. */
class TextOptions extends View {
  override render() {
    const setup = store.setup.value;
    if (!setup) return nothing;
    const { tokenizer, vocabulary, least } = options(setup);
    return html`<section class="form"><h3>${t("tokens.title")}</h3>
      <label><span>${t("tokens.are")}</span><select @change=${(event: Event) => change((event.target as HTMLSelectElement).value as Tokenizer, vocabulary)}>
        ${TOKENIZERS.map((of) => html`<option value=${of} ?selected=${of === tokenizer}>${t(`tokens.of.${of}`)}</option>`)}</select></label>
      ${tokenizer === "character" ? nothing : html`<label title=${t("tokens.vocabularyWhy")}><span>${t("tokens.vocabulary")}</span><input type="number" inputmode="numeric" min=${least} max=${MOST} step="1" .value=${String(vocabulary)}
        @change=${(event: Event) => {
          const typed = Math.round(Number((event.target as HTMLInputElement).value));
          if (Number.isFinite(typed)) change(tokenizer, Math.min(MOST, Math.max(least, typed)));
        }}></label>`}
    </section>`;
  }
}
customElements.define("gs-text-options", TextOptions);
