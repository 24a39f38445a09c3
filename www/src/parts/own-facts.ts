import { html, nothing } from "lit";
import { general } from "../lib/format.js";
import { View } from "../lib/view.js";
import { o } from "../messages/own.js";
import { facts } from "../state/own.js";
import { titleOf } from "../state/store.js";
import { report } from "./own-preview.js";
import "./own-style.js";

/** What is known of data of the visitor's own, where a preset has its lesson. */
class OwnFacts extends View {
  static override properties = { name: { attribute: false } };
  declare name: string;

  override render() {
    const of = facts.value.get(this.name);
    if (!of) return nothing;
    return html`<section class="lesson"><h2>${titleOf(this.name)}</h2><p>${o(`kind.${of.kind}`)}</p></section>
      ${of.kind === "table"
        ? html`<section><h3>${o("fact.inputs")}</h3><div class="own-scroll" tabindex="0" role="group" aria-label=${o("fact.inputs")}><table class="own-table"><thead><tr><th scope="col">${o("facts.input")}</th><th scope="col">${o("facts.what")}</th><th scope="col">${o("facts.mean")}</th><th scope="col">${o("facts.deviation")}</th></tr></thead>
            <tbody>${of.inputs.map(({ name, mean, deviation }, k) => html`<tr><th scope="row">x<sub>${k + 1}</sub></th><td>${name}</td>
              ${mean === undefined ? html`<td colspan="2">${o("facts.asItIs")}</td>` : html`<td>${general(mean)}</td><td>${general(deviation)}</td>`}</tr>`)}</tbody></table></div></section>`
        : nothing}
      ${report(of)}`;
  }
}
customElements.define("gs-own-facts", OwnFacts);
