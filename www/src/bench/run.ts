// Measures this device: the networks by turns on every backend, after a look at what the device can do at most.

import { signal } from "@preact/signals-core";
import { createSession, type CreateOptions, type Session } from "gradscope";
import type { CpuBound, GpuBound } from "./calibrate.js";
import { Calibrator } from "./calibrator.js";
import { cnn, gpt } from "./models.js";

export type Network = "cnn" | "gpt";
export type Device = "cpu1" | "cpuAll" | "webgpu";

/** Small batches and one round, for tests: `bench.html?quick`. */
export const quick = new URLSearchParams(location.search).has("quick");
/** Workers cannot share memory where the page is not isolated. */
export const workers = crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, 16) : 1;

const ROUNDS = quick ? 1 : 5;
/** Where the first step takes longer than so many ms, the device gets one round of one step: a software adapter would take minutes. */
const SLOW = 5000;
/** About how many ms a round takes. */
const ROUND = quick ? 50 : 600;
export const BATCH: Readonly<Record<Network, number>> = quick ? { cnn: 8, gpt: 2 } : { cnn: 64, gpt: 16 };
const SIZE = { blocks: 4, heads: 4, width: 128, context: 64, vocabulary: 65 };

export interface Bounds {
  cpu1: CpuBound;
  cpuAll: CpuBound;
  /** Missing where there is no adapter. */
  gpu?: GpuBound;
}

/** Times of one network on one device, in ms. */
export interface Row {
  network: Network;
  device: Device;
  ms?: number;
  min?: number;
  max?: number;
  /** From the wish for a session to the end of its first step. */
  first?: number;
  /** Of the time that its bound would take. */
  share?: number;
  gflops?: number;
  dispatches?: number;
  error?: string;
}

export type State =
  | { kind: "waiting" | "calibrating" | "done" | "stopped" }
  | { kind: "opening"; network: Network; device: Device }
  | { kind: "timing"; network: Network; device: Device; round: number; rounds: number };

export const state = signal<State>({ kind: "waiting" });
export const bounds = signal<Bounds | undefined>(undefined);
export const rows = signal<readonly Row[]>([]);
/** Share of the work that is done. */
export const progress = signal(0);

/** Numbers of a fixed sequence in [0, 1). */
function noise(length: number): Float32Array {
  let seed = 1;
  return Float32Array.from({ length }, () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32);
}

const whole = (length: number, below: number): Float32Array => noise(length).map((value) => Math.floor(value * below));

