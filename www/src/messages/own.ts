// Texts of the dialog for one's own data: they come with it.

import type { own as english } from "./en-own.js";
import { textsOf } from "./lazy.js";

/** The sentence of that key. */
export const o = await textsOf<typeof english>({
  en: async () => (await import("./en-own.js")).own,
  zh: async () => (await import("./zh-own.js")).own,
});

/** The sentence of a code, whose arguments are known by it alone. */
export const said = (group: "failure" | "skip" | "note", code: string, args: Readonly<Record<string, string | number>>): string =>
  (o as (key: string, args: Readonly<Record<string, string | number>>) => string)(`${group}.${code}`, args);
