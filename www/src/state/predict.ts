import { batch, computed, effect, signal } from "@preact/signals-core";
import { same, selected, wholeElement, type Cell } from "./cell.js";
import { valueOf } from "./values.js";
import { current, walk } from "./walk.js";

/** What a learner may say before the value is shown. */
export type Guess = { kind: "sign"; sign: -1 | 0 | 1 } | { kind: "than"; larger: boolean } | { kind: "number"; number: number };

/** Whether the next value is hidden until it was predicted. */
export const predicting = signal(false);
/** Answers so far. */
export const score = signal({ right: 0, asked: 0 });
/** The op whose result is asked for, a number to compare with, and the answer once it was given. */
export const question = signal<{ node: number; reference: number | undefined; answer?: { cell: Cell; right: boolean } } | undefined>(undefined);
/** The node whose values are hidden. */
export const hidden = computed(() => (question.value && !question.value.answer ? { node: question.value.node } : undefined));

const DEAD_ZERO = 1e-7;
/** How far off a number may be: a tenth of the value, or a hundredth where it is small. */
const near = (guess: number, value: number): boolean => Math.abs(guess - value) <= Math.max(0.01, Math.abs(value) / 10);

/** Judges a guess about the chosen cell and shows the value. */
export function predict(guess: Guess): void {
  const [now, cell] = [question.peek(), selected.peek()];
  if (!now || now.answer || !cell || cell.node !== now.node) return;
  const value = valueOf(cell.node)?.[cell.element];
  if (value === undefined) return;
  const right =
    guess.kind === "sign" ? guess.sign === (Math.abs(value) <= DEAD_ZERO ? 0 : Math.sign(value))
    : guess.kind === "than" ? guess.larger === value > (now.reference ?? 0)
    : near(guess.number, value);
  batch(() => {
    question.value = { ...now, answer: { cell, right } };
    score.value = { right: score.peek().right + Number(right), asked: score.peek().asked + 1 };
  });
}

/** Hides or stops hiding values. */
export function togglePredict(): void {
  batch(() => {
    predicting.value = !predicting.peek();
    question.value = undefined;
    score.value = { right: 0, asked: 0 };
  });
}

/** Asks anew at each op that the walk does. */
export function watchPredictions(): void {
  let before: number | undefined;
  let last: number | undefined;
  effect(() => {
    const cell = selected.value;
    const value = cell && !hidden.value ? valueOf(cell.node)?.[cell.element] : undefined;
    if (value !== undefined && cell!.node !== current.peek()) last = value;
  });
  effect(() => {
    const now = walk.value ? current.value : undefined;
    const on = predicting.value;
    if (now === before && on) return;
    before = now;
    question.value = on && now !== undefined ? { node: now, reference: last } : undefined;
  });
}

/** Whether a cell is the one that was asked about and answered. */
export const answered = (cell: Cell | undefined): boolean => same(question.value?.answer?.cell, cell) && cell !== undefined && wholeElement(cell) >= 0;
