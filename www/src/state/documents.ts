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
  const vocabulary = setup.documents?.vocabulary ?? (tokens ? Number(first?.vocabulary_size ?? first?.input_dim) : width);
  return { tokens, vocabulary, length: width, stopWords: setup.documents?.stopWords ?? false };
}

/** Gives the model a vocabulary of another size: it is the embedding's (which may have one row more, for hidden words), or the width of what it reads. */
export function changeVocabulary(size: number): void {
  const setup = store.setup.value;
  if (!setup) return;
  const { tokens, vocabulary } = options(setup);
  if (!tokens) return store.change({ model: { ...setup.model, input: [size] } });
  const layers = setup.model.layers.map((layer) => {
    const spec: Spec = { ...(layer as unknown as Spec) };
    for (const key of ["input_dim", "vocabulary_size", "mask_token_id"]) {
      const extra = Number(spec[key]) - vocabulary;
      if (extra === 0 || extra === 1) spec[key] = size + extra;
    }
    return spec as unknown as typeof layer;
  });
  const documents = setup.documents?.vocabulary ? { ...setup.documents, vocabulary: size } : setup.documents;
  store.change({ model: { ...setup.model, layers }, documents });
}

export function changeLength(length: number): void {
  const setup = store.setup.value;
  if (setup) store.change({ model: { ...setup.model, input: [length] } });
}

export const changeStopWords = (stopWords: boolean): void => {
  const { stopWords: _, ...others } = store.setup.value?.documents ?? {};
  const documents: DocumentOptions = stopWords ? { ...others, stopWords } : others;
  store.change({ documents: Object.keys(documents).length ? documents : undefined });
};
