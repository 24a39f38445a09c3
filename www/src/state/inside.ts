import { computed } from "@preact/signals-core";
import type { LayerSpec } from "gradscope";
import { attentionsOf, firstPosition, streamOf, wired, type Attending, type Stream, type Wired } from "../lib/transformer.js";
import { hidden } from "./guesses.js";
import * as store from "./store.js";

/** The layers of the session's model by name. */
const model = computed((): ReadonlyMap<string, Wired> => {
  const built = store.built.value;
  return built ? wired(built.setup.model.layers, built.description.layers.map(({ name }) => name)) : new Map();
});

/** Its layers of attention. */
export const attending = computed((): readonly Attending[] => attentionsOf(model.value));

/** The path around its layers, where it ends in what token each position stands for. */
export const stream = computed((): Stream | undefined => (outputShape(lastLayer())?.length === 2 ? streamOf(model.value) : undefined));

/** The table that makes vectors of tokens. */
export const table = computed(() => {
  for (const { name, layer } of model.value.values()) {
    if (layer.type === "Embedding" || (layer.type === "ReversibleEmbedding" && !layer.reverse)) return { name, width: layer.output_dim, masks: layer.mask_zero ?? false };
  }
  return undefined;
});

/** What padding that is masked has no part in. */
export const maskedBy = computed((): readonly ("recurrent" | "attention" | "pooling" | "loss")[] => {
  const types = new Set([...model.value.values()].map(({ layer }) => layer.type));
  const has = (...of: LayerSpec["type"][]): boolean => of.some((type) => types.has(type));
  const parts = {
    recurrent: has("SimpleRNN", "LSTM", "GRU"), attention: attending.value.length > 0, pooling: has("GlobalAveragePooling1D"),
    loss: outputShape(lastLayer())?.length === 2,
  };
  return (Object.keys(parts) as (keyof typeof parts)[]).filter((part) => parts[part]);
});

const lastLayer = (): string | undefined => [...model.value.keys()].at(-1);

/** Shape of what a layer puts out for an example. */
export const outputShape = (name: string | undefined): readonly number[] | undefined =>
  store.built.value?.description.layers.find((layer) => layer.name === name)?.outputShape ?? undefined;

/** Where among the example's tokens a layer's first position stands. */
export const firstOf = (name: string): number => firstPosition(model.value, name);

/** The number of the token that hides a word from a model that learns to guess. */
export const maskToken = computed((): number | undefined => {
  const first = store.built.value?.setup.model.layers[0];
  return first?.type === "MaskedLMMaskGenerator" ? first.mask_token_id : undefined;
});

/** The pinned example as the model reads it: with the words hidden that it is to guess. */
export const read = computed((): Float32Array | undefined => {
  const [x, mask] = [store.pinned.value?.x, maskToken.value];
  return x && mask !== undefined ? x.map((token, k) => (hidden.value.has(k) ? mask : token)) : x;
});

/** Positions of a range of the example without the padding at its end. */
export function filled(first: number, count: number): number {
  if (store.dataset.value?.kind === "text") return count;
  let length = count;
  while (length > 1 && read.value?.[first + length - 1] === 0) length--;
  return length;
}
