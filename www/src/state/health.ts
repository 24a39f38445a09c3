import { computed, effect, signal } from "@preact/signals-core";
import { GradscopeError, type HealthReport } from "gradscope";
import { fail } from "./engine.js";
import * as store from "./store.js";

/** Most reports that are kept; when there are more, every second of the older half goes. */
const MOST = 120;
/** Least time between two reports, and the share of the time that they may take. */
const GAP_MS = 1000;
const SHARE = 0.03;

/** How the network fared, oldest first. */
export const reports = signal<readonly HealthReport[]>([]);
export const latestReport = computed(() => reports.value.at(-1));

/** What was measured since the weights were new: another one when they are new again. */
export const run = computed(() => store.history.value.of);

let measuring = false;

/** Adds a report; returns the milliseconds that it took. */
export async function measure(): Promise<number> {
  const session = store.session.peek();
  if (!session || measuring) return 0;
  measuring = true;
  const of = run.peek();
  try {
    const report = await session.health();
    if (store.session.peek() !== session || run.peek() !== of) return 0;
    const before = reports.peek().filter(({ step }) => step < report.step);
    const half = before.length >= MOST ? before.length >> 1 : 0;
    reports.value = [...before.filter((_, k) => k >= half || k % 2 === 0), report];
    return report.milliseconds;
  } catch (error) {
    // A lost GPU and a dead worker say so themselves.
    const told = error instanceof GradscopeError && ["device_lost", "worker_died"].includes(error.code);
    if (store.session.peek() === session && !told) fail(error);
    return 0;
  } finally {
    measuring = false;
  }
}

/** Measures now, when a run begins or ends, and while training at most once a second and for a small share of the time; until it is stopped. */
export function followHealth(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let open = true;
  const turn = async (): Promise<void> => {
    clearTimeout(timer);
    const spent = await measure();
    clearTimeout(timer);
    if (open && store.status.peek() === "training") timer = setTimeout(turn, Math.max(GAP_MS, spent / SHARE));
  };
  const stop = effect(() => {
    if (store.session.value && (store.status.value === "idle" || store.status.value === "training") && run.value) void turn();
  });
  return () => {
    open = false;
    clearTimeout(timer);
    stop();
  };
}
