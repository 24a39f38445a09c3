import type { Tile } from "gradscope";
import { byteColours } from "./palette.js";

/** Sets a canvas's pixels to its size on the screen, at most twice as fine, and clears it. */
export function prepare(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const ratio = Math.min(2, devicePixelRatio);
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const context = canvas.getContext("2d")!;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.imageSmoothingEnabled = false;
  return context;
}

const scratch = document.createElement("canvas");

/** Puts packed colours on a hidden canvas, ready to be drawn at any size. */
export function picture(colours: Uint32Array, width: number, height: number): HTMLCanvasElement {
  [scratch.width, scratch.height] = [width, height];
  const image = new ImageData(new Uint8ClampedArray(colours.buffer as ArrayBuffer, colours.byteOffset, colours.byteLength), width, height);
  scratch.getContext("2d")!.putImageData(image, 0, 0);
  return scratch;
}

/** How a tile's cells are arranged on the screen. */
export interface Arrangement {
  /** Pictures shown. */
  shown: number;
  columns: number;
  rows: number;
  /** Cells of one picture. */
  cellsWide: number;
  cellsHigh: number;
  /** Screen size of one picture, and the space from one to the next. */
  width: number;
  height: number;
  gap: number;
}

/** A vector of at most so many numbers stands in one column. */
const COLUMN = 16;

/** Whether a tile is a row of single numbers rather than pictures. */
export const isVector = (tile: Tile): boolean => tile.height === 1 || tile.width * tile.height === 1;

/** The arrangement that makes the pictures of a tile largest within a box; `most` limits their number. */
export function arrange(tile: Tile, boxWidth: number, boxHeight: number, most: number, largest = Infinity): Arrangement {
  const vector = isVector(tile);
  const shown = Math.min(vector ? tile.count * tile.width : tile.count, most);
  if (vector && shown <= COLUMN && largest === Infinity) {
    const height = Math.min(24, Math.floor((boxHeight + 1) / shown) - 1);
    return { shown, columns: 1, rows: shown, cellsWide: 1, cellsHigh: 1, width: Math.min(boxWidth, 3 * height), height, gap: 1 };
  }
  const [cellsWide, cellsHigh] = vector ? [1, 1] : [tile.width, tile.height];
  // Filters are all colour and need more room between them than maps do.
  const gap = vector ? 1 : largest <= 24 ? 6 : 3;
  const aspect = cellsHigh / cellsWide;
  let best: Arrangement | undefined;
  for (let columns = 1; columns <= shown; columns++) {
    const rows = Math.ceil(shown / columns);
    const wide = (boxWidth - gap * (columns - 1)) / columns;
    const high = (boxHeight - gap * (rows - 1)) / rows;
    let width = Math.min(wide, high / aspect, largest);
    if (width > cellsWide) width = Math.max(cellsWide, Math.floor(width));
    if (width > 0 && (!best || width >= best.width)) best = { shown, columns, rows, cellsWide, cellsHigh, width, height: width * aspect, gap };
  }
  return best ?? { shown: 0, columns: 1, rows: 1, cellsWide, cellsHigh, width: 0, height: 0, gap };
}

/** Draws a tile of the atlas. */
export function drawTile(context: CanvasRenderingContext2D, atlas: Uint8Array, tile: Tile, place: Arrangement): void {
  const table = byteColours.value;
  const cells = place.cellsWide * place.cellsHigh;
  const colours = new Uint32Array(cells * place.shown);
  for (let k = 0; k < colours.length; k++) colours[k] = table[atlas[tile.offset + k] ?? 0]!;
  const source = picture(colours, place.cellsWide, place.cellsHigh * place.shown);
  for (let k = 0; k < place.shown; k++) {
    const [x, y] = corner(place, k);
    context.drawImage(source, 0, k * place.cellsHigh, place.cellsWide, place.cellsHigh, x, y, place.width, place.height);
  }
}

/** Upper left corner of picture `k`. */
export function corner(place: Arrangement, k: number): [number, number] {
  return [(k % place.columns) * (place.width + place.gap), Math.floor(k / place.columns) * (place.height + place.gap)];
}

/** Which picture lies under a point, if any. */
export function pictureAt(place: Arrangement, x: number, y: number): number | undefined {
  const column = Math.floor(x / (place.width + place.gap));
  const k = Math.floor(y / (place.height + place.gap)) * place.columns + column;
  return column >= 0 && column < place.columns && k >= 0 && k < place.shown ? k : undefined;
}

/** Draws an example of the data: grey or colour as it is, values in [0, 1]. */
export function drawImage(context: CanvasRenderingContext2D, pixels: Float32Array, shape: readonly number[], width: number, height: number): void {
  const [rows = 1, columns = 1, channels = 1] = shape;
  const colours = new Uint32Array(rows * columns);
  for (let k = 0; k < colours.length; k++) {
    const at = (c: number): number => Math.max(0, Math.min(255, Math.round(255 * (pixels[k * channels + Math.min(c, channels - 1)] ?? 0))));
    colours[k] = (255 << 24) | (at(2) << 16) | (at(1) << 8) | at(0);
  }
  context.drawImage(picture(colours, columns, rows), 0, 0, width, height);
}
