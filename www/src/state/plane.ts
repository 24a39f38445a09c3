import { computed, signal } from "@preact/signals-core";
import type { Session } from "gradscope";
import { latest } from "../lib/latest.js";
import { examplesIn } from "./pictures.js";
import * as store from "./store.js";

/** Most examples that are shown. */
const POINTS = 600;

export type Bounds = readonly (readonly [number, number])[];

/** Examples of one or two numbers. */
export interface Points {
  x: Float32Array;
  labels: readonly number[];
  /** [least, most] along each axis, with a margin. */
  bounds: Bounds;
}

export const points = signal<Points | undefined>(undefined);

/** Whether the network's input is a point of the plane, and all that it computes of it are vectors. */
export const onPlane = computed(() => {
  const [axes, ...more] = store.built.value?.setup.model.input ?? [];
  const vectors = store.built.value?.description.layers.every(({ outputShape }) => outputShape?.length === 1);
  return axes === 2 && more.length === 0 && store.dataset.value?.kind === "points" && vectors === true && !store.isGame.value;
});

function boundsOf(x: Float32Array, axes: number): Bounds {
  return Array.from({ length: axes }, (_, axis) => {
    let [least, most] = [Infinity, -Infinity];
    for (let k = axis; k < x.length; k += axes) [least, most] = [Math.min(least, x[k]!), Math.max(most, x[k]!)];
    const margin = (most - least || 1) * 0.15;
    return [least - margin, most + margin] as const;
  });
}

let fetched: Session | undefined;

/** The examples of a session, fetched once. */
export async function pointsOf(session: Session): Promise<Points> {
  const known = points.peek();
  if (known && fetched === session) return known;
  const n = Math.min(POINTS, examplesIn("train"));
  const { x, labels } = await session.examples("train", Array.from({ length: n }, (_, k) => k));
  fetched = session;
  return (points.value = { x, labels, bounds: boundsOf(x, session.info.inputShape[0]!) });
}

/** The centres of `size` cells along a line, or of `size` x `size` cells of the plane, the uppermost row first. */
export function gridOver([x, y]: Bounds, size: number): Float32Array {
  const at = (k: number, [from, to]: readonly [number, number]): number => from + ((k + 0.5) / size) * (to - from);
  return y
    ? Float32Array.from({ length: size * size * 2 }, (_, k) => (k % 2 ? at(size - 1 - Math.floor(k / 2 / size), y) : at((k / 2) % size, x!)))
    : Float32Array.from({ length: size }, (_, k) => at(k, x!));
}

/** Cells of a unit's picture along each side. */
export const UNIT = 24;

/** What every layer's units say over the plane, [UNIT², units] by the layer's name; the two inputs are `"x"`. */
export const units = signal<ReadonlyMap<string, Float32Array>>(new Map());

/** Reads them. */
export const readUnits = latest(async () => {
  const [session, built] = [store.session.peek(), store.built.peek()];
  if (!session || !built || !onPlane.peek()) return;
  const layers = built.description.layers.map(({ name }) => name);
  try {
    const grid = gridOver((await pointsOf(session)).bounds, UNIT);
    const outputs = await session.activations(layers, grid);
    if (store.session.peek() === session) units.value = new Map([["x", grid], ...layers.map((name, k) => [name, outputs[k]!] as const)]);
  } catch {
    // The session ended meanwhile, and says so itself.
  }
});
