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
  choose?: ((row: number, column: number) => void) | undefined;
}

/** Room for names of a character, and at most for longer ones; sides of a cell. */
const [MARGIN, WIDEST] = [24, 88];
const [LEAST, MOST] = [4, 26];

/** What looks at what: a row for each position that looks, a column for each that is looked at; as dark as the share is large. */
class TokenMap extends Drawing {
  readonly #of = signal<Shares | undefined>(undefined);

  set of(of: Shares) {
    this.#of.value = of;
  }

  /** Room for the names, which are turned along the columns where they are long. */
  #margin(): number {
    const longest = Math.max(0, ...[this.#of.peek()?.rows, this.#of.peek()?.columns].flatMap((names) => names?.map((name) => name.length) ?? []));
    return longest > 2 ? Math.min(WIDEST, 8 * (longest + 1)) : MARGIN;
  }

  #cell(width: number): number {
    const cell = (width - this.#margin()) / Math.max(1, this.#of.peek()?.columns.length ?? 1);
    return Math.max(LEAST, Math.min(MOST, cell > LEAST ? Math.floor(cell) : cell));
  }

  protected override reads(): string {
    void palette.value;
    const of = this.#of.value;
    this.canvas.style.cursor = of?.choose ? "pointer" : "";
    return of?.label ?? "";
  }

  protected override heightFor(width: number): number {
    return this.#margin() + this.#cell(width) * (this.#of.peek()?.rows.length ?? 0);
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.canvas.onclick = ({ offsetX, offsetY }) => {
      const of = this.#of.peek();
      const [cell, margin] = [this.#cell(this.clientWidth), this.#margin()];
      const [row, column] = [Math.floor((offsetY - margin) / cell), Math.floor((offsetX - margin) / cell)];
      if (of?.rows[row] !== undefined && of.columns[column] !== undefined) of.choose?.(row, column);
    };
  }

  protected override draw(context: CanvasRenderingContext2D, width: number): void {
    const of = this.#of.peek();
    if (!of) return;
    const [cell, margin] = [this.#cell(width), this.#margin()];
    const { ink, dim } = palette.peek();
    context.font = `${Math.min(13, Math.max(8, cell))}px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const name = (text: string, x: number, y: number, on: boolean, turned: boolean): void => {
      if (cell < 8) return;
      context.fillStyle = css(on ? ink : dim);
      context.save();
      context.translate(x, y);
      if (turned) context.rotate(-Math.PI / 2);
      context.fillText(text, 0, 0, margin - 4);
      context.restore();
    };
    const place = (k: number): number => margin + (k + 0.5) * cell;
    of.columns.forEach((text, k) => name(text, place(k), margin / 2, k === of.chosen?.[1], margin > MARGIN));
    of.rows.forEach((text, row) => {
      name(text, margin / 2, place(row), row === of.chosen?.[0], false);
      of.columns.forEach((_, column) => {
        const share = of.at(row, column);
        context.fillStyle = share === undefined ? css(dim, 0.15) : css(diverging(share));
        context.fillRect(margin + column * cell, margin + row * cell, cell - Number(cell > LEAST), cell - Number(cell > LEAST));
      });
    });
    const [row, column] = of.chosen ?? [];
    if (row === undefined) return;
    context.strokeStyle = css(ink);
    context.lineWidth = 1.5;
    context.strokeRect(margin - 0.5, margin + row * cell - 0.5, cell * of.columns.length, cell);
    if (column !== undefined) context.strokeRect(margin + column * cell - 0.5, margin + row * cell - 0.5, cell, cell);
  }
}
customElements.define("gs-token-map", TokenMap);
