import { computed } from "@preact/signals-core";
import type { GradscopeError } from "gradscope";
import { language } from "../state/settings.js";
import { count } from "../lib/format.js";
import { en } from "./en.js";
import { zh } from "./zh.js";
import type { Arguments, Catalogue, Key, Lesson } from "./types.js";

const catalogue = computed((): Catalogue => (language.value === "zh" ? zh : en));

const fill = (template: string, args: Readonly<Record<string, string | number>>): string =>
  template.replace(/\{(\w+)\}/g, (all, key: string) => {
    const value = args[key];
    return value === undefined ? all : typeof value === "number" ? count(value) : value;
  });

/** The sentence of that key in the language of the page; numbers are written as whole numbers. */
export function t<K extends Key>(key: K, ...args: Arguments<K>): string {
  return fill(catalogue.value.texts[key], args[0] ?? {});
}

/** An error's sentence in the language of the page. */
export function errorText(error: Pick<GradscopeError, "code" | "args">): string {
  const { errors, words } = catalogue.value;
  const args = Object.entries(error.args).map(([key, value]) => [key, (Object.hasOwn(words, value) && words[value]) || value]);
  return fill(errors[error.code], Object.fromEntries(args) as Record<string, string>);
}

/** What the page teaches about a preset, if it does. */
export const lesson = (preset: string): Lesson | undefined => (catalogue.value.lessons as Readonly<Record<string, Lesson>>)[preset];
