import { html, nothing, type TemplateResult } from "lit";
import { percent } from "../lib/format.js";
import { css, palette } from "../lib/palette.js";
import { roving } from "../lib/roving.js";
import { SeenView } from "../lib/seen.js";
import { say } from "../messages/inside.js";
import { following } from "../state/following.js";
import { filled, maskToken, read, stream } from "../state/inside.js";
import { candidates, forgetLens, lens, lookThroughLens, place, type Lens } from "../state/lens.js";
import { nameOf } from "../state/vocabulary.js";

/** Tokens that are listed of the chosen place. */
const LISTED = 6;

/** The likeliest token of each position after each sum along the path, if the model's end stood there already. */
class LogitLens extends SeenView {
  #stop: (() => void) | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stop = following(this.seen, () => void [read.value, stream.value], lookThroughLens, forgetLens);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stop?.();
  }

  /** The chosen place, or the network's own answer at the first position. */
  #chosen(of: Lens, rows: number): { sum: number; position: number } {
    const now = place.value;
    return now && now.position < rows ? now : { sum: of.sums.length - 1, position: 0 };
  }

  #table(of: Lens, rows: number): TemplateResult {
    const now = this.#chosen(of, rows);
    const shade = palette.value.positive;
    return html`<div class="lens-table" role="region" tabindex="0" aria-label=${say("lens.table")}><table><thead><tr><th scope="col">${say("lens.reads")}</th>
      ${of.sums.map((sum) => html`<th scope="col">${sum.split("_").map((part, k) => (k ? html`_<wbr>${part}` : part))}</th>`)}</tr></thead>
      <tbody @keydown=${(event: KeyboardEvent) => roving(event, of.sums.length)}>${Array.from({ length: rows }, (_, position) => html`<tr><th scope="row" class="mono">${nameOf(of.x[of.first + position]!)}</th>${of.sums.map((_, sum) => {
        const { token, probability } = of.best[sum]![position]!;
        const on = sum === now.sum && position === now.position;
        return html`<td><button class="mono ${token === of.truth[position] ? "right" : ""}" tabindex=${on ? 0 : -1} aria-pressed=${on} style="background:${css(shade, 0.5 * probability)}" title=${percent(probability, true)}
          @click=${() => (place.value = { sum, position })}><span>${nameOf(token)}</span><small>${Math.round(100 * probability)}%</small></button></td>`;
      })}</tr>`)}</tbody></table></div>`;
  }

  /** What else could stand at the chosen place, and what does in truth. */
  #place(of: Lens, rows: number): TemplateResult {
    const { sum, position } = this.#chosen(of, rows);
    const truth = of.truth[position];
    const best = candidates(of, sum, position, LISTED);
    return html`<div class="lens-place" aria-live="polite"><h3>${say("lens.place", { k: position + 1, sum: of.sums[sum]! })}</h3>
      <ol class="bars candidates" aria-label=${say("lens.candidates")}>${best.map(({ token, probability }) => html`<li class=${token === truth ? "truth" : ""}>
        <span class="name mono">${nameOf(token)}</span><span class="bar"><i style="width:${probability * 100}%"></i></span><span class="value">${percent(probability, true)}</span></li>`)}</ol>
      ${truth === undefined ? nothing : html`<p class="caption">${say("lens.truth", { name: nameOf(truth) })}</p>`}</div>`;
  }

  override render() {
    const of = lens.value;
    const rows = of ? filled(of.first, of.positions) : 0;
    return html`<section class="panel lens" aria-label=${say("lens.title")}>
      <header><h2>${say("lens.title")}</h2><p>${say(maskToken.value === undefined ? "lens.text" : "lens.textHidden")}</p></header>
      ${of ? html`<div class="lens-body">${this.#table(of, rows)}${this.#place(of, rows)}</div>` : html`<div class="hatch inside-wait"></div>`}
    </section>`;
  }
}
customElements.define("gs-lens", LogitLens);
