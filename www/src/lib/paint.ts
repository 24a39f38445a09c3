import { picture } from "./draw.js";
import { fitted } from "./format.js";
import { byteColours, css, diverging, gradientColours, palette } from "./palette.js";
import { cornerOf, type Layout, type Place } from "./tensor.js";

/** Room that a number needs on its cell. */
const NUMBER = { width: 30, height: 13 };

/** Whether cells of a place are large enough to show their numbers. */
export const showsNumbers = (place: Place): boolean => place.cellWidth >= NUMBER.width && place.cellHeight >= NUMBER.height;

/** Draws the numbers of cells as text, over a paler colour. */
function drawNumbers(context: CanvasRenderingContext2D, data: Float32Array, layout: Layout, place: Place, scale: number, gradient: boolean): void {
  const colours = palette.peek();
  const size = place.cellHeight >= 18 && place.cellWidth >= 44 ? 11 : 10;
  context.font = `${size}px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  const characters = Math.min(7, Math.floor((place.cellWidth - 2) / (size * 0.61)));
  for (let k = place.first; k < place.first + place.shown; k++) {
    for (let row = 0; row < layout.rows; row++) {
      for (let column = 0; column < layout.columns; column++) {
        const value = data[layout.at(k, row, column)]!;
        const [x, y] = cornerOf(place, k, row, column);
        context.fillStyle = css(diverging(scale > 0 ? value / scale : value, colours, gradient), Number.isFinite(value) ? 0.4 : 1);
        context.fillRect(x, y, place.cellWidth - 1, place.cellHeight - 1);
        context.fillStyle = Number.isFinite(value) ? css(colours.ink) : "#fff";
        context.fillText(fitted(value, characters), x + (place.cellWidth - 1) / 2, y + place.cellHeight / 2);
      }
    }
  }
}

/** Draws the pictures of a place, each cell in the colour of its value over `scale`. */
export function drawCells(context: CanvasRenderingContext2D, data: Float32Array, layout: Layout, place: Place, scale: number, gradient: boolean): void {
  if (place.shown === 0) return;
  if (showsNumbers(place)) return drawNumbers(context, data, layout, place, scale, gradient);
  const table = gradient ? gradientColours.peek() : byteColours.peek();
  const { rows, columns } = layout;
  const colours = new Uint32Array(rows * columns * place.shown);
  let at = 0;
  for (let k = place.first; k < place.first + place.shown; k++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const value = data[layout.at(k, row, column)]!;
        colours[at++] = table[Number.isFinite(value) ? 128 + Math.round(127 * Math.max(-1, Math.min(1, scale > 0 ? value / scale : 0))) : 0]!;
      }
    }
  }
  const source = picture(colours, columns, rows * place.shown);
  for (let k = 0; k < place.shown; k++) {
    const [x, y] = cornerOf(place, place.first + k, 0, 0);
    context.drawImage(source, 0, k * rows, columns, rows, x, y, place.width, place.height);
  }
}

/** Outlines cells of a place: where they fill a rectangle of a picture, the rectangle; else each. */
export function outlineCells(context: CanvasRenderingContext2D, layout: Layout, place: Place, elements: readonly number[], colour: string, dashed = false): void {
  const boxes = new Map<number, { top: number; left: number; bottom: number; right: number; n: number }>();
  for (const element of elements) {
    const [k, row, column] = layout.where(element);
    if (k < place.first || k >= place.first + place.shown) continue;
    const box = boxes.get(k);
    if (!box) boxes.set(k, { top: row, left: column, bottom: row, right: column, n: 1 });
    else {
      [box.top, box.left, box.bottom, box.right] = [Math.min(box.top, row), Math.min(box.left, column), Math.max(box.bottom, row), Math.max(box.right, column)];
      box.n++;
    }
  }
  // A halo in the ground's colour, so that a line shows on any cell.
  for (const [stroke, width] of [[css(palette.peek().zero), 3], [colour, 1.5]] as const) {
    context.strokeStyle = stroke;
    context.lineWidth = width;
    context.setLineDash(dashed && width < 3 ? [3, 2] : []);
    for (const [k, { top, left, bottom, right }] of boxes) {
      const [x, y] = cornerOf(place, k, top, left);
      const [w, h] = [(right - left + 1) * place.cellWidth, (bottom - top + 1) * place.cellHeight];
      // Never thinner than what can be seen.
      const grow = [Math.max(0, 4 - w) / 2, Math.max(0, 4 - h) / 2] as const;
      context.strokeRect(x - grow[0], y - grow[1], w + 2 * grow[0], h + 2 * grow[1]);
    }
  }
  context.setLineDash([]);
}
