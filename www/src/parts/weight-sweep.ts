import { html, type TemplateResult } from "lit";
import { general } from "../lib/format.js";
import { t } from "../messages/index.js";
import { elementLabel, layout, shapeOf, sizeOf, type Explained } from "../state/cell.js";
import * as store from "../state/store.js";
import { wholeOf } from "../state/values.js";
import { example, nodes } from "../state/walk.js";

/** The sum of a weight's gradient, laid out: the positions of the example that is shown one by one, then each other example's in one. */
export interface Sweep {
  example: number;
  terms: number[];
  /** Where the terms of this example lie, on the input and among the gradients from above; fewer than the terms. */
  places: { input: readonly [number, number]; delta: readonly [number, number] }[];
  /** The largest of them. */
  strongest: number;
  input: { node: number; picture: number };
  delta: { node: number; picture: number };
  /** The window's extent, and the weight's place in it. */
  frame: { row: number; column: number; rows: number; columns: number };
  /** What this example's positions come to, and the other examples'. */
  own: { n: number; sum: number };
  others: { n: number; sum: number };
  last: (k: number) => TemplateResult | string;
}

/** Pixels from one tap to the next, by the layer's own settings. */
function dilationOf(layer: string): readonly [number, number] {
  const built = store.built.peek();
  const k = built?.description.layers.findIndex(({ name }) => name === layer) ?? -1;
  const rate = (built?.setup.model.layers[k] as { dilation_rate?: unknown } | undefined)?.dilation_rate;
  return Array.isArray(rate) ? [Number(rate[0]), Number(rate[1])] : typeof rate === "number" ? [rate, rate] : [1, 1];
}

let known: { of: Explained; x: Float32Array; dy: Float32Array; example: number; sweep: Sweep } | undefined;

/**
 * Lays out a weight's gradient by the sources that its explanation names. Of each source the elements are in rising order, one a term, and of
 * every example they are the same but for its offset: so the first example's tell which pixel meets which gradient in all of them.
 */
export function weightSweep(now: Explained): Sweep | undefined {
  const node = nodes.value[now.node]!;
  const [inputNode, deltaNode] = node.inputs as [number, number];
  const [x, dy] = [wholeOf(inputNode), wholeOf(deltaNode)];
  const row = example.value;
  if (!x || !dy) return undefined;
  if (known?.of === now && known.x === x && known.dy === dy && known.example === row) return known.sweep;
  const first = (of: number): number[] => {
    const k = now.sources.findIndex((source) => source.node === of);
    return k < 0 ? [] : [...now.sourceElements[k]!].filter((element) => element < sizeOf(of));
  };
  const [inputs, deltas] = [first(inputNode), first(deltaNode)];
  if (inputs.length === 0 || inputs.length !== deltas.length) return undefined;
  const [sizeX, sizeD] = [sizeOf(inputNode), sizeOf(deltaNode)];
  const product = (n: number, k: number): number => x[n * sizeX + inputs[k]!]! * dy[n * sizeD + deltas[k]!]!;
  const examples = x.length / sizeX;
  const own = inputs.map((_, k) => product(row, k));
  const others = Array.from({ length: examples }, (_, n) => n).filter((n) => n !== row);
  const otherSums = others.map((n) => inputs.reduce((sum, _, k) => sum + product(n, k), 0));
  const place = (of: number, element: number): readonly [number, number] => layout(of).where(element).slice(1) as [number, number];
  const [rows = 1, columns = 1] = shapeOf(now.node);
  const [p = 0, q = 0] = now.index;
  const [down, across] = dilationOf(node.layer);
  const last = (k: number): TemplateResult | string => {
    if (k >= own.length) return html`${t("conv.otherExample", { k: others[k - own.length]! + 1, n: inputs.length })} = <b>${general(otherSums[k - own.length])}</b>`;
    const [a, b] = [row * sizeX + inputs[k]!, row * sizeD + deltas[k]!];
    return html`${elementLabel(inputNode, a)} <b>${general(x[a])}</b> × ${elementLabel(deltaNode, b, "δ")} <b>${general(dy[b])}</b> = <b>${general(own[k])}</b>`;
  };
  const total = (terms: readonly number[]): number => terms.reduce((sum, term) => sum + term, 0);
  const sweep: Sweep = {
    example: row,
    terms: [...own, ...otherSums],
    places: inputs.map((element, k) => ({ input: place(inputNode, element), delta: place(deltaNode, deltas[k]!) })),
    strongest: own.reduce((best, value, k) => (Math.abs(value) > Math.abs(own[best]!) ? k : best), 0),
    input: { node: inputNode, picture: layout(inputNode).where(inputs[0]!)[0] },
    delta: { node: deltaNode, picture: layout(deltaNode).where(deltas[0]!)[0] },
    frame: { row: p * down, column: q * across, rows: (rows - 1) * down + 1, columns: (columns - 1) * across + 1 },
    own: { n: own.length, sum: total(own) },
    others: { n: others.length, sum: total(otherSums) },
    last,
  };
  known = { of: now, x, dy, example: row, sweep };
  return sweep;
}
