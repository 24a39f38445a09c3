import { html } from "lit";
import { visible } from "../lib/text.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { shown } from "../state/documents.js";
import * as store from "../state/store.js";

/** So much of a document fills a card. */
const LETTERS = 400;

/** The pinned tokens on the input's card: characters, or the words of a document as they were written. */
class CardTokens extends View {
  override render() {
    const x = store.pinned.value?.x;
    const words = shown.value?.pieces.map(({ text }) => text).join("").slice(0, LETTERS);
    const text = store.isDocuments.value ? words : x && [...x].map((token) => visible(store.session.value?.info.classes[token])).join("");
    return html`<span class="card-tokens ${text === undefined ? "hatch" : ""} ${store.isDocuments.value ? "words" : "mono"}" role="img" aria-label=${t("cards.input")}>${text ?? ""}</span>`;
  }
}
customElements.define("gs-card-tokens", CardTokens);
