import { html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { drawImage } from "../lib/draw.js";
import { Drawing } from "../lib/drawing.js";
import { count, general, percent } from "../lib/format.js";
import { View } from "../lib/view.js";
import { t } from "../messages/index.js";
import { chosen, followCell, listed, listMore, part } from "../state/confusion.js";
import { fail } from "../state/engine.js";
import { pinExample } from "../state/pictures.js";
import * as store from "../state/store.js";

class Thumbnail extends Drawing {
  pixels: Float32Array | undefined;
  label = "";
  protected override reads(): string {
    return this.label;
  }
  protected override heightFor(width: number): number {
    return width;
  }
  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    if (this.pixels) drawImage(context, this.pixels, store.session.peek()?.info.inputShape ?? [], width, height);
  }
}
customElements.define("gs-thumbnail", Thumbnail);

/** The examples of a cell of the confusion matrix, or the first that were got wrong; a press pins one. */
class Examples extends View {
  protected override follow(): () => void {
    return followCell();
  }

  override render() {
    const session = store.session.value;
    const of = listed.value;
    const cell = chosen.value;
    if (!session || (!cell && !of?.total)) return nothing;
    const image = session.info.inputShape.length === 3;
    const documents = store.isDocuments.value;
    if (documents) void import("./documents.js");
    const name = (k: number): string => store.classes.value[k] ?? String(k);
    const pinned = store.pinned.value?.from;
    const title = !cell ? t("evaluate.mistakes")
      : cell.truth === cell.prediction ? t("evaluate.rightOf", { truth: name(cell.truth) })
        : t("evaluate.mistakesOf", { truth: name(cell.truth), prediction: name(cell.prediction) });
    return html`<section class="examples"><div class="health-head"><h3>${title}</h3>
        <small>${of && cell ? t("evaluate.listed", { n: of.examples.length, all: of.total }) : nothing}</small>
        ${cell ? html`<button class="plain" @click=${() => (chosen.value = undefined)}>${t("evaluate.allMistakes")}</button>` : nothing}</div>
      <p class="caption">${t("evaluate.pin")}</p>
      ${documents ? html`<gs-document-lines></gs-document-lines>` : nothing}<ul class=${image ? "mistakes" : documents ? "mistakes points texts" : "mistakes points"}>${repeat(of?.examples ?? [], ({ index }) => `${part.value} ${index}`, ({ index, truth, prediction, probability }, k) => {
        const label = `${t("evaluate.mistake", { truth: name(truth), prediction: name(prediction), probability: percent(probability) })} (${count(index)})`;
        const on = pinned?.split === part.value && pinned.index === index;
        return html`<li><button title=${label} aria-pressed=${on} @click=${() => pinExample(part.value, index).catch(fail)}>
          ${image ? html`<gs-thumbnail .pixels=${of!.x[k]} .label=${label}></gs-thumbnail>` : documents ? html`<gs-document-line .index=${index}></gs-document-line>` : html`<span class="mono">${[...of!.x[k]!.slice(0, 3)].map((value) => general(Number(value.toFixed(2)))).join(" · ")}</span>`}
          <span class="mono">${name(truth)}→<b>${name(prediction)}</b></span></button></li>`;
      })}</ul>
      ${of && of.examples.length < of.total ? html`<button @click=${listMore}>${t("evaluate.more")}</button>` : nothing}</section>`;
  }
}
customElements.define("gs-examples", Examples);
