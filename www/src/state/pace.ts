import { computed, effect, signal } from "@preact/signals-core";
import { keep, stored } from "./settings.js";
import * as store from "./store.js";

/** Floating-point operations a second of SIMD code on one core, before anything was trained here. */
const USUAL = 30e9;

/** Runs of fewer steps say little: the first ones are slow. */
const LEAST = 20;

/** What training has reached on this device, in floating-point operations a second: with a preset, and at all, by backend and workers. */
const reached = signal<Readonly<Record<string, number>>>(read());

function read(): Record<string, number> {
  try {
    const kept: unknown = JSON.parse(stored("pace") ?? "{}");
    return Object.fromEntries(Object.entries(kept ?? {}).filter(([, rate]) => typeof rate === "number" && rate > 0));
  } catch {
    return {};
  }
}

/** How many epochs are wanted, of how many steps, and how many seconds they take here; undefined on a GPU that has not trained yet. */
export const expected = computed(() => {
  const [built, info] = [store.built.value, store.session.value?.info];
  if (!built || !info || built.setup.preset === "welcome") return undefined;
  const { epochs, preset } = built.setup;
  const steps = Math.ceil(info.trainingExamples / info.batchSize);
  const where = `${info.backend} ${info.workers}`;
  const rate = reached.value[`${where} ${preset}`] ?? reached.value[where] ?? (info.backend === "cpu" ? USUAL * info.workers : undefined);
  return { epochs, steps, seconds: rate && (epochs * steps * info.flopsPerStep) / rate };
});

/** Learns from each run how fast this device is. */
export function keepPace(): void {
  let before = 0;
  effect(() => {
    if (store.status.value !== "idle") return;
    const [progress, built, info] = [store.progress.peek(), store.built.peek(), store.session.peek()?.info];
    if (!progress || !built || !info || !(progress.examplesPerSecond > 0)) return;
    const taken = progress.step - before;
    before = progress.step;
    if (taken < LEAST) return;
    const rate = Math.round((progress.examplesPerSecond / info.batchSize) * info.flopsPerStep);
    const where = `${info.backend} ${info.workers}`;
    reached.value = { ...reached.peek(), [where]: rate, [`${where} ${built.setup.preset}`]: rate };
    keep("pace", JSON.stringify(reached.peek()));
  });
}
