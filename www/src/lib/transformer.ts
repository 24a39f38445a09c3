// What a model's spec says of its attention and of the path that leads around its layers, for any order of layers that Keras would build.

import type { LayerSpec } from "gradscope";

/** A layer with its name and the names of what it reads. */
export interface Wired {
  name: string;
  layer: LayerSpec;
  inputs: readonly string[];
}

/** A layer of attention: its heads, and whether all that it reads is one sequence. */
export interface Attending {
  name: string;
  heads: number;
  self: boolean;
  /** What asks, and what is looked at. */
  query: string;
  key: string;
}

/** Sums along the path around the layers, the first one first, and the layer that tells of the last what token it stands for. */
export interface Stream {
  sums: readonly string[];
  output: string;
}

/** The layers by name; one that does not say what it reads reads the one before it. */
export function wired(layers: readonly LayerSpec[], names: readonly string[]): Map<string, Wired> {
  return new Map(layers.map((layer, k) => {
    const name = names[k]!;
    return [name, { name, layer, inputs: layer.inputs ?? [names[k - 1] ?? "input"] }];
  }));
}

/** The layers of attention, the first one first. */
export function attentionsOf(model: ReadonlyMap<string, Wired>): Attending[] {
  return [...model.values()].flatMap(({ name, layer, inputs }) => {
    const heads = layer.type === "MultiHeadAttention" ? layer.num_heads : layer.type === "GroupQueryAttention" ? layer.num_query_heads : 0;
    const [query = "input", key = query] = inputs;
    return heads ? [{ name, heads, self: inputs.every((input) => input === query), query, key }] : [];
  });
}

/** Where among an example's tokens the first position of a layer stands: behind what `Cropping1D` cut off on the way. */
export function firstPosition(model: ReadonlyMap<string, Wired>, name: string): number {
  for (let on = model.get(name); on; on = model.get(on.inputs[0]!)) {
    if (on.layer.type === "Cropping1D") return [on.layer.cropping ?? 1].flat()[0]!;
  }
  return 0;
}

/** Whether a layer is made of another. */
function reads(model: ReadonlyMap<string, Wired>, name: string, other: string): boolean {
  // A set goes on to what is added to it meanwhile.
  const made = new Set([name]);
  for (const on of made) model.get(on)?.inputs.forEach((input) => made.add(input));
  return made.has(other);
}

const isNorm = ({ layer }: Wired): boolean => layer.type === "LayerNormalization" || layer.type === "RMSNormalization";

/** The sum before a layer, with nothing but norms and dropout, which lets all through when it is asked, between them. */
function sumBefore(model: ReadonlyMap<string, Wired>, name: string | undefined): Wired | undefined {
  for (let on = model.get(name ?? ""); on; on = model.get(on.inputs[0]!)) {
    if (on.layer.type === "Add") return on;
    if (!isNorm(on) && on.layer.type !== "Dropout") return undefined;
  }
  return undefined;
}

/**
 * The path around the layers of a model whose last layer makes logits, or probabilities, of each position's vector: from the last sum back, each time by the
 * summand that the other one is made of. Nothing where the model is no such one.
 */
export function streamOf(model: ReadonlyMap<string, Wired>): Stream | undefined {
  const last = [...model.values()].at(-1);
  if (!last || !(last.layer.type === "Dense" || (last.layer.type === "ReversibleEmbedding" && last.layer.reverse))) return undefined;
  const sums: string[] = [];
  for (let sum = sumBefore(model, last.inputs[0]); sum; ) {
    sums.unshift(sum.name);
    const [a, b] = sum.inputs as [string, string];
    sum = sumBefore(model, reads(model, b, a) ? a : b);
  }
  return sums.length > 1 ? { sums, output: last.name } : undefined;
}
