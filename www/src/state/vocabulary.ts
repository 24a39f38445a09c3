import { computed, effect, signal } from "@preact/signals-core";
import type { Session, Vocabulary } from "gradscope";
import { visible } from "../lib/text.js";
import { say } from "../messages/inside.js";
import { fail } from "./engine.js";
import { maskToken } from "./inside.js";
import { readsTokens } from "./spec.js";
import * as store from "./store.js";

/** The tokens of the session's data, and how often each occurs. */
export const vocabulary = signal<Vocabulary | undefined>(undefined);
/** The token that is looked at, by number. */
export const chosen = signal<number | undefined>(undefined);

let of: Session | undefined;

/** Fetches them once a session, until it is stopped. */
export const followVocabulary = (): (() => void) =>
  effect(() => {
    const session = store.session.value;
    if (!session || session === of) return;
    of = session;
    vocabulary.value = chosen.value = undefined;
    session.vocabulary().then((told) => {
      if (store.session.peek() === session) vocabulary.value = told;
    }).catch((error: unknown) => {
      if (store.session.peek() === session) fail(error);
    });
  });

/** What tokens stand for that are no words or characters, by number. */
export const special = computed((): ReadonlyMap<number, "padding" | "unknown" | "start" | "end" | "mask"> => {
  const kind = store.dataset.value?.kind;
  const tokens = readsTokens(store.built.value?.setup.model);
  return new Map([
    ...(kind === "documents" && tokens ? [[0, "padding"], [1, "unknown"]] as const : []),
    ...(kind === "pairs" ? [[0, "padding"], [1, "start"], [2, "end"]] as const : []),
    ...(maskToken.value === undefined ? [] : [[maskToken.value, "mask"]] as const),
  ]);
});

/** A token as it is written, or what it stands for; its number where the data hold no such token, but a row of the model's table does. */
export function nameOf(token: number): string {
  const text = vocabulary.value?.tokens[token] ?? (store.isDocuments.value ? undefined : store.session.value?.info.classes[token]);
  const kind = special.value.get(token);
  return text ? visible(text) : kind ? say(`token.${kind}`) : `#${token}`;
}
