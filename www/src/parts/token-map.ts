import { signal } from "@preact/signals-core";
import { Drawing } from "../lib/drawing.js";
import { css, diverging, palette } from "../lib/palette.js";

/** Shares of columns in rows, each with its name. */
export interface Shares {
  /** In words. */
  label: string;
  rows: readonly string[];
  columns: readonly string[];
  /** Of a row and a column; undefined where it is not known. */
  at: (row: number, column: number) => number | undefined;
  chosen?: readonly [number, number | undefined] | undefined;
  /** Where the pointer is. */
  point?: ((row: number, column: number) => void) | undefined;
  choose?: ((row: number, column: number) => void) | undefined;
}

/** Room for names of one letter, and for words; and sides of a cell. */
const MARGIN = 24;
const WORDS = 96;
const [LEAST, MOST] = [4, 26];

const isWord = (name: string): boolean => [...name].length > 2;

/** What looks at what: a row for each position that looks, a column for each that is looked at; as dark as the share is large. */
class TokenMap extends Drawing {
  readonly #of = signal<Shares | undefined>(undefined);

  set of(of: Shares) {
    this.#of.value = of;
  }

  /** Room for the names of the rows, and of the columns above. */
  get #margins(): readonly [number, number] {
    const { rows = [], columns = [] } = this.#of.peek() ?? {};
    return [rows.some(isWord) ? WORDS : MARGIN, columns.some(isWord) ? WORDS : MARGIN];
  }

  #cell(width: number): number {
    const cell = (width - this.#margins[0]) / Math.max(1, this.#of.peek()?.columns.length ?? 1);
    return Math.max(LEAST, Math.min(MOST, cell > LEAST ? Math.floor(cell) : cell));
  }

  /** The row and the column at a place of the canvas, if there are any. */
  #at({ offsetX, offsetY }: MouseEvent): [number, number] | undefined {
    const of = this.#of.peek();
    const [left, above] = this.#margins;
    const cell = this.#cell(this.clientWidth);
    const [row, column] = [Math.floor((offsetY - above) / cell), Math.floor((offsetX - left) / cell)];
    return of?.rows[row] !== undefined && of.columns[column] !== undefined ? [row, column] : undefined;
  }

  protected override reads(): string {
    void palette.value;
    const of = this.#of.value;
    this.canvas.style.cursor = of?.choose ? "pointer" : "";
    return of?.label ?? "";
  }

  protected override heightFor(width: number): number {
    return this.#margins[1] + this.#cell(width) * (this.#of.peek()?.rows.length ?? 0);
  }

  override connectedCallback(): void {
    super.connectedCallback();
    const tell = (event: MouseEvent, what: "choose" | "point"): void => {
      const at = this.#at(event);
      if (at) this.#of.peek()?.[what]?.(...at);
    };
    this.canvas.onclick = (event) => tell(event, "choose");
    this.canvas.onpointermove = (event) => tell(event, "point");
  }

  protected override draw(context: CanvasRenderingContext2D, width: number): void {
    const of = this.#of.peek();
    if (!of) return;
    const cell = this.#cell(width);
    const [left, above] = this.#margins;
    const { ink, dim } = palette.peek();
    context.font = `${Math.min(13, Math.max(8, cell))}px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace`;
    context.textBaseline = "middle";
    // A name stands in the middle of its margin, a word at the end of it; above a column it is turned.
    const name = (text: string, k: number, margin: number, on: boolean, turned: boolean): void => {
      if (cell < 8) return;
      const word = margin === WORDS;
      const [along, aside] = [(k + 0.5) * cell, margin - (word ? 6 : MARGIN / 2)];
      context.save();
      context.translate(turned ? left + along : aside, turned ? aside : above + along);
      if (turned && word) context.rotate(-Math.PI / 2);
      context.fillStyle = css(on ? ink : dim);
      context.textAlign = !word ? "center" : turned ? "left" : "right";
      context.fillText(text, 0, 0, WORDS - 8);
      context.restore();
    };
    of.columns.forEach((text, k) => name(text, k, above, k === of.chosen?.[1], true));
    of.rows.forEach((text, row) => {
      name(text, row, left, row === of.chosen?.[0], false);
      of.columns.forEach((_, column) => {
        const share = of.at(row, column);
        context.fillStyle = share === undefined ? css(dim, 0.15) : css(diverging(share));
        context.fillRect(left + column * cell, above + row * cell, cell - Number(cell > LEAST), cell - Number(cell > LEAST));
      });
    });
    const [row, column] = of.chosen ?? [];
    if (row === undefined) return;
    context.strokeStyle = css(ink);
    context.lineWidth = 1.5;
    context.strokeRect(left - 0.5, above + row * cell - 0.5, cell * of.columns.length, cell);
    if (column !== undefined) context.strokeRect(left + column * cell - 0.5, above + row * cell - 0.5, cell, cell);
  }
}
customElements.define("gs-token-map", TokenMap);
