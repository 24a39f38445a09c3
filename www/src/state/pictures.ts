import { effect } from "@preact/signals-core";
import type { Split, View } from "gradscope";
import { fail } from "./engine.js";
import * as store from "./store.js";

/** Pictures on a card, and of the layer that is looked at. */
export const ON_CARD = 6;
export const ON_LAYER = 64;

/** Name of a layer's kernel among the parameters. */
export const kernelOf = (layer: string): string => `${layer}.kernel`;

/** Whether a layer's filters can be shown: a convolution over one channel or three. */
export function filtersOf(layer: string): readonly number[] | undefined {
  const kernel = store.built.value?.parameters.find(({ name }) => name === kernelOf(layer))?.shape;
  return kernel?.length === 4 && kernel[2]! <= 3 ? kernel : undefined;
}

/** Subscribes to every layer's output, and to the filters of the layer that is looked at. */
export async function watchNetwork(): Promise<void> {
  const { session, built, selected } = store;
  if (!session.value || !built.value) return;
  const views: View[] = built.value.description.layers.map(({ name }) => ({ node: name, most: name === selected.value ? ON_LAYER : ON_CARD }));
  if (selected.value && filtersOf(selected.value)) views.push({ node: kernelOf(selected.value), most: ON_LAYER });
  await session.value.watch(views);
}

/** Watches anew when another layer is looked at. */
export function watchSelection(): void {
  let before: string | undefined;
  effect(() => {
    const now = store.selected.value;
    if (now !== before && store.session.value && store.built.value) void watchNetwork().then(() => store.session.value?.frame()).catch(fail);
    before = now;
  });
}

const firstSplit = (): Split => ((store.session.value?.info.testExamples ?? 0) > 0 ? "test" : "train");

/** How many examples a part has. */
export function examplesIn(split: Split): number {
  const info = store.session.value?.info;
  return (split === "train" ? info?.trainingExamples : split === "test" ? info?.testExamples : info?.validationExamples) ?? 0;
}

/** Pins an example of the data. */
export async function pinExample(split: Split, index: number): Promise<void> {
  const session = store.session.value;
  if (!session) return;
  const { x, labels } = await session.examples(split, [index]);
  store.pinned.value = { x, target: labels, from: { split, index } };
  await session.pin({ split, index });
  await session.frame();
}

/** Pins the first example of the test part, or of the training part where there is no other. */
export const drawnFromDataset = (): Promise<void> => pinExample(firstSplit(), 0);

/** Pins the next or the previous example of the same part. */
export function pinNext(by: number): void {
  const from = store.pinned.value?.from ?? { split: firstSplit(), index: -1 };
  const among = examplesIn(from.split);
  if (among) pinExample(from.split, (from.index + by + among) % among).catch(fail);
}

/** Pins values of the visitor's own. */
export async function pinDrawn(x: Float32Array): Promise<void> {
  store.pinned.value = { x, target: [], from: undefined };
  await store.session.value?.pin(x);
  await store.session.value?.frame();
}