function optionsOf(network: Network, device: Device): CreateOptions {
  const batchSize = BATCH[network];
  const on = { batchSize, seed: 1, ...(device === "webgpu" ? { backend: "webgpu" as const } : { backend: "cpu" as const, workers: device === "cpu1" ? 1 : workers }) };
  const examples = 2 * batchSize;
  if (network === "cnn") return { ...on, model: cnn(), data: { x: noise(examples * 784), y: whole(examples, 10), shape: [examples, 28, 28, 1] } };
  const tokens = whole(examples * SIZE.context, SIZE.vocabulary);
  return { ...on, model: gpt(SIZE), data: { x: tokens, y: tokens, shape: [examples, SIZE.context] }, optimizer: { type: "AdamW" } as CreateOptions["optimizer"] };
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** Milliseconds that the device would need at least. */
function least({ info }: Session, device: Device, { cpu1, cpuAll, gpu }: Bounds): number {
  const arithmetic = (gflops: number): number => info.flopsPerStep / gflops / 1e6;
  if (device === "webgpu") return gpu ? Math.max(arithmetic(gpu.gflops), (info.dispatchesPerStep * gpu.dispatch) / 1e3) : 0;
  return arithmetic((device === "cpu1" ? cpu1 : cpuAll).gflops);
}

interface Opened {
  row: Row;
  session: Session;
  estimate: number;
  rounds: number;
  turns: number[];
}

const change = (row: Row): void => {
  rows.value = [...rows.value.filter(({ network, device }) => network !== row.network || device !== row.device), row];
};

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function calibrate(signal: AbortSignal): Promise<Bounds> {
  const calibrator = new Calibrator(new URL("./calibrating.js", import.meta.url));
  const ms = quick ? 60 : 400;
  try {
    const cpu1 = await calibrator.cpu(1, ms);
    signal.throwIfAborted();
    const cpuAll = workers > 1 ? await calibrator.cpu(workers, ms) : cpu1;
    signal.throwIfAborted();
    // Without an adapter its row says why.
    const gpu = await calibrator.gpu(ms).catch(() => undefined);
    return { cpu1, cpuAll, ...(gpu ? { gpu } : {}) };
  } finally {
    calibrator.close();
  }
}

async function open(network: Network, device: Device, signal: AbortSignal): Promise<Opened | undefined> {
  state.value = { kind: "opening", network, device };
  const began = performance.now();
  let session: Session | undefined;
  try {
    session = await createSession({ ...optionsOf(network, device), signal });
    await session.train({ steps: 1, signal });
    const first = performance.now() - began;
    const row = { network, device, first, dispatches: session.info.dispatchesPerStep };
    change(row);
    if (first > SLOW) return { row, session, estimate: first, rounds: 1, turns: [] };
    // The first steps run slow until the compilers are done.
    const { msPerStep } = await session.train({ steps: quick ? 1 : 4, signal });
    signal.throwIfAborted();
    return { row, session, estimate: msPerStep, rounds: ROUNDS, turns: [] };
  } catch (error) {
    await session?.dispose();
    signal.throwIfAborted();
    change({ network, device, error: message(error) });
    return undefined;
  }
}

async function time(of: Opened, round: number, known: Bounds, signal: AbortSignal): Promise<void> {
  const { row, session, turns } = of;
  const { network, device } = row;
  state.value = { kind: "timing", network, device, round: round + 1, rounds: of.rounds };
  const steps = Math.max(1, Math.min(200, Math.round(ROUND / of.estimate)));
  const began = performance.now();
  await session.train({ steps, signal });
  signal.throwIfAborted();
  turns.push((performance.now() - began) / steps);
  const ms = median(turns);
  of.estimate = ms;
  change({ ...row, ms, min: Math.min(...turns), max: Math.max(...turns), share: least(session, device, known) / ms, gflops: session.info.flopsPerStep / ms / 1e6 });
}

/** Measures everything; `signal` stops it, and what was measured stays. */
export async function measure(signal: AbortSignal): Promise<void> {
  rows.value = [];
  progress.value = 0;
  let opened: Opened[] = [];
  try {
    state.value = { kind: "calibrating" };
    const known = await calibrate(signal);
    bounds.value = known;
    const devices: Device[] = ["cpu1", ...(workers > 1 ? ["cpuAll" as const] : []), "webgpu"];
    const all = 2 * devices.length * (1 + ROUNDS);
    const advance = (): void => void (progress.value += 1 / all);
    for (const network of ["cnn", "gpt"] as const) {
      for (const device of devices) {
        const one = await open(network, device, signal);
        if (one) opened.push(one);
        advance();
      }
      // By turns, so that whatever else the device does meets all alike.
      for (let round = 0; round < ROUNDS; round++) {
        for (const one of opened) {
          if (round < one.rounds) await time(one, round, known, signal);
          advance();
        }
      }
      await Promise.all(opened.splice(0).map(({ session }) => session.dispose()));
    }
    progress.value = 1;
    state.value = { kind: "done" };
  } catch (error) {
    if (!signal.aborted) throw error;
    state.value = { kind: "stopped" };
  } finally {
    await Promise.all(opened.map(({ session }) => session.dispose()));
    opened = [];
  }
}

/** All of it, for others. */
export const asJson = (): string => JSON.stringify({
  date: new Date().toISOString(), browser: navigator.userAgent, cores: navigator.hardwareConcurrency, isolated: crossOriginIsolated, quick, workers, batch: BATCH,
  bounds: bounds.value, rows: rows.value,
}, undefined, 1);
