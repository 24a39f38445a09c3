import { signal } from "@preact/signals-core";
import { GradscopeError, type Term } from "gradscope";
import { latest } from "../lib/latest.js";
import { wholeElement, type Cell, type Explained } from "./cell.js";
import { failWalking } from "./engine.js";
import { computedYet, generation, walk } from "./walk.js";

/** Terms of a sum that a view can lay out one by one. */
export const EVERY = 1 << 14;

/** An element of a node as it stands in a term. */
export type Operand = Extract<Term, { type: "element" }>;

/** Keeps the explanation of a view's own cell, with as many terms as the view lays out, apart from what the pointer is on. */
export class Explaining {
  readonly #found = signal<(Explained & { cell: Cell; key: string }) | undefined>(undefined);
  #wanted: { cell: Cell; most: number; key: string } | undefined;

  readonly #ask = latest(async () => {
    const [open, wanted] = [walk.peek(), this.#wanted];
    if (!open || !wanted || this.#found.peek()?.key === wanted.key) return;
    try {
      const now = await open.explain(wanted.cell.node, wholeElement(wanted.cell), wanted.most);
      if (this.#wanted?.key === wanted.key && walk.peek() === open) this.#found.value = { ...now, cell: wanted.cell, key: wanted.key };
    } catch (error) {
      if (this.#wanted?.key !== wanted.key || walk.peek() !== open) return;
      if (!(error instanceof GradscopeError && error.code === "wrong_state")) failWalking(error);
    }
  });

  /** The explanation of a cell, as soon as it has come; whoever renders it is told then. While a neighbour's is on its way, the last one stays. */
  of(cell: Cell | undefined, most: number): Explained | undefined {
    const key = cell && computedYet(cell.node) ? `${generation.value} ${cell.node} ${wholeElement(cell)} ${most}` : "";
    const found = this.#found.value;
    if (!cell || key === "") {
      this.#wanted = undefined;
      return undefined;
    }
    if (this.#wanted?.key !== key) {
      this.#wanted = { cell, most, key };
      this.#ask();
    }
    return found && found.key.split(" ", 2).join() === key.split(" ", 2).join() ? found : undefined;
  }

  /** Whether what `of` gave is of the cell that it was asked for, and not of its neighbour. */
  get isCurrent(): boolean {
    return this.#found.value?.key === this.#wanted?.key;
  }
}

/** Elements of two inputs that are multiplied, and their product. */
export interface Product {
  left: Operand;
  right: Operand;
  value: number;
}

/** The products of a sum, in row-major order of their elements; nothing where the term is something else, or some were left out. */
export function productsOf(term: Term): Product[] | undefined {
  if (term.type !== "sum" || term.count !== term.terms.length) return undefined;
  const products = term.terms.flatMap((inner): Product[] => {
    const [left, right] = inner.type === "product" ? inner.factors : [];
    return left?.type === "element" && right?.type === "element" ? [{ left, right, value: inner.value }] : [];
  });
  return products.length === term.count ? products.sort((a, b) => a.left.element - b.left.element || a.right.element - b.right.element) : undefined;
}
