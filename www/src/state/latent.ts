import { computed } from "@preact/signals-core";
import * as store from "./store.js";

/** The layer of two numbers that a model of pictures passes through, if it has one: an autoencoder's code. */
export const bottleneck = computed(() => {
  const built = store.built.value;
  const loss = built?.setup.loss;
  if (!loss || !("target" in loss) || loss.target !== "input" || built.setup.model.input.length !== 3) return undefined;
  const inner = built.description.layers.slice(0, -1);
  return inner.find(({ outputShape: of }) => of?.length === 1 && of[0] === 2)?.name;
});
