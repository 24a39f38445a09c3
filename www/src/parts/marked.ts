import { signal } from "@preact/signals-core";
import { Drawing } from "../lib/drawing.js";
import { drawCells } from "../lib/paint.js";
import { css, palette } from "../lib/palette.js";
import { cornerOf, heightOf, placeOf, type Place } from "../lib/tensor.js";
import { isGradient, layout } from "../state/cell.js";
import { hidden } from "../state/predict.js";
import { valueOf } from "../state/values.js";
import { scaleShown } from "./tensor.js";

/** Something drawn over a picture. */
export interface Mark {
  /** A frame around an area; cells that took part; the one cell that it is about; the winners of windows. */
  kind: "frame" | "touched" | "cell" | "winner";
  row: number;
  column: number;
  /** Extent of a frame, 1 otherwise. */
  rows?: number;
  columns?: number;
}

/** One picture of a node, with marks over it. */
export interface MarkedPicture {
  node: number;
  picture: number;
  marks: readonly Mark[];
  /** What is to be seen, in words. */
  text: string;
}

/** A picture as large as its column, up to so high. */
const HIGHEST = 224;

/** One picture of a node with marks over it. */
class Marked extends Drawing {
  readonly #of = signal<MarkedPicture | undefined>(undefined);
  set of(of: MarkedPicture) {
    this.#of.value = of;
  }

  protected override reads(): string {
    const of = this.#of.value;
    void palette.value;
    const data = of && valueOf(of.node);
    this.classList.toggle("hatch", !data || hidden.value?.node === of!.node);
    return of?.text ?? "";
  }

  #place(width: number): Place | undefined {
    const of = this.#of.peek();
    return of && placeOf(layout(of.node), of.picture, 1, width, HIGHEST, 44);
  }

  protected override heightFor(width: number): number {
    const place = this.#place(width);
    return place ? heightOf(place) : 0;
  }

  protected override draw(context: CanvasRenderingContext2D, width: number): void {
    const of = this.#of.peek();
    const place = this.#place(width);
    const data = of && valueOf(of.node);
    if (!of || !place || !data || hidden.peek()?.node === of.node) return;
    drawCells(context, data, layout(of.node), place, scaleShown(of.node, data), isGradient(of.node));
    for (const mark of of.marks) this.#mark(context, place, of.picture, mark);
  }

  #mark(context: CanvasRenderingContext2D, place: Place, picture: number, { kind, row, column, rows = 1, columns = 1 }: Mark): void {
    const { zero, ink } = palette.peek();
    const [x, y] = cornerOf(place, picture, row, column);
    const [width, height] = [columns * place.cellWidth, rows * place.cellHeight];
    if (kind === "winner") {
      const radius = Math.max(1.6, Math.min(4, place.cellHeight / 5));
      // Where cells show their numbers, a dot in the corner leaves them legible.
      const corner = place.cellHeight >= 20;
      context.beginPath();
      context.arc(corner ? x + width - 6 : x + width / 2, corner ? y + 6 : y + height / 2, radius, 0, 7);
      context.fillStyle = css(ink);
      context.fill();
      context.lineWidth = 1;
      context.strokeStyle = css(zero);
      context.stroke();
      return;
    }
    const inset = kind === "touched" ? 1 : 0;
    // A halo in the ground's colour, so that a line shows on any cell.
    for (const [stroke, line] of [[css(zero), kind === "cell" ? 5 : 3], [css(ink), kind === "cell" ? 2.5 : kind === "frame" ? 1.5 : 1]] as const) {
      context.strokeStyle = stroke;
      context.lineWidth = line;
      context.strokeRect(x + inset, y + inset, width - 2 * inset, height - 2 * inset);
    }
  }
}
customElements.define("gs-marked", Marked);
