import { computed, effect, signal } from "@preact/signals-core";
import type { Answered, Split } from "gradscope";
import { fail } from "./engine.js";
import * as store from "./store.js";

/** Examples that are listed at a time. */
export const PAGE = 24;

/** The part of the data that is looked at. */
export const part = signal<Split>("test");
/** The cell of the confusion matrix whose examples are listed; without one it is whatever was got wrong. */
export const chosen = signal<{ truth: number; prediction: number } | undefined>(undefined);
/** What is listed: the examples, with their values one after another where they are images. */
export const listed = signal<{ total: number; examples: readonly Answered[]; x: readonly Float32Array[] } | undefined>(undefined);

const evaluation = computed(() => store.evaluations.value[part.value]);

/** The next page of what is listed; the first one where nothing is. */
async function fetch(more: boolean): Promise<void> {
  const [session, of, cell, split] = [store.session.peek(), evaluation.peek(), chosen.peek(), part.peek()];
  const before = more ? listed.peek() : undefined;
  if (!more) listed.value = undefined;
  if (!session || !of?.confusion) return;
  const first = before?.examples.length ?? 0;
  const { total, examples } = cell
    ? await session.cell(split, cell.truth, cell.prediction, { first, most: PAGE })
    : { total: of.misclassified.length, examples: of.misclassified.slice(first, first + PAGE) };
  const { x } = examples.length ? await session.examples(split, examples.map(({ index }) => index)) : { x: new Float32Array() };
  // Meanwhile something else may have been asked for.
  if (evaluation.peek() !== of || chosen.peek() !== cell || store.session.peek() !== session) return;
  const size = x.length / Math.max(1, examples.length);
  const pictures = examples.map((_, k) => x.subarray(k * size, (k + 1) * size));
  listed.value = { total, examples: [...(before?.examples ?? []), ...examples], x: [...(before?.x ?? []), ...pictures] };
}

export const listMore = (): void => void fetch(true).catch(fail);

/** Keeps the list true to the part, its evaluation and the cell; until it is stopped. */
export const followCell = (): (() => void) =>
  effect(() => {
    void evaluation.value;
    void chosen.value;
    void fetch(false).catch(fail);
  });
