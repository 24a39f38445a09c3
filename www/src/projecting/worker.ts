// The worker that lays points out in the plane: the page is never held up, and giving up is ending it.

import { principalPlane } from "../lib/pca.js";
import type { Answer, Ask } from "./types.js";

/** What this file needs of the worker's global scope; the whole of TypeScript's `webworker` library clashes with `dom`. */
interface Scope {
  postMessage(message: Answer): void;
  onmessage: (event: MessageEvent<Ask>) => void;
}

const scope = self as unknown as Scope;
/** Milliseconds from one report to the next. */
const OFTEN = 100;

async function answer({ method, rows, width, seed }: Ask): Promise<Answer> {
  if (method === "pca") return { type: "done", ...principalPlane(rows, width) };
  const { umap } = await import("./umap.js");
  let told = performance.now();
  const at = umap(rows, width, seed, (share, points) => {
    if (performance.now() - told < OFTEN) return;
    told = performance.now();
    scope.postMessage({ type: "underway", share, ...(points ? { at: points() } : {}) });
  });
  return { type: "done", at };
}

scope.onmessage = ({ data }) => {
  answer(data).then(
    (message) => scope.postMessage(message),
    (error: unknown) => scope.postMessage({ type: "failed", reason: error instanceof Error ? error.message : String(error) }),
  );
};
