import { html, nothing } from "lit";
import type { Piece } from "gradscope";
import style from "../../styles/documents.css";
import { fixed } from "../lib/format.js";
import { css, palette } from "../lib/palette.js";
import { adopt } from "../lib/style.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { changeLength, changeStopWords, changeVocabulary, followListed, followPinned, lines, options, shown } from "../state/documents.js";
import * as store from "../state/store.js";

adopt(style);

/** The pinned document: words as the model reads them, those that it does not know struck out, and what the row is filled up with. */
class DocumentSample extends View {
  protected override follow(): () => void {
    return followPinned();
  }

  #piece({ text, kind, number, weight }: Piece, most: number) {
    switch (kind) {
      case "between": return text;
      case "unknown": return html`<s title=${t("documents.unknown")}>${text}</s>`;
      case "leftOut": return html`<span class="left-out" title=${t("documents.leftOut")}>${text}</span>`;
      case "known": {
        const title = weight == null ? t("documents.token", { number: number ?? 0 }) : t("documents.weight", { number: number ?? 0, weight: fixed(weight) });
        const ground = weight == null ? "" : `background:${css(palette.peek().positive, (0.6 * weight) / most)}`;
        return html`<span title=${title} style=${ground}>${text}</span>`;
      }
    }
  }

  override render() {
    const document = shown.value;
    const x = store.pinned.value?.x;
    const setup = store.built.value?.setup;
    if (!document || !x || !setup) return html`<div class="hatch document"></div>`;
    void palette.value;
    const most = document.pieces.reduce((most, { weight }) => Math.max(most, weight ?? 0), 1e-9);
    const filled = options(setup).tokens ? x.filter((token) => token === 0).length : 0;
    return html`<div class="document" tabindex="0" role="group" aria-label=${t("documents.text")}>${document.pieces.map((piece) => this.#piece(piece, most))}${document.more ? "…" : nothing}${filled ? html` <span class="padding mono" title=${t("documents.padding")}>0 × ${filled}</span>` : nothing}</div>`;
  }
}
customElements.define("gs-document-sample", DocumentSample);

/** The beginning of a document in a list. */
class DocumentLine extends View {
  static override properties = { index: { attribute: false } };
  declare index: number;

  override render() {
    return html`${lines.value.get(this.index) ?? "…"}`;
  }
}
customElements.define("gs-document-line", DocumentLine);

/** Has the beginnings of the documents fetched that stand in the list around it. */
class DocumentLines extends View {
  protected override follow(): () => void {
    return followListed();
  }

  override render() {
    return nothing;
  }
}
customElements.define("gs-document-lines", DocumentLines);

/** How documents become rows. */
class DocumentOptionsForm extends View {
  #number(label: string, value: number, least: number, set: (value: number) => void) {
    return html`<label><span>${label}</span><input type="number" inputmode="numeric" min=${least} max="65536" step="1" .value=${String(value)}
      @change=${(event: Event) => {
        const typed = Math.round(Number((event.target as HTMLInputElement).value));
        if (Number.isFinite(typed)) set(Math.min(65536, Math.max(least, typed)));
      }}></label>`;
  }

  override render() {
    const setup = store.setup.value;
    if (!setup) return nothing;
    const { tokens, vocabulary, length, stopWords } = options(setup);
    return html`<section class="form"><h3>${t(tokens ? "documents.tokens" : "documents.tfidf")}</h3>
      ${this.#number(t("documents.vocabulary"), vocabulary, tokens ? 3 : 1, changeVocabulary)}
      ${tokens ? this.#number(t("documents.length"), length, 1, changeLength) : nothing}
      <label class="flag"><span>${t("documents.stopWords")}</span><input type="checkbox" .checked=${stopWords} @change=${(event: Event) => changeStopWords((event.target as HTMLInputElement).checked)}></label>
    </section>`;
  }
}
customElements.define("gs-document-options", DocumentOptionsForm);
