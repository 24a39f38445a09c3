import { effect, signal } from "@preact/signals-core";
import type { Candidate } from "gradscope";
import { latest } from "../lib/latest.js";
import { shown } from "./documents.js";
import { fail } from "./engine.js";
import * as store from "./store.js";

/** A word as the model reads it: where it stands in the row, and whether it is one that can be hidden. */
export interface Word {
  text: string;
  /** Blanks and punctuation before it. */
  before: string;
  position: number;
  known: boolean;
}

/** Positions that are hidden. */
export const hidden = signal<ReadonlySet<number>>(new Set());
/** What the model makes of them, by position. */
export const guessed = signal<ReadonlyMap<number, readonly Candidate[]>>(new Map());

/** The words of the pinned document that are tokens. */
export function words(): Word[] {
  const found: Word[] = [];
  let before = "";
  for (const { text, kind } of shown.value?.pieces ?? []) {
    if (kind === "known" || kind === "unknown") {
      found.push({ text, before, position: found.length, known: kind === "known" });
      before = "";
    } else before += text;
  }
  return found;
}

/** Hides about every seventh word that is known, others each time. */
export function hideSome(): void {
  const known = words().filter((word) => word.known);
  const some = known.filter(() => Math.random() < 0.15);
  hidden.value = new Set((some.length ? some : known.slice(0, 1)).map(({ position }) => position));
}

/** Hides a word or shows it again. */
export function toggle(position: number): void {
  const now = new Set(hidden.value);
  if (!now.delete(position)) now.add(position);
  hidden.value = now;
}

const EVERY = 1500;
let asked = -Infinity;

const ask = latest(async () => {
  const session = store.session.peek();
  const from = store.pinned.peek()?.from;
  const positions = [...hidden.peek()].sort((a, b) => a - b);
  if (!session || !from) return;
  asked = performance.now();
  try {
    const answers = positions.length ? await session.guesses(from, positions) : [];
    if (store.session.peek() === session) guessed.value = new Map(answers.map((candidates, k) => [positions[k]!, candidates]));
  } catch (error) {
    if (store.session.peek() === session) fail(error);
  }
});

/** Keeps the guesses true to what is hidden and, now and then, to the weights, until it is stopped. */
export function follow(): () => void {
  const stops = [
    effect(() => {
      if (shown.value) hideSome();
      else [hidden.value, guessed.value] = [new Set(), new Map()];
    }),
    effect(() => {
      if (hidden.value) ask();
    }),
    effect(() => {
      void store.weights.value;
      void store.status.value;
      if (performance.now() - asked > EVERY || store.status.peek() === "idle") ask();
    }),
  ];
  return () => stops.forEach((stop) => stop());
}
