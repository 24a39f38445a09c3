/** A box to place. */
export interface Box {
  width: number;
  height: number;
}

/** Where boxes stand, and the lines between them. */
export interface Layout {
  width: number;
  height: number;
  /** Upper left corner of each box. */
  at: readonly { x: number; y: number }[];
  edges: readonly { from: number; to: number; path: string }[];
}

/** Between columns, between boxes of a column, and the height of a line that passes a column. */
const COLUMN_GAP = 52;
const ROW_GAP = 14;
const LANE = 8;

/** A box in its column, or a line that passes it. */
interface Cell {
  height: number;
  y: number;
  before: Near[];
  after: Near[];
}

/** A neighbour, and how far from its middle the line meets it. */
interface Near {
  cell: Cell;
  offset: number;
}

const centre = (cell: Cell): number => cell.y + cell.height / 2;

/** The column of each box: right before its first use, or, where it has none, right behind the last thing that it is made of. */
function columns(inputs: readonly (readonly number[])[]): number[] {
  const earliest: number[] = [];
  inputs.forEach((of, k) => (earliest[k] = of.length ? 1 + Math.max(...of.map((from) => earliest[from]!)) : 0));
  const latest = inputs.map(() => Infinity);
  for (let k = inputs.length - 1; k >= 0; k--) {
    if (latest[k] === Infinity) latest[k] = earliest[k]!;
    for (const from of inputs[k]!) latest[from] = Math.min(latest[from]!, latest[k]! - 1);
  }
  return latest;
}

/** Moves the cells of a column towards the middle of their neighbours, in that order, without overlaps. */
function settle(column: Cell[], neighbours: (cell: Cell) => Near[]): void {
  const wanted = new Map(column.map((cell) => {
    const near = neighbours(cell);
    return [cell, near.length ? near.reduce((sum, { cell: other, offset }) => sum + centre(other) + offset, 0) / near.length : centre(cell)];
  }));
  column.sort((a, b) => wanted.get(a)! - wanted.get(b)!);
  let bottom = -Infinity;
  for (const cell of column) {
    cell.y = Math.max(wanted.get(cell)! - cell.height / 2, bottom + ROW_GAP);
    bottom = cell.y + cell.height;
  }
  const shift = column.reduce((sum, cell) => sum + wanted.get(cell)! - centre(cell), 0) / column.length;
  for (const cell of column) cell.y += shift;
}

/** Places a graph without cycles from left to right; inputs come before what is made of them (Sugiyama's method, simply). */
export function layered(boxes: readonly Box[], inputs: readonly (readonly number[])[]): Layout {
  const depth = columns(inputs);
  const count = Math.max(-1, ...depth) + 1;
  const grid: Cell[][] = Array.from({ length: count }, () => []);
  const cell = (d: number, height: number): Cell => {
    const last = grid[d]!.at(-1);
    const made = { height, y: last ? last.y + last.height + ROW_GAP : 0, before: [], after: [] };
    grid[d]!.push(made);
    return made;
  };
  const link = (from: Cell, to: Cell, offset = 0): void => {
    from.after.push({ cell: to, offset });
    to.before.push({ cell: from, offset: 0 });
  };
  /** Where the k-th of n inputs meets a box, from its upper edge. */
  const port = (height: number, k: number, n: number): number => (height * (k + 1)) / (n + 1);
  const placed = boxes.map(({ height }, k) => cell(depth[k]!, height));
  // A value that is used further on passes the columns between on a lane of its own, which all its uses share.
  const lanes = boxes.map(() => new Map<number, Cell>());
  const pass = (from: number, d: number): Cell => {
    if (d === depth[from]) return placed[from]!;
    let lane = lanes[from]!.get(d);
    if (!lane) {
      const before = pass(from, d - 1);
      lane = cell(d, LANE);
      lanes[from]!.set(d, lane);
      link(before, lane);
    }
    return lane;
  };
  inputs.forEach((of, to) => of.forEach((from, k) => {
    const box = placed[to]!;
    link(pass(from, depth[to]! - 1), box, port(box.height, k, of.length) - box.height / 2);
  }));
  for (let round = 0; round < 4; round++) {
    for (const column of grid) settle(column, ({ before }) => before);
    for (const column of [...grid].reverse()) settle(column, ({ after }) => after);
  }
  const top = Math.min(...grid.flat().map(({ y }) => y));
  for (const each of grid.flat()) each.y -= top;
  const widths = grid.map((_, d) => Math.max(...boxes.map(({ width }, k) => (depth[k] === d ? width : 0))));
  const left = widths.map((_, d) => widths.slice(0, d).reduce((sum, width) => sum + width + COLUMN_GAP, 0));
  const curve = (x: number, y: number, toX: number, toY: number): string => {
    const middle = (x + toX) / 2;
    return `C${middle} ${y} ${middle} ${toY} ${toX} ${toY}`;
  };
  const edges = inputs.flatMap((of, to) => of.map((from, k) => {
    let [x, y] = [left[depth[from]!]! + boxes[from]!.width, centre(placed[from]!)];
    let path = `M${x} ${y}`;
    for (let d = depth[from]! + 1; d < depth[to]!; d++) {
      const at = centre(lanes[from]!.get(d)!);
      path += `${curve(x, y, left[d]!, at)}H${left[d]! + widths[d]!}`;
      [x, y] = [left[d]! + widths[d]!, at];
    }
    const box = placed[to]!;
    return { from, to, path: path + curve(x, y, left[depth[to]!]!, box.y + port(box.height, k, of.length)) };
  }));
  return {
    width: count ? left[count - 1]! + widths[count - 1]! : 0,
    height: Math.max(0, ...grid.flat().map(({ y, height }) => y + height)),
    at: placed.map(({ y }, k) => ({ x: left[depth[k]!]!, y })),
    edges,
  };
}
