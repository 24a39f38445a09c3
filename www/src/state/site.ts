import type { TraceNode } from "gradscope";
import * as store from "./store.js";
import { headsOf, layout, shapeOf, sizeOf, type Cell } from "./cell.js";
import { nodes } from "./walk.js";

/** Which view of its own, if any, the op of a cell has, and the nodes that the view draws. Found by the graph's own names and links. */
export type Site =
  | { view: "conv"; kind: "forward" | "input" | "kernel"; cell: Cell }
  | { view: "pool"; forward: number; backward: boolean; cell: Cell }
  | { view: "dense"; product: number; kernel: number; unit: number | undefined; source: number | undefined }
  | { view: "crossEntropy"; logits: number; labels: number; loss: number; probabilities: number | undefined; gradient: number | undefined; row: number; chosen: number | undefined }
  | { view: "attention"; query: number; key: number; scores: number; weights: number; value: number; attended: number; head: number; row: number; column: number | undefined }
  | { view: "norm"; node: number; element: number };

const at = (node: number): TraceNode => nodes.value[node]!;
const sameShape = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((size, k) => size === b[k]);

/** A later op of the same layer on the same elements, and the parameter that it brings in: the bias, the activation; gamma, beta. */
export function onward(node: number): { node: number; parameter: number | undefined } | undefined {
  const { layer, shape } = at(node);
  const next = nodes.value.findIndex((of) => of.lane === "forward" && of.role === "op" && of.layer === layer && of.inputs.includes(node) && sameShape(of.shape, shape));
  return next < 0 ? undefined : { node: next, parameter: at(next).inputs.find((input) => at(input).role === "parameter") };
}

/** The op of that kind that a node of the same layer goes back to, element by element; the node itself if it is one. */
function below(node: number, op: string): number | undefined {
  let found: number | undefined = node;
  while (found !== undefined && at(found).op !== op) {
    const { layer, shape, inputs, lane }: TraceNode = at(found);
    found = lane !== "forward" ? undefined : inputs.find((input) => at(input).role === "op" && at(input).layer === layer && sameShape(at(input).shape, shape));
  }
  return found;
}

function conv({ node, element }: Cell): Site | undefined {
  const { op, of, lane } = at(node);
  // A transposed convolution has the same ops in other parts: the list of its terms says all.
  const back = of != null && at(of).op === "conv2d";
  if (back && op === "conv2d_input_grad") return { view: "conv", kind: "input", cell: { node, element } };
  if (back && op === "conv2d_kernel_grad") return { view: "conv", kind: "kernel", cell: { node, element } };
  const sum = lane === "forward" ? below(node, "conv2d") : undefined;
  return sum === undefined ? undefined : { view: "conv", kind: "forward", cell: { node: sum, element } };
}

function pool(cell: Cell): Site | undefined {
  const { op, of } = at(cell.node);
  if (op === "max_pool2d") return { view: "pool", forward: cell.node, backward: false, cell };
  return op === "max_pool2d_grad" && of != null ? { view: "pool", forward: of, backward: true, cell } : undefined;
}

/** A product of a vector with a kernel, for a cell of its layer: the unit and the source that the cell is about. */
function dense({ node, element }: Cell): Site | undefined {
  const { layer, lane } = at(node);
  if (lane === "update" || layer === "") return undefined;
  const product = nodes.value.findIndex(
    (of) => of.lane === "forward" && of.op === "matmul" && of.layer === layer && of.batched && of.shape.length === 2
      // A kernel that is shared with an embedding lies the other way round.
      && at(of.inputs[1]!).role === "parameter" && at(of.inputs[1]!).shape.at(-1) === of.shape[1]);
  if (product < 0) return undefined;
  const [from, kernel] = at(product).inputs as [number, number];
  const [inputs = 1, units = 1] = shapeOf(kernel);
  const shape = shapeOf(node);
  const site = { view: "dense", product, kernel } as const;
  if (node === kernel || node === at(kernel).gradient) return { ...site, source: Math.floor(element / units), unit: element % units };
  if (node === at(from).gradient) return { ...site, source: element % inputs, unit: undefined };
  return shape.length === 1 && shape[0] === units ? { ...site, source: undefined, unit: element } : undefined;
}

