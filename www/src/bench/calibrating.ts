// The worker that calibrates: nothing of it blocks a page.

import { cpuBound, gpuBound, type CpuBound, type GpuBound } from "./calibrate.js";

export interface Wanted {
  kind: "cpu" | "gpu";
  /** About how long it may take. */
  ms: number;
}

export type Found = { bound: CpuBound | GpuBound } | { error: string };

self.onmessage = async ({ data: { kind, ms } }: MessageEvent<Wanted>) => {
  const answer: Found = await (kind === "cpu" ? cpuBound(ms) : gpuBound(ms)).then(
    (bound) => ({ bound }),
    (error: unknown) => ({ error: error instanceof Error ? error.message : String(error) }),
  );
  self.postMessage(answer);
};
