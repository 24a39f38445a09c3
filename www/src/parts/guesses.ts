import { html, nothing } from "lit";
import style from "../../styles/transfer.css";
import { percent } from "../lib/format.js";
import { adopt } from "../lib/style.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { follow, guessed, hidden, hideSome, toggle, words, type Word } from "../state/guesses.js";

adopt(style);

/** The pinned document, which the sample beside the network fetches, with some words hidden, and what the model takes them for. */
class Guesses extends View {
  protected override follow(): () => void {
    return follow();
  }

  #word({ text, before, position, known }: Word) {
    const away = hidden.value.has(position);
    const best = guessed.value.get(position)?.[0]?.text;
    return html`${before}${known
      ? html`<button class="word ${away ? "hidden-word" : ""}" aria-pressed=${away} title=${away ? t("guesses.show", { word: text, guess: best ?? "–" }) : t("guesses.hide", { word: text })} @click=${() => toggle(position)}>${away ? "[MASK]" : text}</button>`
      : html`<s title=${t("documents.unknown")}>${text}</s>`}`;
  }

  #list({ text, position }: Word) {
    const candidates = guessed.value.get(position) ?? [];
    const truth = text.toLowerCase().replace("’", "'");
    return html`<div><h3>${t("guesses.truth", { word: text })}</h3><ol class="bars" aria-label=${t("guesses.label", { word: text })}>${candidates.map((of) => html`
      <li class=${of.text === truth ? "truth best" : ""}><span class="name">${of.text ?? "–"}</span><span class="bar"><i style="width:${100 * of.probability}%"></i></span><span class="value">${percent(of.probability, true)}</span></li>`)}</ol></div>`;
  }

  override render() {
    const all = words();
    const away = all.filter(({ position }) => hidden.value.has(position));
    const right = away.filter(({ text, position }) => guessed.value.get(position)?.[0]?.text === text.toLowerCase().replace("’", "'")).length;
    return html`<section class="panel guesses" aria-label=${t("guesses.title")}>
      <header><h2>${t("guesses.title")}</h2><p>${away.length ? t("guesses.right", { right, n: away.length }) : t("guesses.text")}</p></header>
      ${all.length === 0 ? html`<div class="hatch document"></div>` : html`<p class="words">${all.map((word) => this.#word(word))}</p>`}
      <div class="buttons"><button @click=${hideSome}>${t("guesses.others")}</button></div>
      ${away.length ? html`<div class="guess-lists">${away.map((word) => this.#list(word))}</div>` : nothing}
    </section>`;
  }
}
customElements.define("gs-guesses", Guesses);
