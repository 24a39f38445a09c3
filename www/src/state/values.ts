import { signal } from "@preact/signals-core";
import type { ReadItem } from "gradscope";
import { computedYet, example, generation, nodes, walk } from "./walk.js";

/** At most so many numbers are kept: 48 MiB. */
const MOST = 12 << 20;

interface Wanted {
  key: string;
  node: number;
  example: number | undefined;
}

/** Values by node and example, the one that was not looked at for the longest first. */
const cache = new Map<string, Float32Array>();
/** What is being read, or will be in this turn. */
const asked = new Set<string>();
let queue: Wanted[] = [];
let kept = 0;
let of = -1;

/** Changes when values that were asked for have come. */
const version = signal(0);

/**
 * A node's value for the example that is shown, whole where it has none; undefined until it is computed and has come. Whoever reads it
 * in an effect is told when it comes.
 */
export const valueOf = (node: number): Float32Array | undefined => read(node, nodes.value[node]?.batched ? example.value : undefined);

/** A node's value for all examples at once. */
export const wholeOf = (node: number): Float32Array | undefined => read(node, undefined);

function read(node: number, row: number | undefined): Float32Array | undefined {
  void version.value;
  if (generation.value !== of) {
    cache.clear();
    asked.clear();
    [of, kept, queue] = [generation.value, 0, []];
  }
  if (!computedYet(node)) return undefined;
  const key = `${node}:${row}`;
  const known = cache.get(key);
  if (known) {
    cache.delete(key);
    cache.set(key, known);
  } else if (!asked.has(key)) {
    if (queue.length === 0) queueMicrotask(() => void readQueue());
    queue.push({ key, node, example: row });
    asked.add(key);
  }
  return known;
}

/** Reads everything that was asked for in this turn with one message. */
async function readQueue(): Promise<void> {
  const [open, wanted, before] = [walk.peek(), queue, of];
  queue = [];
  if (!open || wanted.length === 0) return;
  try {
    const values = await open.read(wanted.map(({ node, example }): ReadItem => (example === undefined ? { node } : { node, example })));
    if (of !== before || walk.peek() !== open) return;
    wanted.forEach(({ key }, k) => {
      cache.set(key, values[k]!.data);
      kept += values[k]!.data.length;
    });
    for (const [key, data] of cache) {
      if (kept <= MOST || wanted.some((mine) => mine.key === key)) break;
      cache.delete(key);
      kept -= data.length;
    }
    version.value++;
  } catch {
    // The walk went back or was closed meanwhile; what is still looked at is asked for again.
  } finally {
    if (of === before) for (const { key } of wanted) asked.delete(key);
  }
}
