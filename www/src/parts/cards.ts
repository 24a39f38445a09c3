import { html, nothing } from "lit";
import { Drawing } from "../lib/drawing.js";
import { drawImage } from "../lib/draw.js";
import { general, shape } from "../lib/format.js";
import { drawCells } from "../lib/paint.js";
import { css, diverging, palette } from "../lib/palette.js";
import { layoutOf, placeOf } from "../lib/tensor.js";
import { anyLong, shortName } from "../lib/text.js";
import { breakable, WideView } from "../lib/view.js";
import { t } from "../messages/index.js";
import { ON_CARD } from "../state/pictures.js";
import { readsTokens } from "../state/spec.js";
import * as store from "../state/store.js";
import { tileOf } from "./maps.js";

/** Height of a number in a column of them; more numbers than find room fill the card in rows. */
const LEAST = 5;

/** The pinned example on the input's card. */
class InputMap extends Drawing {
  protected override reads(): string {
    void palette.value;
    this.classList.toggle("hatch", !store.pinned.value);
    return t("cards.input");
  }
  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const x = store.pinned.peek()?.x;
    const sizes = store.session.peek()?.info.inputShape ?? [];
    if (!x) return;
    if (sizes.length === 3) {
      const scale = Math.min(width / sizes[1]!, height / sizes[0]!);
      context.translate((width - sizes[1]! * scale) / 2, 0);
      drawImage(context, x, sizes, sizes[1]! * scale, sizes[0]! * scale);
      return;
    }
    const most = x.reduce((a, b) => Math.max(a, Math.abs(b)), 0) || 1;
    if (x.length * LEAST > height) {
      const of = layoutOf([x.length]);
      drawCells(context, x, of, placeOf(of, 0, x.length, width, height), most, false);
      return;
    }
    const side = Math.min(width, Math.floor((height - x.length) / Math.max(1, x.length)), 28);
    x.forEach((value, k) => {
      context.fillStyle = css(diverging(value / most));
      context.fillRect((width - side) / 2, k * (side + 1), side, side);
    });
  }
}
customElements.define("gs-input-map", InputMap);

/** Room that a card needs at least, with the line to its neighbour. */
const CARD = 76;
/** More rows than this are one row to be moved sideways, where there is little room. */
const MOST_ROWS = 3;
const NARROW = 500;

/** The network as a chain of tensor cards, in rows of equal length. */
class Cards extends WideView {
  override render() {
    const built = store.built.value;
    if (!built) return nothing;
    const output = store.frame.value?.output;
    const { layers } = built.description;
    const small = [built.setup.model.input, ...layers.map(({ outputShape }) => outputShape ?? [])].every((of) => of.length === 1 && of[0]! <= 4);
    const rows = Math.ceil(((layers.length + 1) * CARD) / this.width.value);
    const columns = Math.ceil((layers.length + 1) / rows);
    const line = rows > MOST_ROWS && this.width.value < NARROW;
    return html`<ol class="cards ${line ? "line" : ""} ${small ? "small" : rows > 2 ? "low" : ""} ${anyLong(layers.map(({ name }) => shortName(name)), this.width.value, line ? this.width.value / CARD : columns) ? "long-names" : ""}" style="grid-template-columns:repeat(${columns},minmax(0,128px))" aria-label=${t("cards.label")}>
      <li class="card"><div class="card-in">
        <span class="card-head"><b>${t("cards.x")}</b><span>${shape(built.setup.model.input)}</span></span>
        ${readsTokens(built.setup.model) ? (void import("./card-tokens.js"), html`<gs-card-tokens class="card-map"></gs-card-tokens>`) : html`<gs-input-map class="card-map"></gs-input-map>`}
      </div></li>
      ${layers.map((layer, k) => {
        const tile = tileOf(layer.name);
        const last = k === layers.length - 1;
        const on = store.selected.value === layer.name;
        const numbers = last && output && output.length > 0 && output.length <= 3;
        const choose = (): void => {
          store.selected.value = layer.name;
          store.channel.value = 0;
        };
        return html`<li class="card ${on ? "on" : ""}"><button class="card-in" aria-pressed=${on} @click=${choose}>
          <span class="card-head"><b title=${layer.name}>${breakable(shortName(layer.name))}</b><span>${shape(layer.outputShape)}</span></span>
          ${numbers
            ? html`<span class="card-map card-numbers">${[...output].map((value) => html`<span>${general(value)}</span>`)}</span>`
            : html`<gs-maps class="card-map" .node=${layer.name} .most=${tile && (tile.height === 1 || tile.width * tile.height === 1) ? 1024 : ON_CARD}></gs-maps>`}
          ${tile || numbers ? nothing : html`<span class="card-none">${t("cards.none")}</span>`}
        </button></li>`;
      })}
    </ol>`;
  }
}
customElements.define("gs-cards", Cards);
