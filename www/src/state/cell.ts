import { batch, computed, effect, signal } from "@preact/signals-core";
import { GradscopeError, type Nudge, type Reason, type TraceNode } from "gradscope";
import { latest } from "../lib/latest.js";
import { layoutOf, sliceOf, type Layout } from "../lib/tensor.js";
import { failWalking } from "./engine.js";
import * as store from "./store.js";
import { valueOf } from "./values.js";
import { adoptState, computedYet, current, example, generation, gradientOf, info, nodes, sameNode, state, walk } from "./walk.js";

/** One element of a node: its row-major place in the slice of one example, or in the whole where the node has no examples. */
export interface Cell {
  node: number;
  element: number;
}

/** How near the centre looks. */
export type Zoom = "network" | "layer" | "cell";
export const ZOOMS: readonly Zoom[] = ["network", "layer", "cell"];
export const zoom = signal<Zoom>("network");

/** The cell that was chosen, and the one under the pointer. */
export const selected = signal<Cell | undefined>(undefined);
export const hovered = signal<Cell | undefined>(undefined);
export const looked = computed(() => hovered.value ?? selected.value);
/** Cells that stay in view while one steps. */
export const pins = signal<readonly Cell[]>([]);
/** Terms of a sum that are shown. */
export const most = signal(8);

export const same = (a: Cell | undefined, b: Cell | undefined): boolean => a?.node === b?.node && a?.element === b?.element;

/** Shape of the slice of a node that is shown. */
export const shapeOf = (node: number): readonly number[] => {
  const facts = nodes.value[node];
  return facts ? sliceOf(facts.shape, facts.batched) : [];
};

const layouts = new WeakMap<object, Layout>();

/** The heads of an attention layer; 0 for any other. */
export function headsOf(layer: string): number {
  const weights = nodes.value.find((of) => of.op === "softmax" && of.layer === layer && of.lane === "forward");
  return (weights && sliceOf(weights.shape, weights.batched).length === 3 && sliceOf(weights.shape, weights.batched)[0]) || 0;
}

/** Which of three axes counts the pictures of a node: images have their channels last, everything else is matrices one after another; heads may stand in between. */
function picturesOf(facts: TraceNode, shape: readonly number[]): number {
  if (shape.length !== 3 || nodes.value[info.value?.x ?? -1]?.shape.length === 4) return 2;
  const heads = headsOf(facts.layer);
  return heads > 0 && shape[1] === heads && shape[0] !== heads ? 1 : 0;
}

/** How the slice of a node is drawn. */
export function layout(node: number): Layout {
  const facts = nodes.value[node];
  if (!facts) return layoutOf([]);
  let known = layouts.get(facts);
  if (!known) layouts.set(facts, (known = layoutOf(shapeOf(node), picturesOf(facts, shapeOf(node)))));
  return known;
}

export const sizeOf = (node: number): number => shapeOf(node).reduce((a, b) => a * b, 1);

/** Row-major place of a cell in the whole value. */
export const wholeElement = ({ node, element }: Cell): number => (nodes.value[node]?.batched ? example.value * sizeOf(node) : 0) + element;

/** The cell of a place in the whole value, and the example that it belongs to. */
export function cellOf(node: number, whole: number): Cell & { example: number | undefined } {
  const size = sizeOf(node);
  return nodes.value[node]?.batched ? { node, element: whole % size, example: Math.floor(whole / size) } : { node, element: whole, example: undefined };
}

/** Whether a node is a gradient, or is on the way to one. */
export const isGradient = (node: number): boolean => nodes.value[node]?.lane === "backward" || gradientOf.value.has(node);

/** A node's name as the page writes it: gradients by what they are the gradient of. */
export function label(node: number): string {
  const facts = nodes.value[node];
  if (!facts) return "";
  const of = gradientOf.value.get(node);
  if (!of) return info.value!.layers.find(({ output }) => output === node)?.name ?? facts.name;
  return `∂L/∂${label(of.find((k) => nodes.value[k]?.role === "parameter") ?? of.at(-1)!)}`;
}

/** An element of the whole value as the page writes it; the example is named where it is not the one that is shown. */
export function elementLabel(node: number, whole: number, name = label(node)): string {
  const { element, example: row } = cellOf(node, whole);
  const index = layout(node).index(element).join(", ");
  const place = row === undefined || row === example.value ? index : `n${row}${index && "; "}${index}`;
  return place ? `${name}[${place}]` : name;
}

/** A cell's name with its place: "conv2d/relu[4, 5, 3]". */
export const cellLabel = (cell: Cell): string => elementLabel(cell.node, wholeElement(cell));

/** The node whose strongest cell is chosen as soon as its value has come: a better beginning than a corner. */
const sought = signal<number | undefined>(undefined);

export function seek(node: number): void {
  batch(() => {
    select({ node, element: 0 });
    sought.value = node;
  });
}

