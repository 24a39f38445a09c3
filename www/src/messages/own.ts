// Texts of the dialog for one's own data: they come with it, in the language that is shown.

import { effect, signal } from "@preact/signals-core";
import type { Language } from "../state/settings.js";
import { fill, shownLanguage } from "./index.js";
import type { own as english } from "./en-own.js";
import type { ArgumentsOf } from "./types.js";

type Texts = typeof english;
type Keys = keyof Texts;

const LOAD: Readonly<Record<Language, () => Promise<{ readonly [K in Keys]: string }>>> = {
  en: async () => (await import("./en-own.js")).own,
  zh: async () => (await import("./zh-own.js")).own,
};

const load = (language: Language): Promise<{ readonly [K in Keys]: string }> => LOAD[language]().catch(() => LOAD.en());

const texts = signal(await load(shownLanguage.peek()));

effect(() => {
  const language = shownLanguage.value;
  void load(language).then((loaded) => {
    if (shownLanguage.peek() === language) texts.value = loaded;
  });
});

/** The sentence of that key; numbers are written as whole numbers. */
export function o<K extends Keys>(key: K, ...args: ArgumentsOf<Texts[K]>): string {
  return fill(texts.value[key], args[0] ?? {});
}

/** The sentence of a code, whose arguments are known by it alone. */
export const said = (group: "failure" | "skip" | "note", code: string, args: Readonly<Record<string, string | number>>): string =>
  fill(texts.value[`${group}.${code}` as Keys], args);
