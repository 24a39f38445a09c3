import { computed, signal } from "@preact/signals-core";
import type { Session } from "gradscope";
import { meanOfHeads, rollOut } from "../lib/rollout.js";
import { attending, firstOf, outputShape, read } from "./inside.js";
import * as store from "./store.js";

/** What a layer looks at: shares [heads, rows, columns]; and where its rows and columns begin among the example's tokens. */
export interface Attention {
  layer: string;
  heads: number;
  self: boolean;
  shares: Float32Array;
  rows: number;
  columns: number;
  firstRow: number;
  firstColumn: number;
}

/** One head of a layer, all of them together, or all layers one behind the other. */
export type Choice = { layer: number; head: number | "mean" } | "rollout";

export const attentions = signal<readonly Attention[]>([]);
export const choice = signal<Choice>({ layer: 0, head: 0 });
/** The position whose row is read; the last one if none was chosen. */
export const row = signal<number | undefined>(undefined);

/** Forgets what another session looked at. */
export function forgetAttention(): void {
  attentions.value = [];
  choice.value = { layer: 0, head: 0 };
  row.value = undefined;
}

/** Reads what every layer looks at in the pinned example. */
export async function lookAtAttention(session: Session): Promise<void> {
  const [layers, x] = [attending.peek(), read.peek()];
  if (!x || layers.length === 0) return void (attentions.value = []);
  const shares = await session.activations(layers.map(({ name }) => `${name}/attention_weights`), x);
  if (store.session.peek() !== session) return;
  attentions.value = layers.map(({ name, heads, self, query, key }, k) => {
    const rows = outputShape(name)?.[0] ?? 1;
    return { layer: name, heads, self, shares: shares[k]!, rows, columns: shares[k]!.length / heads / rows, firstRow: firstOf(query), firstColumn: firstOf(key) };
  });
}

/** Whether the layers look at one and the same sequence, one behind the other: else there is nothing to roll out. */
export const oneStack = computed(() => attending.value.every(({ self, query }) => self && firstOf(query) === firstOf(attending.value[0]!.query) && outputShape(query)?.[0] === outputShape(attending.value[0]!.query)?.[0]));

/** The chosen map: shares [rows, columns]. */
export const map = computed(() => {
  const all = attentions.value;
  const of = choice.value;
  const layer = all[of === "rollout" ? 0 : of.layer] ?? all[0];
  if (!layer) return undefined;
  const head = of === "rollout" ? undefined : of.head;
  const cells = layer.rows * layer.columns;
  const shares = of === "rollout" && oneStack.value ? rollOut(all, layer.rows)
    : typeof head === "number" && head < layer.heads ? layer.shares.subarray(head * cells, (head + 1) * cells)
      : meanOfHeads(layer);
  return { ...layer, shares };
});
