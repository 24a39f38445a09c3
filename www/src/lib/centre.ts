/** Side of an MNIST picture, and of the box that its digit was fitted into. */
const SIDE = 28;
const BOX = 20;

/**
 * Makes an MNIST picture of ink on a square: the ink's bounding box is scaled into 20 x 20 with its aspect kept and averaged over areas
 * (which smooths the edges), then its centre of mass is put at the centre of 28 x 28, as LeCun's page describes.
 * Returns values in [0, 1], or nothing if there is no ink.
 */
export function centreDigit(ink: Float32Array, side: number): Float32Array | undefined {
  let [left, top, right, bottom] = [side, side, -1, -1];
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      if (ink[y * side + x]! < 0.1) continue;
      [left, right] = [Math.min(left, x), Math.max(right, x)];
      [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    }
  }
  if (right < 0) return undefined;
  const scale = Math.max(right - left + 1, bottom - top + 1) / BOX;
  const columns = Math.max(1, Math.round((right - left + 1) / scale));
  const rows = Math.max(1, Math.round((bottom - top + 1) / scale));
  const small = new Float32Array(columns * rows);
  let [mass, massX, massY] = [0, 0, 0];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = areaMean(ink, side, left + column * scale, top + row * scale, scale);
      small[row * columns + column] = value;
      mass += value;
      massX += value * (column + 0.5);
      massY += value * (row + 0.5);
    }
  }
  const clamp = (value: number, most: number): number => Math.max(0, Math.min(most, value));
  const atX = clamp(Math.round(SIDE / 2 - massX / mass), SIDE - columns);
  const atY = clamp(Math.round(SIDE / 2 - massY / mass), SIDE - rows);
  const digit = new Float32Array(SIDE * SIDE);
  for (let row = 0; row < rows; row++) digit.set(small.subarray(row * columns, (row + 1) * columns), (atY + row) * SIDE + atX);
  return digit;
}

/** Mean over a square whose edges may cut through cells. */
function areaMean(cells: Float32Array, side: number, x: number, y: number, size: number): number {
  let sum = 0;
  let area = 0;
  for (let row = Math.floor(y); row < y + size && row < side; row++) {
    const high = Math.min(row + 1, y + size) - Math.max(row, y);
    for (let column = Math.floor(x); column < x + size && column < side; column++) {
      const part = high * (Math.min(column + 1, x + size) - Math.max(column, x));
      sum += part * cells[row * side + column]!;
      area += part;
    }
  }
  return area > 0 ? Math.min(1, sum / area) : 0;
}