/** Chooses a cell, and shows its example. */
export function select(cell: Cell & { example?: number | undefined }): void {
  batch(() => {
    if (cell.example !== undefined) example.value = cell.example;
    hovered.value = sought.value = undefined;
    most.value = 8;
    selected.value = { node: cell.node, element: Math.max(0, Math.min(sizeOf(cell.node) - 1, cell.element)) };
  });
}

/** The element of another node that stands where a cell stands in its own. */
function carried(from: Cell | undefined, node: number): number | undefined {
  if (!from || !nodes.value[from.node]) return undefined;
  const [before, now] = [shapeOf(from.node), shapeOf(node)];
  const index = layout(from.node).index(from.element);
  if (before.length !== now.length) return undefined;
  return now.reduce((at, size, k) => at * size + Math.min(size - 1, Math.floor(((index[k]! + 0.5) / before[k]!) * size)), 0);
}

/** Where the selection goes when the walk does or undoes an op: to a cell that the old one went into or was made from. */
function follow(node: number): void {
  const before = selected.peek();
  const now = explanation.peek();
  if (sought.peek() !== undefined) return seek(node);
  if (before && now && same(now.cell, before)) {
    const of = [...now.consumers, ...now.sources];
    const elements = [...now.consumerElements, ...now.sourceElements][of.findIndex((other) => other.node === node)];
    if (elements?.length) {
      const near = cellOf(node, elements[elements.length >> 1]!);
      if (near.example === undefined || near.example === example.peek()) return select({ node, element: near.element });
    }
  }
  const element = carried(before, node);
  if (element === undefined) seek(node);
  else select({ node, element });
}

/** The node that holds the gradient of a node, or whose gradient it holds. */
export const counterpart = (node: number): number | undefined => nodes.value[node]?.gradient ?? gradientOf.value.get(node)?.at(-1);

/** Goes from a value to its gradient and back. */
export function toggleGradient(): void {
  const cell = selected.peek();
  const other = cell && counterpart(cell.node);
  if (other !== undefined) select({ node: other, element: cell!.element });
}

/** The layer that is looked at: that of the chosen cell while a walk is open. */
export const lookedAt = (): string | undefined => (selected.value ? nodes.value[selected.value.node]?.layer : store.selected.value);

/** Looks at a layer: while a walk is open, at its output. */
export function lookAt(layer: string): void {
  store.selected.value = layer;
  const output = info.peek()?.layers.find(({ name }) => name === layer)?.output;
  if (output !== undefined) seek(output);
}

// Explaining

export type Explained = Awaited<ReturnType<import("gradscope").Walk["explain"]>>;

/** The explanation of the cell that is looked at, as soon as it has come. */
export const explanation = signal<(Explained & { cell: Cell; key: string }) | undefined>(undefined);
/**
 * The cell that the inspector shows: the one that is looked at. While a pointer moves over a tensor it is the one explained last, until the next
 * explanation has come, so that a move lays the inspector out but once.
 */
export const inspected = computed(() => {
  const [cell, last] = [looked.value, explanation.value?.cell];
  return hovered.value && last && last.node === cell?.node && computedYet(last.node) ? last : cell;
});
const keyNow = computed(() => {
  const cell = looked.value;
  return cell && computedYet(cell.node) ? `${generation.value} ${cell.node} ${wholeElement(cell)} ${most.value}` : "";
});

const explain = latest(async () => {
  const [open, cell, key] = [walk.peek(), looked.peek(), keyNow.peek()];
  if (!open || !cell || key === "") {
    explanation.value = undefined;
    return;
  }
  if (explanation.peek()?.key === key) return;
  try {
    const now = await open.explain(cell.node, wholeElement(cell), most.peek());
    if (keyNow.peek() === key) explanation.value = { ...now, cell, key };
  } catch (error) {
    if (keyNow.peek() !== key || walk.peek() !== open) return;
    explanation.value = undefined;
    if (!(error instanceof GradscopeError && error.code === "wrong_state")) failWalking(error);
  }
});

interface Traced {
  sources: readonly number[];
  consumers: readonly number[];
}

/** Of each node, the elements that the explained cell was made from and went into, as places in the slice that is shown. */
const traced = computed(() => {
  const found = new Map<number, { sources: number[]; consumers: number[] }>();
  const now = explanation.value;
  const row = example.value;
  const add = (kind: keyof Traced, of: readonly { node: number }[], elements: readonly Uint32Array[]): void =>
    of.forEach(({ node }, k) => {
      if (!found.has(node)) found.set(node, { sources: [], consumers: [] });
      const into = found.get(node)![kind];
      const [size, batched] = [sizeOf(node), nodes.value[node]?.batched ?? false];
      const from = batched ? row * size : 0;
      for (const whole of elements[k]!) if (!batched || (whole >= from && whole < from + size)) into.push(whole - from);
    });
  if (now) {
    add("sources", now.sources, now.sourceElements);
    add("consumers", now.consumers, now.consumerElements);
  }
  return found;
});

