import type { Tile } from "gradscope";
import { arrange, corner, drawTile, pictureAt, type Arrangement } from "../lib/draw.js";
import { Drawing } from "../lib/drawing.js";
import { general } from "../lib/format.js";
import { css, palette } from "../lib/palette.js";
import { t } from "../messages/index.js";
import * as store from "../state/store.js";

/** The tile of a node in the last frame. */
export const tileOf = (node: string): Tile | undefined => store.frame.value?.tiles.find((tile) => tile.node === node);

/** A value of the atlas, as fine as its 8 bits are. */
export function decode(tile: Tile, at: number): number {
  const byte = store.frame.peek()?.atlas[tile.offset + at] || NaN;
  return ((byte - 128) / 127) * tile.scale;
}

/** Small multiples of a node's last frame; hatched where there is none yet. */
export class Maps extends Drawing {
  node = "";
  most = 6;
  /** Largest size of one picture on the screen. */
  largest = Infinity;
  /** Whether it takes its height from its content. */
  grows = false;
  protected place: Arrangement | undefined;

  protected override reads(): string {
    const tile = tileOf(this.node);
    void palette.value;
    this.classList.toggle("hatch", !tile);
    return tile ? t("maps.label", { node: this.node, n: tile.count, scale: general(tile.scale) }) : t("maps.none", { node: this.node });
  }

  protected override heightFor(width: number): number {
    const tile = store.frame.peek()?.tiles.find(({ node }) => node === this.node);
    if (!this.grows || !tile) return super.heightFor(width);
    this.place = arrange(tile, width, 264, this.most, this.largest);
    return this.place.rows * (this.place.height + this.place.gap) - this.place.gap;
  }

  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    const frame = store.frame.peek();
    const tile = frame?.tiles.find(({ node }) => node === this.node);
    if (!frame || !tile) return;
    if (!this.grows) this.place = arrange(tile, width, height, this.most, this.largest);
    const place = this.place!;
    if (!this.grows) {
      // Centred on a card; from the left where the pictures are the content.
      const used = place.columns * (place.width + place.gap) - place.gap;
      context.translate(Math.floor((width - used) / 2), 0);
    }
    drawTile(context, frame.atlas, tile, place);
  }
}
customElements.define("gs-maps", Maps);

/** The maps of the layer that is looked at: one of them can be chosen, with the mouse or the arrow keys. */
class ChoosableMaps extends Maps {
  override grows = true;

  protected override reads(): string {
    this.canvas.setAttribute("role", "application");
    const chosen = store.channel.value;
    return `${super.reads()} ${t("maps.chosen", { k: chosen })}`;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.canvas.tabIndex = 0;
    this.canvas.onclick = (event) => {
      const k = this.place && pictureAt(this.place, event.offsetX, event.offsetY);
      if (k !== undefined) store.channel.value = k;
    };
    this.canvas.onkeydown = (event) => {
      const columns = this.place?.columns ?? 1;
      const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
      const next = store.channel.value + (by ?? 0);
      if (event.altKey || !by) return;
      event.preventDefault();
      if (next >= 0 && next < (this.place?.shown ?? 0)) store.channel.value = next;
    };
  }

  protected override draw(context: CanvasRenderingContext2D, width: number, height: number): void {
    super.draw(context, width, height);
    const place = this.place;
    const chosen = store.channel.peek();
    if (!place || chosen >= place.shown || !store.frame.peek()) return;
    const [x, y] = corner(place, chosen);
    context.strokeStyle = css(palette.peek().ink);
    context.lineWidth = 2;
    context.strokeRect(x + 1, y + 1, place.width - 2, place.height - 2);
  }
}
customElements.define("gs-choosable-maps", ChoosableMaps);
