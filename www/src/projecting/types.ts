// What the page and the worker say to each other that lays points out in the plane.

export type Method = "pca" | "umap";

/** Rows [N, D] to lay out. */
export interface Ask {
  method: Method;
  rows: Float32Array;
  width: number;
  seed: number;
}

/** Points [N, 2] as they come, `share` of the way there; with PCA the axes' shares of the variance. */
export type Answer =
  | { type: "underway"; share: number; at?: Float32Array }
  | { type: "done"; at: Float32Array; shares?: readonly [number, number] }
  | { type: "failed"; reason: string };
