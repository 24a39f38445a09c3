import { signal } from "@preact/signals-core";
import type { Split } from "gradscope";
import { fail } from "./engine.js";
import * as store from "./store.js";

/** Points along a line, and along each side of a plane; odd, so that the present parameters are one of them. */
const LINE = 41;
const SIDE = 21;
/** Points of a line that are asked for at a time; of a plane it is a row. */
const PORTION = 5;
/** How far to go each way, where 1 is the norm of each filter. */
export const REACH = 1;

/** The loss around the present parameters, as far as it is known. */
export interface Landscape {
  kind: "line" | "plane";
  /** Points along a side. */
  side: number;
  points: number;
  /** As many as are done, row by row. */
  losses: readonly number[];
  /** Steps that were done when it was asked for. */
  step: number;
  /** What [store.weights] was then: another number says that these are not the losses around the present weights. */
  weights: number;
}

export const landscape = signal<Landscape | undefined>(undefined);
export const walking = signal<{ secondsLeft: number | undefined } | undefined>(undefined);
export const seed = signal(0);

let wanted = 0;

/** Ends the walk; what is known stays. */
export function cancelLandscape(): void {
  wanted++;
  walking.value = undefined;
}

/** The place of point `k` along the two directions. */
export function placeOf(kind: Landscape["kind"], side: number, k: number): [number, number] {
  const along = (i: number): number => REACH * ((2 * i) / (side - 1) - 1);
  return kind === "line" ? [along(k), 0] : [along(k % side), along(Math.floor(k / side))];
}

/** Whether a landscape is of weights that are others now. */
export const outdated = (of: Landscape): boolean => of.weights !== store.weights.value;

/** Walks along a line or over a plane; it ends when it is cancelled, and when the weights change, whoever changes them. */
export async function walk(kind: Landscape["kind"], split: Split = "train"): Promise<void> {
  const session = store.session.peek();
  if (!session || store.status.peek() !== "idle") return;
  const mine = ++wanted;
  const side = kind === "line" ? LINE : SIDE;
  const [points, portion] = kind === "line" ? [side, PORTION] : [side * side, side];
  const weights = store.weights.peek();
  const goesOn = (): boolean =>
    mine === wanted && store.session.peek() === session && store.status.peek() === "idle" && store.weights.peek() === weights;
  const losses: number[] = [];
  landscape.value = { kind, side, points, losses, step: store.progress.peek()?.step ?? 0, weights };
  walking.value = { secondsLeft: undefined };
  const start = performance.now();
  try {
    while (losses.length < points) {
      const some = Array.from({ length: Math.min(portion, points - losses.length) }, (_, k) => placeOf(kind, side, losses.length + k));
      const found = await session.landscape(split, some, seed.peek());
      if (!goesOn()) break;
      losses.push(...found);
      landscape.value = { ...landscape.peek()!, losses: [...losses] };
      walking.value = { secondsLeft: ((performance.now() - start) / 1000 / losses.length) * (points - losses.length) };
    }
  } catch (error) {
    if (goesOn()) fail(error);
  } finally {
    if (mine === wanted) walking.value = undefined;
  }
}
