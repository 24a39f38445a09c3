import { top } from "./top.js";

/** A row that points in nearly the same direction as another. */
export interface Neighbour {
  row: number;
  /** a · b / (|a| |b|). */
  cosine: number;
}

/** The rows of [N, D] with the largest cosine to row `of`, the largest first, without itself; rows of zeros have none. */
export function nearest(rows: Float32Array, width: number, of: number, most: number): Neighbour[] {
  const cosines = new Float64Array(rows.length / width);
  const own = rows.subarray(of * width, (of + 1) * width);
  const length = Math.hypot(...own);
  for (let row = 0; row < cosines.length; row++) {
    let [product, square] = [0, 0];
    for (let k = 0; k < width; k++) {
      const other = rows[row * width + k]!;
      product += own[k]! * other;
      square += other * other;
    }
    cosines[row] = row === of ? NaN : product / (length * Math.sqrt(square));
  }
  return top(cosines, most).map((row) => ({ row, cosine: cosines[row]! }));
}
