import { UMAP } from "umap-js";
import { randomFrom } from "../lib/random.js";
import { top } from "../lib/top.js";

/** Neighbours that a point is kept near to, and rounds of moving the points: the published defaults, but for fewer rounds. */
const NEIGHBOURS = 15;
const ROUNDS = 300;
/** Share of the way that finding neighbours counts for. */
const FINDING = 0.3;

/** Rows of length 1, so that near means a large cosine; rows of zeros stay. */
export function unit(rows: Float32Array, width: number): Float32Array {
  const out = rows.slice();
  for (let start = 0; start < out.length; start += width) {
    const row = out.subarray(start, start + width);
    const length = Math.hypot(...row) || 1;
    row.forEach((part, k) => (row[k] = part / length));
  }
  return out;
}

/** Of each row the `most` nearest with their distances, itself first: every pair is compared, so that no chance is in it. */
export function neighbours(rows: Float32Array, width: number, most: number, progress: (share: number) => void): [number[][], number[][]] {
  const count = rows.length / width;
  const [indices, distances]: [number[][], number[][]] = [[], []];
  const nearness = new Float64Array(count);
  for (let row = 0; row < count; row++) {
    for (let other = 0; other < count; other++) {
      let square = 0;
      for (let k = 0; k < width; k++) square += (rows[row * width + k]! - rows[other * width + k]!) ** 2;
      nearness[other] = other === row ? Infinity : -square;
    }
    const order = top(nearness, most);
    indices.push(order);
    distances.push(order.map((other) => (other === row ? 0 : Math.sqrt(-nearness[other]!))));
    progress((row + 1) / count);
  }
  return [indices, distances];
}

/** UMAP (McInnes et al. 2018) of rows [N, D] by cosine: points [N, 2]; the same for the same seed. `progress` gets the points as they are so far. */
export function umap(rows: Float32Array, width: number, seed: number, progress: (share: number, at?: () => Float32Array) => void): Float32Array {
  const units = unit(rows, width);
  const count = rows.length / width;
  const most = Math.min(NEIGHBOURS, count - 1);
  // Fewer than three points have no shape to keep.
  if (most < 2) return Float32Array.from({ length: 2 * count }, (_, k) => k >> 1);
  const layout = new UMAP({ nNeighbors: most, nEpochs: ROUNDS, random: randomFrom(seed) });
  layout.setPrecomputedKNN(...neighbours(units, width, most, (share) => progress(FINDING * share)));
  layout.initializeFit(Array.from({ length: count }, (_, row) => [...units.subarray(row * width, (row + 1) * width)]));
  const at = (): Float32Array => Float32Array.from(layout.getEmbedding().flat());
  for (let round = 1; round <= ROUNDS; round++) {
    layout.step();
    progress(FINDING + (1 - FINDING) * (round / ROUNDS), at);
  }
  return at();
}
