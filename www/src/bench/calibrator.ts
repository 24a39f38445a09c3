import type { CpuBound, GpuBound } from "./calibrate.js";
import type { Found, Wanted } from "./calibrating.js";

/** Asks workers what the device can do at most. */
export class Calibrator {
  readonly #script: URL;
  readonly #workers: Worker[] = [];

  constructor(script: URL) {
    this.#script = script;
  }

  /** Of so many threads at once: their sums, since cores share clock, caches and memory. */
  async cpu(threads: number, ms = 300): Promise<CpuBound> {
    const bounds = await Promise.all(Array.from({ length: threads }, (_, k) => this.#ask(k, { kind: "cpu", ms }) as Promise<CpuBound>));
    const sum = (of: (bound: CpuBound) => number): number => bounds.reduce((total, bound) => total + of(bound), 0);
    return { relaxed: bounds[0]!.relaxed, gflops: sum(({ gflops }) => gflops), bandwidth: sum(({ bandwidth }) => bandwidth) };
  }

  async gpu(ms = 300): Promise<GpuBound> {
    return (await this.#ask(0, { kind: "gpu", ms })) as GpuBound;
  }

  close(): void {
    for (const worker of this.#workers.splice(0)) worker.terminate();
  }

  #ask(number: number, wanted: Wanted): Promise<CpuBound | GpuBound> {
    const worker = (this.#workers[number] ??= new Worker(this.#script, { type: "module" }));
    return new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<Found>) => ("bound" in data ? resolve(data.bound) : reject(new Error(data.error)));
      worker.onerror = ({ message }) => reject(new Error(message || "the calibration's worker could not be loaded"));
      worker.postMessage(wanted);
    });
  }
}
