import { computed, effect, signal } from "@preact/signals-core";
import type { GradscopeError, Hint } from "gradscope";
import { language, LANGUAGES, type Language } from "../state/settings.js";
import { bytes, count } from "../lib/format.js";
import type { Arguments, Catalogue, Key, Lesson } from "./types.js";

/** Only the language that is read is loaded. */
const LOAD: Readonly<Record<Language, () => Promise<Catalogue>>> = {
  en: async () => (await import("./en.js")).en,
  zh: async () => (await import("./zh.js")).zh,
};

const TAGS: Readonly<Record<Language, string>> = { en: "en", zh: "zh-CN" };

interface Texts {
  language: Language;
  catalogue: Catalogue;
}

/** The texts of a language; where they cannot be had those in English, and any others where even these cannot. */
async function load(wanted: Language): Promise<Texts> {
  let reason: unknown;
  for (const language of new Set<Language>([wanted, "en", ...LANGUAGES])) {
    try {
      return { language, catalogue: await LOAD[language]() };
    } catch (error) {
      reason ??= error;
    }
  }
  throw reason;
}

const texts = signal(await load(language.peek()));
const catalogue = computed(() => texts.value.catalogue);
/** The language that was asked for and whose texts could not be had. */
export const missingLanguage = signal<Language | undefined>(texts.peek().language === language.peek() ? undefined : language.peek());

effect(() => {
  const wanted = language.value;
  load(wanted).then((loaded) => {
    if (language.peek() !== wanted) return;
    texts.value = loaded;
    missingLanguage.value = loaded.language === wanted ? undefined : wanted;
  }, () => (missingLanguage.value = wanted));
});

effect(() => {
  document.documentElement.lang = TAGS[texts.value.language];
});

/** The language of the texts that are shown. */
export const shownLanguage = computed(() => texts.value.language);

/** Puts values into a sentence. */
export const fill = (template: string, args: Readonly<Record<string, string | number>>): string =>
  template.replace(/\{(\w+)\}/g, (all, key: string) => {
    const value = args[key];
    return value === undefined ? all : typeof value === "number" ? count(value) : value;
  });

/** The sentence of that key in the language of the page; numbers are written as whole numbers. */
export function t<K extends Key>(key: K, ...args: Arguments<K>): string {
  return fill(catalogue.value.texts[key], args[0] ?? {});
}

/** Phrases with values in them, the most precise first. */
const patterns = computed(() => {
  const form = (key: string): RegExp => new RegExp(`^${key.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replaceAll("{}", "(\\[.*\\]|\\S+)")}$`);
  const keys = Object.entries(catalogue.value.words).filter(([key]) => key.includes("{}"));
  return keys.sort(([a], [b]) => b.length - a.length).map(([key, translation]) => [form(key), translation] as const);
});

/** A phrase of the engine's in the language of the page, as it is where there is no translation; `{}` in the list stands for one word or shape. */
export function phrase(text: string): string {
  const { words } = catalogue.value;
  if (Object.hasOwn(words, text)) return words[text]!;
  for (const [form, translation] of patterns.value) {
    const values = form.exec(text)?.slice(1);
    if (values) return translation.replaceAll("{}", () => phrase(values.shift() ?? ""));
  }
  return text;
}

/** An error's values in the language of the page. */
function argumentsOf({ args }: Pick<GradscopeError, "args">): Record<string, string> {
  const text = (key: string, value: string): string => (key.endsWith("bytes") ? bytes(Number(value)) : phrase(value));
  return Object.fromEntries(Object.entries(args).map(([key, value]) => [key, text(key, value)]));
}

/** An error's sentence in the language of the page. */
export const errorText = (error: Pick<GradscopeError, "code" | "args">): string => fill(catalogue.value.errors[error.code], argumentsOf(error));

/** What may help with an error of the scratchpad, if anything is known. */
export function hintText(error: Pick<GradscopeError, "args">): string | undefined {
  const { hints } = catalogue.value;
  const { hint } = error.args;
  return hint !== undefined && Object.hasOwn(hints, hint) ? fill(hints[hint as Hint], argumentsOf(error)) : undefined;
}

/** What the page teaches about a preset, if it does. */
export const lesson = (preset: string): Lesson | undefined => (catalogue.value.lessons as Readonly<Record<string, Lesson>>)[preset];
