import { top } from "./top.js";

/** A token, and what a model gives it. */
export interface Likely {
  token: number;
  probability: number;
}

/** The probabilities of a row of logits, softmax; or the row as it is, where the model's last layer has made them already. */
function probabilities(row: Float32Array, already: boolean): Float64Array {
  const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = Float64Array.from(row, (value) => (already ? value : Math.exp(value - most)));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

/** The likeliest tokens of a row, the likeliest first; of equally likely ones the smaller. */
export function likeliest(row: Float32Array, most: number, already: boolean): Likely[] {
  const all = probabilities(row, already);
  return top(all, most).map((token) => ({ token, probability: all[token]! }));
}
