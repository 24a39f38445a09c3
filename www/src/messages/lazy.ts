import { effect, signal } from "@preact/signals-core";
import type { Language } from "../state/settings.js";
import { fill, shownLanguage } from "./index.js";
import type { ArgumentsOf } from "./types.js";

/**
 * Texts that come with the part of the page that needs them, in the language that is shown; in English where those cannot be had. Gives what says the sentence
 * of a key; numbers are written as whole numbers.
 */
export async function textsOf<T extends { readonly [key: string]: string }>(
  loads: Readonly<Record<Language, () => Promise<{ readonly [K in keyof T]: string }>>>,
): Promise<<K extends keyof T>(key: K, ...args: ArgumentsOf<T[K]>) => string> {
  const load = (language: Language): Promise<{ readonly [K in keyof T]: string }> => loads[language]().catch(() => loads.en());
  const texts = signal(await load(shownLanguage.peek()));
  effect(() => {
    const language = shownLanguage.value;
    void load(language).then((loaded) => {
      if (shownLanguage.peek() === language) texts.value = loaded;
    });
  });
  return (key, ...args) => fill(texts.value[key], args[0] ?? {});
}
