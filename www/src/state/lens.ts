import { signal } from "@preact/signals-core";
import type { Session } from "gradscope";
import { likeliest, type Likely } from "../lib/likeliest.js";
import { firstOf, maskToken, outputShape, read, stream } from "./inside.js";
import * as store from "./store.js";

/** What the model's end would say if it stood behind a sum already: of each position the likeliest token. */
export interface Lens {
  sums: readonly string[];
  /** Of each sum and each position. */
  best: readonly (readonly Likely[])[];
  /** Logits or probabilities [sums, positions, vocabulary]. */
  scores: Float32Array;
  positions: number;
  vocabulary: number;
  /** Where positions begin among the example's tokens. */
  first: number;
  /** The example that was read, and what stands in truth at each position, where that is known. */
  x: Float32Array;
  truth: readonly (number | undefined)[];
}

export const lens = signal<Lens | undefined>(undefined);
/** The place that is looked at: a sum and a position. */
export const place = signal<{ sum: number; position: number } | undefined>(undefined);

/** Forgets what was seen of another session. */
export function forgetLens(): void {
  lens.value = place.value = undefined;
}

/** Whether the last layer makes probabilities itself. */
const already = (): boolean => {
  const last = store.built.peek()?.setup.model.layers.at(-1);
  return last?.type === "Dense" && last.activation === "softmax";
};

/** The likeliest tokens at a place, the likeliest first. */
export function candidates({ scores, positions, vocabulary }: Lens, sum: number, position: number, most: number): Likely[] {
  const start = (sum * positions + position) * vocabulary;
  return likeliest(scores.subarray(start, start + vocabulary), most, already());
}

/**
 * The logit lens (nostalgebraist 2020): what the sums along the path come to, and what the layers behind the last of them make of each, as if the blocks
 * between them were not there.
 */
export async function lookThroughLens(session: Session): Promise<void> {
  const [of, x, pinned] = [stream.peek(), read.peek(), store.pinned.peek()];
  if (!of || !x || !pinned) return void (lens.value = undefined);
  const { sums, output } = of;
  const vectors = await session.activations([...sums], x);
  const all = new Float32Array(vectors.reduce((length, values) => length + values.length, 0));
  vectors.reduce((at, values) => (all.set(values, at), at + values.length), 0);
  const [scores] = await session.activations([output], all, { from: sums.at(-1)! });
  const [positions = 1, vocabulary = 1] = outputShape(output) ?? [];
  const best: Likely[][] = [];
  for (let sum = 0; sum < sums.length; sum++) {
    best.push([]);
    for (let position = 0; position < positions; position++) {
      const start = (sum * positions + position) * vocabulary;
      best[sum]!.push(likeliest(scores!.subarray(start, start + vocabulary), 1, already())[0]!);
    }
    // A large vocabulary takes some milliseconds a sum.
    await new Promise((resolve) => setTimeout(resolve));
  }
  if (store.session.peek() !== session) return;
  const first = firstOf(sums[0]!);
  const truth = Array.from({ length: positions }, (_, k) => (maskToken.peek() === undefined ? pinned.target[k] : pinned.x[first + k]));
  lens.value = { sums, best, scores: scores!, positions, vocabulary, first, x, truth };
}
