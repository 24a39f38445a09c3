import { signal } from "@preact/signals-core";
import { latest } from "../lib/latest.js";
import { cellOf, layout, wholeElement } from "./cell.js";
import { computedYet, example, generation, nodes, walk } from "./walk.js";

/** Windows of a picture that are asked about at most. */
const MOST = 1024;

/** Of each window of a picture of a pooling's result, the element of its input that won. */
export interface Winners {
  key: string;
  /** The pooling's input. */
  input: number;
  /** By the window's element, in the slice that is shown. */
  of: ReadonlyMap<number, number>;
}

const found = signal<Winners | undefined>(undefined);
let wanted: { key: string; node: number; elements: readonly number[] } | undefined;

const ask = latest(async () => {
  const [open, now] = [walk.peek(), wanted];
  if (!open || !now || found.peek()?.key === now.key) return;
  try {
    // The engine says who won: the first term of its maximum.
    const answers = await Promise.all(now.elements.map((element) => open.explain(now.node, wholeElement({ node: now.node, element }), 1)));
    if (wanted?.key !== now.key || walk.peek() !== open) return;
    const of = new Map<number, number>();
    answers.forEach(({ term }, k) => {
      const best = term.type === "max" ? term.terms[0] : undefined;
      if (best?.type === "element") of.set(now.elements[k]!, cellOf(best.input, best.element).element);
    });
    found.value = { key: now.key, input: nodes.peek()[now.node]!.inputs[0]!, of };
  } catch {
    // The walk went back or was closed meanwhile.
  }
});

/** The winners of the windows of one picture of a max-pooling, as soon as they are known; of a very large picture, of none. */
export function winnersOf(node: number, picture: number): Winners | undefined {
  const { rows, columns, at } = layout(node);
  if (!computedYet(node) || rows * columns > MOST) return undefined;
  const key = `${generation.value} ${node} ${example.value} ${picture}`;
  if (found.value?.key === key) return found.value;
  if (wanted?.key !== key) {
    wanted = { key, node, elements: Array.from({ length: rows * columns }, (_, k) => at(picture, Math.floor(k / columns), k % columns)) };
    ask();
  }
  return undefined;
}
