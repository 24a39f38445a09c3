import { top } from "./top.js";

/** A token, and what a model gives it. */
export interface Likely {
  token: number;
  probability: number;
}

/** The probabilities of a row of logits, softmax; or the row as it is, where the model's last layer has made them already. */
function probabilities(row: Float32Array, already: boolean): Float64Array {
  const powers = Float64Array.from(row);
  if (!already) {
    let most = -Infinity;
    for (let k = 0; k < row.length; k++) most = Math.max(most, row[k]!);
    for (let k = 0; k < row.length; k++) powers[k] = Math.exp(row[k]! - most);
  }
  let total = 0;
  for (let k = 0; k < row.length; k++) total += powers[k]!;
  for (let k = 0; k < row.length; k++) powers[k]! /= total;
  return powers;
}

/** The likeliest tokens of a row, the likeliest first; of equally likely ones the smaller. */
export function likeliest(row: Float32Array, most: number, already: boolean): Likely[] {
  const all = probabilities(row, already);
  return top(all, most).map((token) => ({ token, probability: all[token]! }));
}
