import { html, nothing } from "lit";
import { shape } from "../lib/format.js";
import { anyLong, shortName } from "../lib/text.js";
import { breakable, WideView } from "../lib/view.js";
import { t } from "../messages/index.js";
import { hidden } from "../state/predict.js";
import { label, seek, selected, shapeOf, zoom } from "../state/cell.js";
import { computedYet, current, info, nodes } from "../state/walk.js";
import * as store from "../state/store.js";
import { pictureShown } from "./tensor.js";

/** The node that holds the gradient of a card's value; where the loss reads an earlier value of the layer, as with logits, that one's. */
function gradientNear(node: number): number | undefined {
  const facts = nodes.value[node];
  if (!facts || facts.gradient != null) return facts?.gradient ?? undefined;
  const before = facts.inputs.find((input) => nodes.value[input]!.layer === facts.layer && nodes.value[input]!.role === "op");
  return before === undefined ? undefined : gradientNear(before);
}

/** Whether a node belongs to a frozen layer. */
const frozen = (node: number): boolean => nodes.value.some(({ layer, role }) => role === "frozen" && layer === nodes.value[node]?.layer);

/** One half of a card: pictures of a node, or why there are none. */
function half(node: number | undefined, none = "") {
  if (node === undefined) return html`<span class="half none-here"><span>${none}</span></span>`;
  const there = computedYet(node);
  const picture = pictureShown(node);
  return html`<span class="half">
    <gs-tensor .node=${node}></gs-tensor>
    ${there && picture !== undefined ? html`<i class="picture-shown" title=${t("cell.channel", { k: picture })}>#${picture}</i>` : nothing}
    ${there ? (hidden.value?.node === node ? html`<span class="card-none">?</span>` : nothing) : html`<span class="card-none">${t("cards.none")}</span>`}
  </span>`;
}

/** A tensor's card: its name and shape, the value above and the gradient below. */
export function tensorCard(node: number, name: string, options: { gradient: number | undefined | false; on: boolean; now: boolean; title?: string }) {
  const { gradient, on, now } = options;
  return html`<li class="tensor-card ${on ? "on" : ""} ${now ? "now" : ""}" data-node=${nodes.value[node]?.name ?? ""}>
    <button class="tensor-head" aria-pressed=${on} title=${options.title ?? label(node)} @click=${() => selected.peek()?.node !== node && seek(node)}>
      <b>${breakable(name)}</b><span>${shape(shapeOf(node)) || "1"}</span></button>
    ${half(node)}
    ${gradient === false ? nothing : half(gradient, t(gradient === undefined && frozen(node) ? "walk.frozen" : "walk.noGradient"))}
  </li>`;
}

/** Room that a card needs at least, with the line to its neighbour. */
const CARD = 79;

/** Rows of cards above a view that is zoomed into. */
const MOST_ROWS = 1;

/** The network as a chain of tensor cards: the input, each layer's output, the loss. */
class Chain extends WideView {
  #now: Element | null = null;
  #inLine = false;

  /** Keeps the card of the op done last in sight. Measured only when that is another one, or the cards lie otherwise: it lays the page out. */
  protected override updated(): void {
    const now = this.querySelector(".now");
    const list = this.firstElementChild;
    const inLine = list?.classList.contains("line") ?? false;
    if (now === this.#now && inLine === this.#inLine) return;
    [this.#now, this.#inLine] = [now, inLine];
    if (now && list && list.scrollWidth > list.clientWidth) now.scrollIntoView({ inline: inLine ? "center" : "nearest", block: "nearest" });
  }

  override render() {
    const of = info.value;
    if (!of) return nothing;
    const chosen = nodes.value[selected.value?.node ?? -1];
    const now = nodes.value[current.value ?? -1];
    const cards = [
      { node: of.x, name: store.scratchOpen.value ? label(of.x) : t("cards.x"), layer: "x" },
      ...of.layers.map(({ name, output }) => ({ node: output, name: shortName(name), layer: name })),
      { node: of.loss, name: t("walk.loss"), layer: "" },
    ];
    const isIn = (facts: typeof now, layer: string): boolean =>
      facts !== undefined && facts.lane !== "update" && (layer === "x" ? facts === nodes.value[of.x] : facts.layer === layer && facts !== nodes.value[of.x]);
    const rows = Math.ceil((cards.length * CARD) / this.width.value);
    const columns = Math.ceil(cards.length / rows);
    const small = store.built.value?.setup.model.input.length === 1 && of.layers.every(({ output }) => shapeOf(output).every((size) => size <= 4));
    // A view that is zoomed into would be below a tall network: one row, through which one scrolls, leaves room for it.
    const line = rows > MOST_ROWS && zoom.value !== "network";
    return html`<ol class="chain ${small ? "small" : ""} ${line ? "line" : ""} ${zoom.value === "network" ? "" : "zoomed"} ${anyLong(cards.map(({ name }) => name), this.width.value, line ? this.width.value / CARD : columns) ? "long-names" : ""}" style="grid-template-columns:repeat(${columns},minmax(0,128px))" aria-label=${t("cards.label")}>
      ${cards.map(({ node, name, layer }) => tensorCard(node, name, { gradient: gradientNear(node), on: isIn(chosen, layer), now: isIn(now, layer), title: layer }))}
    </ol>`;
  }
}
customElements.define("gs-chain", Chain);
