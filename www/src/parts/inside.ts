import { html, nothing } from "lit";
import style from "../../styles/inside.css";
import { adopt } from "../lib/style.js";
import { View } from "../lib/view.js";
import { attending, stream } from "../state/inside.js";
import { readsTokens } from "../state/spec.js";
import * as store from "../state/store.js";
import { followVocabulary } from "../state/vocabulary.js";
import "./token-row.js";
import "./words.js";

adopt(style);

/** What a model of texts looks like from within, as far as it has what there is to see. */
class Inside extends View {
  protected override follow(): () => void {
    return followVocabulary();
  }

  override render() {
    // The window of a text has no padding and no unknown words.
    const row = readsTokens(store.built.value?.setup.model) && store.dataset.value?.kind !== "text";
    return html`${row ? html`<gs-token-row></gs-token-row>` : nothing}
      ${attending.value.length ? (void import("./attention-maps.js"), html`<gs-attention-maps></gs-attention-maps>`) : nothing}
      ${stream.value ? (void import("./lens.js"), html`<gs-lens></gs-lens>`) : nothing}
      <gs-words></gs-words>`;
  }
}
customElements.define("gs-inside", Inside);
