import { html, nothing } from "lit";
import { count } from "../lib/format.js";
import { roving } from "../lib/roving.js";
import { View } from "../lib/view.js";
import { say } from "../messages/inside.js";
import { maskedBy, read, table } from "../state/inside.js";
import { chosen, nameOf, special } from "../state/vocabulary.js";

/** The row of tokens that the network reads of the pinned example: one cell a position, and what it makes of padding. */
class TokenRow extends View {
  /** What the mask does, or that there is none. */
  #mask(padding: number) {
    if (padding === 0) return nothing;
    if (!table.value?.masks) return say("row.unmasked");
    return [say("row.masked"), ...maskedBy.value.map((part) => say(`row.masked.${part}`))].join(" ");
  }

  override render() {
    const x = read.value;
    const masks = table.value?.masks ?? false;
    const tokens = [...(x ?? [])];
    const of = (kind: string): number => tokens.filter((token) => special.value.get(token) === kind).length;
    const [padding, unknown] = [of("padding"), of("unknown")];
    const first = Math.max(0, tokens.indexOf(chosen.value ?? -1));
    return html`<section class="panel token-row" aria-label=${say("row.title")}>
      <header><h2>${say("row.title")}</h2><p>${x ? say("row.text", { n: tokens.length, words: tokens.length - padding - unknown, unknown, padding }) : nothing}</p></header>
      ${x
        ? html`<ol class="token-cells" @keydown=${roving}>${tokens.map((token, k) => {
            const kind = special.value.get(token);
            const name = nameOf(token);
            return html`<li class="${kind ?? ""} ${kind === "padding" && masks ? "hatch" : ""}"><button tabindex=${k === first ? 0 : -1} aria-pressed=${token === chosen.value}
              title=${say("row.cell", { k: k + 1, name, token })} @click=${() => (chosen.value = token)}><span>${name}</span><small>${count(token)}</small></button></li>`;
          })}</ol><p class="caption">${this.#mask(padding)}</p>`
        : html`<div class="hatch inside-wait"></div>`}
    </section>`;
  }
}
customElements.define("gs-token-row", TokenRow);
