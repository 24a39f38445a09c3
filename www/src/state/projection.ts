import { effect, signal, type ReadonlySignal } from "@preact/signals-core";
import { GradscopeError } from "gradscope";
import { top } from "../lib/top.js";
import type { Answer, Ask, Method } from "../projecting/types.js";
import { fail } from "./engine.js";
import { table } from "./inside.js";
import * as store from "./store.js";
import { vocabulary } from "./vocabulary.js";

/** Tokens in the plane. */
export interface Layout {
  method: Method;
  /** Which, the most frequent first. */
  tokens: readonly number[];
  /** Where each is, [N, 2]. */
  at: Float32Array;
  /** Of the variance of their vectors, what either axis shows; none of UMAP. */
  shares?: readonly [number, number];
  /** The whole table [tokens, width], as it was at that step. */
  rows: Float32Array;
  width: number;
  step: number;
}

export const METHODS = ["pca", "umap"] as const;
/** Tokens that are shown, the most frequent ones. */
export const NUMBERS = [200, 1000, 3000] as const;

export const method = signal<Method>("pca");
export const most = signal<number>(1000);
export const layout = signal<Layout | undefined>(undefined);
/** How far a layout has come; none when none is made. */
export const underway = signal<number | undefined>(undefined);
export const failed = signal<string | undefined>(undefined);

let worker: Worker | undefined;
let turn = 0;

/** Gives up a layout under way. */
export function cancel(): void {
  turn++;
  worker?.terminate();
  worker = underway.value = undefined;
}

/** Lays the most frequent tokens out anew by their vectors as they are now. */
export async function layOut(): Promise<void> {
  const [session, of, words] = [store.session.peek(), table.peek(), vocabulary.peek()];
  if (!session || !of || !words?.tokens.length) return;
  cancel();
  const mine = turn;
  underway.value = 0;
  failed.value = undefined;
  const step = store.progress.peek()?.step ?? 0;
  try {
    const rows = (await session.getParameter(`${of.name}.embeddings`)).subarray(0, words.tokens.length * of.width);
    if (mine !== turn) return;
    const tokens = top(words.counts, most.peek());
    const some = new Float32Array(tokens.length * of.width);
    tokens.forEach((token, k) => some.set(rows.subarray(token * of.width, (token + 1) * of.width), k * of.width));
    const made = { method: method.peek(), tokens, rows, width: of.width, step };
    const opened = (worker = new Worker(new URL("./projecting.js", import.meta.url), { type: "module", name: "projecting" }));
    const end = (reason?: string): void => {
      if (mine !== turn) return;
      cancel();
      failed.value = reason;
    };
    opened.onmessage = ({ data }: MessageEvent<Answer>) => {
      if (mine !== turn) return;
      if (data.type === "failed") return end(data.reason);
      if (data.type === "underway") underway.value = data.share;
      if (data.at) layout.value = { ...made, at: data.at, ...(data.type === "done" && data.shares ? { shares: data.shares } : {}) };
      if (data.type === "done") end();
    };
    opened.onerror = ({ message }) => end(message);
    opened.postMessage({ method: made.method, rows: some, width: of.width, seed: 1 } satisfies Ask, [some.buffer]);
  } catch (error) {
    if (mine === turn) cancel();
    const told = error instanceof GradscopeError && ["device_lost", "worker_died"].includes(error.code);
    if (store.session.peek() === session && !told) fail(error);
  }
}

/** Lays out when there is something to see and whenever the weights have come to rest; while they move only when asked. Until it is stopped. */
export function followTable(seen: ReadonlySignal<boolean>): () => void {
  let made: readonly unknown[] = [];
  const stop = effect(() => {
    const now = [store.session.value, store.weights.value, vocabulary.value, method.value, most.value];
    const rests = store.status.value === "idle" || layout.value === undefined || method.value !== made[3] || most.value !== made[4];
    if (!seen.value || !rests || !vocabulary.value || now.every((value, k) => value === made[k])) return;
    if (made[0] !== now[0]) layout.value = undefined;
    made = now;
    void layOut();
  });
  return () => {
    stop();
    cancel();
    layout.value = undefined;
  };
}
