import { html, nothing } from "lit";
import { count } from "../lib/format.js";
import { roving } from "../lib/roving.js";
import { View } from "../lib/view.js";
import { say } from "../messages/inside.js";
import { chosen, nameOf, special, vocabulary } from "../state/vocabulary.js";

/** Tokens on a page of the list. */
const PAGE = 50;

/** Every token of the data by number, with how often it occurs: to be searched, and to be chosen. */
class WordList extends View {
  #search = "";
  #page = 0;

  #found(tokens: readonly string[]): number[] {
    const wanted = this.#search.toLowerCase();
    const all = [...tokens.keys()];
    if (!wanted) return all;
    // The word itself comes before those that it is a part of.
    const rank = (name: string): number => (name === this.#search ? 0 : name.toLowerCase() === wanted ? 1 : 2);
    return all.filter((token) => nameOf(token).toLowerCase().includes(wanted)).sort((a, b) => rank(nameOf(a)) - rank(nameOf(b)));
  }

  #turn(page: number): void {
    this.#page = page;
    this.requestUpdate();
  }

  override render() {
    const words = vocabulary.value;
    const found = this.#found(words?.tokens ?? []);
    const last = Math.max(0, Math.ceil(found.length / PAGE) - 1);
    const page = Math.min(this.#page, last);
    const shown = found.slice(page * PAGE, (page + 1) * PAGE);
    const stop = Math.max(0, shown.indexOf(chosen.value ?? -1));
    return html`<div class="word-list">
      <label class="word-search"><span>${say("words.search")}</span><input type="search" autocapitalize="off" autocomplete="off" spellcheck="false" .value=${this.#search} @input=${(event: Event) => {
        this.#search = (event.target as HTMLInputElement).value;
        this.#turn(0);
      }} @keydown=${(event: KeyboardEvent) => {
        if (event.key === "Enter" && found.length) chosen.value = found[0];
      }}></label>
      <p class="caption" aria-live="polite">${words ? say("words.found", { n: found.length, all: words.tokens.length }) : nothing}</p>
      <ol class="tokens" @keydown=${roving}>${shown.map((token, k) => html`<li class=${special.value.get(token) ?? ""}><button tabindex=${k === stop ? 0 : -1} aria-pressed=${token === chosen.value} @click=${() => (chosen.value = token)}>
        <small>${token}</small><span>${nameOf(token)}</span><small>${say("words.times", { n: count(words!.counts[token]) })}</small></button></li>`)}</ol>
      ${last > 0 ? html`<p class="pages"><button ?disabled=${page === 0} @click=${() => this.#turn(page - 1)}>${say("words.before")}</button><span>${say("words.page", { k: page + 1, n: last + 1 })}</span>
        <button ?disabled=${page === last} @click=${() => this.#turn(page + 1)}>${say("words.after")}</button></p>` : nothing}
    </div>`;
  }
}
customElements.define("gs-word-list", WordList);
