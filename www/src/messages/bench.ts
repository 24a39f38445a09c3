// Texts of the page that measures a device: they come with it.

import type { bench as english } from "./en-bench.js";
import { textsOf } from "./lazy.js";

/** The sentence of that key. */
export const b = await textsOf<typeof english>({
  en: async () => (await import("./en-bench.js")).bench,
  zh: async () => (await import("./zh-bench.js")).bench,
});
