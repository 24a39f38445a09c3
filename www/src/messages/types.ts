import type { ErrorCode, Hint } from "gradscope";
import type { en } from "./en.js";

/** Key of a text. */
export type Key = keyof (typeof en)["texts"];

/** An argument of a layer or an optimizer that can be edited. */
export type Argument = Key extends infer K ? (K extends `arg.${infer Name}` ? Name : never) : never;

/** The `{names}` in a template. */
type Names<T extends string> = T extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;

/** Key of a text without arguments. */
export type PlainKey = { [K in Key]: [Names<(typeof en)["texts"][K]>] extends [never] ? K : never }[Key];

/** What a template takes: nothing, or every name in it. */
export type ArgumentsOf<T extends string> = Names<T> extends never ? [] : [Record<Names<T>, string | number>];

/** What `t` takes besides the key: what the English template does. */
export type Arguments<K extends Key> = ArgumentsOf<(typeof en)["texts"][K]>;

/** A sentence for each error, with the arguments that the engine gives. */
export type ErrorTexts = Readonly<Record<ErrorCode, string>>;

/** A sentence for each hint of the scratchpad. */
export type HintTexts = Readonly<Record<Hint, string>>;

/** Presets that the page teaches something about. */
export type Taught =
  | "welcome" | "mnist-cnn" | "mnist-cnn-small" | "cifar10-cnn" | "autoencoder" | "gan-mnist" | "gan-2d" | "newsgroups-tfidf" | "newsgroups-cnn" | "sentiment-rnn" | "sentiment-lstm" | "sentiment-gru" | "gpt-char" | "seq2seq" | "bert-mini" | "bert-mini-sentiment" | "backprop-by-hand" | "sigmoid-2-2-1" | "linear-regression";

/** What the page says about a preset. */
export interface Lesson {
  title: string;
  /** Paragraphs. */
  text: readonly string[];
  /** A claim of the article beside what is true. */
  claims?: readonly { what: string; article: string; truth: string }[];
  /** What to do next; an address opens it. */
  next: readonly { text: string; address?: string }[];
}

export type Lessons = Readonly<Record<Taught, Lesson>>;

type Texts = (typeof en)["texts"];

/** A translation has the same keys, no more and no fewer. */
export interface Catalogue {
  texts: { readonly [K in keyof Texts]: string };
  errors: ErrorTexts;
  hints: HintTexts;
  /** Translations of phrases that the engine gives as arguments. */
  words: Readonly<Record<string, string>>;
  lessons: Lessons;
}

/** Keys of a translation whose `{names}` are not those of the English text; it must be `never`. */
export type MisnamedOf<English extends { readonly [key: string]: string }, T extends { readonly [K in keyof English]: string }> = {
  [K in keyof English]: [Names<T[K]>] extends [Names<English[K]>] ? ([Names<English[K]>] extends [Names<T[K]>] ? never : K) : K;
}[keyof English];
export type Misnamed<T extends { readonly [K in keyof Texts]: string }> = MisnamedOf<Texts, T>;