const NONE: Traced = { sources: [], consumers: [] };

/** What a picture of a node outlines: what went into the cell that is looked at, what it went into, and the cell itself. */
export function outlined(node: number): Traced & { chosen: number | undefined } {
  const cell = inspected.value;
  const chosen = cell?.node === node ? cell.element : undefined;
  return { ...((same(explanation.value?.cell, cell) && traced.value.get(node)) || NONE), chosen };
}

// What can be done with a cell

export const nudged = signal<{ cell: Cell; nudge: Nudge } | undefined>(undefined);
export const reasons = signal<{ cell: Cell; chain: readonly Reason[] } | undefined>(undefined);
/** Whether the field that edits the chosen cell is open, and what was wrong with what was typed into it. */
export const editing = signal(false);
export const editProblem = signal<GradscopeError | string | undefined>(undefined);

/** Whether an answer about the chosen cell is being computed. */
export const asking = signal(false);

/** Asks something about a cell; an answer that comes after the choice has changed is dropped. */
async function ask<T>(question: (cell: Cell) => Promise<T> | undefined, use: (answer: T, cell: Cell) => void, cell = selected.peek()): Promise<void> {
  if (!cell) return;
  const [before, choice] = [generation.peek(), selected.peek()];
  asking.value = true;
  try {
    const answer = await question(cell);
    if (answer !== undefined && same(selected.peek(), choice) && generation.peek() === before) use(answer, cell);
  } catch (error) {
    failWalking(error);
  } finally {
    asking.value = false;
  }
}

/** Nudges the chosen cell, or another. */
export const nudge = (of?: Cell): Promise<void> =>
  ask((cell) => walk.peek()?.nudge(cell.node, wholeElement(cell)), (answer, cell) => (nudged.value = { cell, nudge: answer }), of);

export const askWhyZero = (): Promise<void> =>
  ask((cell) => walk.peek()?.why(cell.node, wholeElement(cell)), (chain, cell) => (reasons.value = { cell, chain }));

/** Adds the chosen cell to those that stay in view, or takes it away. */
export function togglePin(): void {
  const cell = selected.peek();
  if (!cell) return;
  const others = pins.peek().filter((pin) => !same(pin, cell));
  pins.value = others.length < pins.peek().length ? others : [...others, cell];
}

/** Whether a value may be changed by hand: any that is there, of the forward lane. */
export const editable = (node: number): boolean => nodes.value[node]?.lane === "forward" && computedYet(node);

/** Puts another number in the place of the chosen one, or of another; what was made from it is not computed any more. */
export async function edit(value: number, cell = selected.peek()): Promise<void> {
  const open = walk.peek();
  if (!open || !cell) return;
  try {
    const now = await open.edit(cell.node, wholeElement(cell), value);
    if (walk.peek() !== open) return;
    batch(() => {
      adoptState(now);
      if (nodes.peek()[cell.node]?.variable != null) store.weights.value++;
      editing.value = false;
      editProblem.value = undefined;
      nudged.value = reasons.value = undefined;
    });
  } catch (error) {
    if (error instanceof GradscopeError) editProblem.value = error;
    else failWalking(error);
  }
}

/** Keeps the selection on the op that was done last, and the explanation on what is looked at. */
export function watchCell(): void {
  effect(() => {
    void keyNow.value;
    void walk.value;
    explain();
  });
  let before: number | undefined;
  let graph: readonly TraceNode[] = [];
  effect(() => {
    const at = current.value;
    const moved = at !== before;
    before = at;
    if (!info.value) {
      batch(() => (selected.value = hovered.value = explanation.value = nudged.value = reasons.value = undefined));
      return;
    }
    // The graph of another batch or subject has nodes of the same names: what was chosen and pinned stays.
    const [old, now] = [graph, nodes.peek()];
    graph = now;
    if (old !== now) {
      const carry = (cell: Cell): Cell[] => {
        const node = sameNode(old, now, cell.node);
        return node === undefined || cell.element >= sizeOf(node) ? [] : [{ ...cell, node }];
      };
      pins.value = pins.peek().flatMap(carry);
      selected.value = selected.peek() && carry(selected.peek()!)[0];
    }
    if (moved && at !== undefined) queueMicrotask(() => at === current.peek() && follow(at));
    else if (selected.peek() === undefined) queueMicrotask(() => info.peek() && seek(current.peek() ?? info.peek()!.x));
  });
  effect(() => {
    const node = sought.value;
    const data = node === undefined ? undefined : valueOf(node);
    if (node === undefined || !data) return;
    select({ node, element: data.reduce((best, value, k) => (Math.abs(value) > Math.abs(data[best]!) ? k : best), 0) });
  });
  effect(() => {
    void selected.value;
    editing.value = false;
    editProblem.value = undefined;
  });
  effect(() => {
    void state.value?.cursor;
    nudged.value = reasons.value = undefined;
  });
}
