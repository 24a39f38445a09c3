import { effect, signal } from "@preact/signals-core";
import type { Tokenization, Tokenizer } from "gradscope";
import { fail } from "./engine.js";
import { VOCABULARY } from "./spec.js";
import * as store from "./store.js";

/** Most tokens of a vocabulary. */
export const MOST = 65536;

/** What the tokens of the session's text are. */
export const tokenization = signal<Tokenization | undefined>(undefined);

/** Keeps that true to the session, until it is stopped. */
export const followText = (): (() => void) =>
  effect(() => {
    const session = store.session.value;
    tokenization.value = undefined;
    session?.tokenization(session.info.classes.length).then((of) => {
      if (store.session.peek() === session) tokenization.value = of;
    }).catch(fail);
  });

/** What the controls say of tokens, or would by default, with room for more than the characters; how many these are is known of the text that is open. */
export function options({ documents, data }: store.Setup): { tokenizer: Tokenizer; vocabulary: number; least: number } {
  const least = (data === store.built.value?.setup.data && tokenization.value?.characters) || 2;
  return { tokenizer: documents?.tokenizer ?? "character", vocabulary: documents?.vocabulary ?? Math.max(VOCABULARY, 2 ** Math.ceil(Math.log2(1.5 * least))), least };
}

/** Reads the text in other tokens; characters need no option. */
export function change(tokenizer: Tokenizer, vocabulary: number): void {
  store.change({ documents: tokenizer === "character" ? undefined : { tokenizer, vocabulary } });
}
