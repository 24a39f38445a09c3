import { effect, signal } from "@preact/signals-core";
import type { Document, DocumentOptions } from "gradscope";
import { listed, part } from "./confusion.js";
import { fail } from "./engine.js";
import { readsTokens, type Spec } from "./spec.js";
import * as store from "./store.js";

/** About so much of a document is shown beside the network, and in a list. */
const WHOLE = 6000;
const LINE = 120;

/** The pinned document. */
export const shown = signal<Document | undefined>(undefined);
/** The beginnings of the documents that are listed, by their index. */
export const lines = signal<ReadonlyMap<number, string>>(new Map());

/** Keeps the document true to what is pinned, until it is stopped. */
export const followPinned = (): (() => void) =>
  effect(() => {
    const [session, from] = [store.session.value, store.pinned.value?.from];
    shown.value = undefined;
    if (!session || !from) return;
    session.documents(from.split, [from.index], WHOLE).then(([document]) => {
      if (store.session.peek() === session && store.pinned.peek()?.from === from) shown.value = document;
    }).catch(fail);
  });

/** Keeps the beginnings true to what is listed, until it is stopped. */
export const followListed = (): (() => void) =>
  effect(() => {
    const [session, of] = [store.session.value, listed.value];
    const indices = of?.examples.map(({ index }) => index) ?? [];
    if (!session || indices.length === 0) return void (lines.value = new Map());
    session.documents(part.peek(), indices, LINE).then((documents) => {
      if (listed.peek() !== of) return;
      lines.value = new Map(documents.map(({ pieces, more }, k) => [indices[k]!, pieces.map(({ text }) => text).join("") + (more ? "…" : "")]));
    }).catch(fail);
  });

/** Vocabulary, words a row and stop words as the controls have them. */
export function options(setup: store.Setup): { tokens: boolean; vocabulary: number; length: number; stopWords: boolean } {
  const tokens = readsTokens(setup.model);
  const [width = 1] = setup.model.input;
  const first = setup.model.layers[0] as Spec | undefined;
  return { tokens, vocabulary: tokens ? Number(first?.input_dim) : width, length: width, stopWords: setup.documents?.stopWords ?? false };
}

/** Gives the model a vocabulary of another size: it is the embedding's, or the width of what it reads. */
export function changeVocabulary(size: number): void {
  const setup = store.setup.value;
  if (!setup) return;
  const [first, ...rest] = setup.model.layers;
  const { tokens } = options(setup);
  store.change({ model: tokens && first ? { ...setup.model, layers: [{ ...first, input_dim: size } as typeof first, ...rest] } : { ...setup.model, input: [size] } });
}

export function changeLength(length: number): void {
  const setup = store.setup.value;
  if (setup) store.change({ model: { ...setup.model, input: [length] } });
}

export const changeStopWords = (stopWords: boolean): void => store.change({ documents: stopWords ? ({ stopWords } satisfies DocumentOptions) : undefined });
