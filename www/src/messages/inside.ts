// Texts of the panels that look into models of texts: they come with them.

import type { inside as english } from "./en-inside.js";
import { textsOf } from "./lazy.js";

/** The sentence of that key. */
export const say = await textsOf<typeof english>({
  en: async () => (await import("./en-inside.js")).inside,
  zh: async () => (await import("./zh-inside.js")).inside,
});
