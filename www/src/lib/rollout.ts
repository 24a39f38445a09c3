/** What a layer of self-attention looks at: shares [heads, T, T]. */
export interface Shares {
  heads: number;
  shares: Float32Array;
}

/** The mean of all heads, [T, S]. */
export function meanOfHeads({ heads, shares }: Shares): Float64Array {
  const cells = shares.length / heads;
  const mean = new Float64Array(cells);
  for (let k = 0; k < shares.length; k++) mean[k % cells]! += shares[k]! / heads;
  return mean;
}

/**
 * Attention roll-out (Abnar and Zuidema 2020): how much of each position's vector behind the last layer comes from each position of the first, if all that a
 * layer does is mix them. Of the first layer upwards R = A' R, with A' = (A + I) / 2: half of it is the path around the layer. Rows add up to 1.
 */
export function rollOut(layers: readonly Shares[], length: number): Float64Array {
  let rolled = Float64Array.from({ length: length * length }, (_, k) => Number(k % length === Math.floor(k / length)));
  for (const layer of layers) {
    const mixed = meanOfHeads(layer).map((share, k) => (share + Number(k % length === Math.floor(k / length))) / 2);
    const next = new Float64Array(length * length);
    for (let row = 0; row < length; row++) {
      let sum = 0;
      for (let k = 0; k < length; k++) sum += mixed[row * length + k]!;
      for (let k = 0; k < length; k++) {
        const share = mixed[row * length + k]! / sum;
        if (share !== 0) for (let column = 0; column < length; column++) next[row * length + column]! += share * rolled[k * length + column]!;
      }
    }
    rolled = next;
  }
  return rolled;
}