/** The loss of one row of logits: that of the cell, where an example has one a position. */
function crossEntropy({ node, element }: Cell): Site | undefined {
  const loss = nodes.value.findIndex(({ op, lane }) => op === "softmax_cross_entropy" && lane === "forward");
  if (loss < 0) return undefined;
  const [logits, labels] = at(loss).inputs as [number, number];
  const classes = shapeOf(logits).at(-1) ?? 1;
  const gradient = nodes.value.findIndex(({ op, of }) => op === "softmax_cross_entropy_grad" && of === loss);
  const softmax = nodes.value.findIndex(({ op, inputs, lane }) => op === "softmax" && lane === "forward" && inputs[0] === logits);
  const perClass = [logits, softmax, gradient].includes(node);
  if (!perClass && node !== loss) return undefined;
  const [row, chosen] = perClass ? [Math.floor(element / classes), element % classes] : [element, undefined];
  return { view: "crossEntropy", logits, labels, loss, probabilities: softmax < 0 ? undefined : softmax, gradient: gradient < 0 ? undefined : gradient, row, chosen };
}

/** Attention around a cell of its layer that belongs to a head and a position that looks. */
function attention({ node, element }: Cell): Site | undefined {
  const { layer, lane } = at(node);
  const heads = layer === "" || lane === "update" ? 0 : headsOf(layer);
  if (!heads) return undefined;
  const inLayer = (op: string, of: (node: TraceNode) => boolean): number => nodes.value.findIndex((other) => other.layer === layer && other.lane === "forward" && other.op === op && of(other));
  const weights = inLayer("softmax", () => true);
  const attended = inLayer("matmul", ({ inputs }) => inputs[0] === weights);
  // Masks stand between the product and the softmax.
  let scores = at(weights).inputs[0]!;
  while (at(scores).op !== "matmul") scores = at(scores).inputs[0]!;
  const [scaled, key] = at(scores).inputs as [number, number];
  const query = at(scaled).inputs[0]!;
  const value = at(attended).inputs[1]!;
  const shape = shapeOf(node);
  const [head, row, column] = shape.length === 3 && shape[0] === heads ? layout(node).where(element) : [];
  // Of keys and values a row is what is looked at, from the last position that may.
  const looked = [key, value, at(key).gradient, at(value).gradient].includes(node);
  if (head === undefined || row === undefined || row >= shapeOf(scores)[looked ? 2 : 1]!) return undefined;
  const square = sameShape(shape, shapeOf(scores));
  return { view: "attention", query, key, scores, weights, value, attended, head, row: looked ? shapeOf(scores)[1]! - 1 : row, column: square ? column : looked ? row : undefined };
}

/** Where among the example's tokens the first position of a node stands: behind what a layer on its way cut off. */
export function firstToken(node: number): number {
  const { setup, description } = store.built.value ?? {};
  for (let on: number | undefined = node; on !== undefined; on = at(on).inputs[0]) {
    const { layer } = at(on);
    const spec = setup?.model.layers[description?.layers.findIndex(({ name }) => name === layer) ?? -1];
    if (spec?.type === "Cropping1D") return [spec.cropping ?? 1].flat()[0]!;
  }
  return 0;
}

function norm({ node, element }: Cell): Site | undefined {
  const { layer, lane } = at(node);
  if (lane === "update" || layer === "") return undefined;
  const found = nodes.value.findIndex((of) => of.op === "normalize" && of.layer === layer);
  if (found < 0) return undefined;
  if (sameShape(at(node).shape, at(found).shape)) return { view: "norm", node: found, element };
  // A cell of gamma, beta or a moving statistic stands for its channel: the middle one of the channel's elements.
  const channels = shapeOf(found).at(-1) ?? 1;
  const middle = Math.floor(sizeOf(found) / channels / 2) * channels;
  return sizeOf(node) === channels ? { view: "norm", node: found, element: middle + element } : undefined;
}

/** The views of its own that a cell has; logits have two. */
export function sitesOf(cell: Cell): Site[] {
  return nodes.value[cell.node] ? [conv, pool, crossEntropy, attention, norm, dense].flatMap((find) => find(cell) ?? []) : [];
}
