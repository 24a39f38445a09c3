/** How the slice of a tensor is drawn: so many pictures of rows and columns. A vector is a row of single cells. */
export interface Layout {
  count: number;
  rows: number;
  columns: number;
  kind: "scalar" | "vector" | "matrix" | "map" | "kernel";
  /** Element of a cell. */
  at(picture: number, row: number, column: number): number;
  /** Picture, row and column of an element. */
  where(element: number): [number, number, number];
  /** Multi-index of an element. */
  index(element: number): number[];
}

/** The shape of one example of a value whose first axis is the batch. */
export const sliceOf = (shape: readonly number[], batched: boolean): readonly number[] => (batched ? shape.slice(1) : shape);

/**
 * [n] is n cells, [rows, columns] a picture, [H, W, C] C maps, [h, w, in, out] in · out windows, those of an output side by side. Of three axes
 * another one than the last may count the pictures.
 */
export function layoutOf(shape: readonly number[], counts = 2): Layout {
  const index = (element: number): number[] => {
    const at: number[] = [];
    for (let k = shape.length - 1; k >= 0; k--) {
      at.unshift(element % shape[k]!);
      element = Math.floor(element / shape[k]!);
    }
    return at;
  };
  if (shape.length <= 1) {
    return { count: shape[0] ?? 1, rows: 1, columns: 1, kind: shape.length ? "vector" : "scalar", at: (k) => k, where: (k) => [k, 0, 0], index };
  }
  if (shape.length === 2) {
    const [rows, columns] = shape as [number, number];
    return { count: 1, rows, columns, kind: "matrix", at: (_, r, c) => r * columns + c, where: (k) => [0, Math.floor(k / columns), k % columns], index };
  }
  if (shape.length === 3 && counts < 2) {
    const [first, second, columns] = shape as [number, number, number];
    const [count, rows] = counts === 0 ? [first, second] : [second, first];
    const pair = (k: number, r: number): number => (counts === 0 ? k * second + r : r * second + k);
    return {
      count, rows, columns, kind: "map",
      at: (k, r, c) => pair(k, r) * columns + c,
      where: (element) => {
        const [outer, inner] = [Math.floor(element / columns / second), Math.floor(element / columns) % second];
        return counts === 0 ? [outer, inner, element % columns] : [inner, outer, element % columns];
      },
      index,
    };
  }
  const [rows, columns, ...rest] = shape as [number, number, ...number[]];
  const count = rest.reduce((a, b) => a * b, 1);
  const outputs = rest.length > 1 ? rest.at(-1)! : 1;
  const inputs = count / outputs;
  // A kernel's last axis is its output; among the pictures it is the slow one.
  const channel = (k: number): number => (k % inputs) * outputs + Math.floor(k / inputs);
  return {
    count, rows, columns,
    kind: rest.length > 1 ? "kernel" : "map",
    at: (k, r, c) => (r * columns + c) * count + channel(k),
    where: (element) => {
      const last = element % count;
      const cell = Math.floor(element / count);
      return [(last % outputs) * inputs + Math.floor(last / outputs), Math.floor(cell / columns), cell % columns];
    },
    index,
  };
}

/** Where the cells of some pictures lie in a box. */
export interface Place {
  /** The first picture, and how many follow it. */
  first: number;
  shown: number;
  /** Pictures in a row. */
  across: number;
  left: number;
  width: number;
  height: number;
  gap: number;
  cellWidth: number;
  cellHeight: number;
}

/** Cells narrower than this are stretched to fill their box. */
const NARROW = 3;

/** The place that makes so many pictures, from `first` on, largest in a box. */
export function placeOf(layout: Layout, first: number, shown: number, boxWidth: number, boxHeight: number, largest = Infinity): Place {
  const { rows, columns } = layout;
  const single = rows * columns === 1;
  const gap = single ? Number(shown <= 256) : shown > 1 ? Math.max(2, Math.min(6, Math.floor(boxWidth / 60))) : 0;
  if (layout.kind === "matrix" && Math.min(boxWidth / columns, boxHeight / rows) < NARROW) {
    const [cellWidth, cellHeight] = [Math.min(boxWidth / columns, 12), Math.min(boxHeight / rows, 12)];
    const width = cellWidth * columns;
    return { first, shown, across: 1, left: (boxWidth - width) / 2, width, height: cellHeight * rows, gap, cellWidth, cellHeight };
  }
  let best: Place | undefined;
  for (let across = 1; across <= shown; across++) {
    const down = Math.ceil(shown / across);
    const wide = (boxWidth - gap * (across - 1)) / across;
    const high = (boxHeight - gap * (down - 1)) / down;
    let cell = Math.min(wide / columns, high / rows, largest);
    if (cell > 2) cell = Math.floor(cell);
    // A few numbers are wider than high, so that they can be read.
    const wider = single || (layout.kind === "matrix" && columns <= 12 && rows <= 64);
    const cellWidth = wider ? Math.max(cell, Math.floor(Math.min(wide / columns, cell * 2.4, 76))) : cell;
    if (cell > 0 && (!best || cell >= best.cellHeight)) {
      const width = cellWidth * columns;
      best = { first, shown, across, left: Math.max(0, Math.floor((boxWidth - across * (width + gap) + gap) / 2)), width, height: cell * rows, gap, cellWidth, cellHeight: cell };
    }
  }
  return best ?? { first, shown: 0, across: 1, left: 0, width: 0, height: 0, gap, cellWidth: 0, cellHeight: 0 };
}

/** Height of everything that is placed. */
export const heightOf = (place: Place): number => Math.ceil(place.shown / place.across) * (place.height + place.gap) - place.gap;

/** Upper left corner of a cell. */
export function cornerOf(place: Place, picture: number, row: number, column: number): [number, number] {
  const k = picture - place.first;
  return [
    place.left + (k % place.across) * (place.width + place.gap) + column * place.cellWidth,
    Math.floor(k / place.across) * (place.height + place.gap) + row * place.cellHeight,
  ];
}

/** Picture, row and column under a point. */
export function cellAt(place: Place, layout: Layout, x: number, y: number): [number, number, number] | undefined {
  const [stepX, stepY] = [place.width + place.gap, place.height + place.gap];
  const across = Math.floor((x - place.left) / stepX);
  const k = Math.floor(y / stepY) * place.across + across;
  if (across < 0 || across >= place.across || k < 0 || k >= place.shown) return undefined;
  const row = Math.floor((y % stepY) / place.cellHeight);
  const column = Math.floor((x - place.left - across * stepX) / place.cellWidth);
  return row < layout.rows && column < layout.columns ? [place.first + k, row, column] : undefined;
}

const scales = new WeakMap<Float32Array, number>();

/** The largest finite magnitude. */
export function scaleOf(data: Float32Array): number {
  let scale = scales.get(data);
  if (scale === undefined) {
    scale = 0;
    for (const value of data) {
      const size = Math.abs(value);
      if (size > scale && size < Infinity) scale = size;
    }
    scales.set(data, scale);
  }
  return scale;
}
