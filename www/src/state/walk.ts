import { batch, computed, effect, signal } from "@preact/signals-core";
import type { Breakpoint, Headway, Session, TraceInfo, TraceNode, TraceState, Walk } from "gradscope";
import { GradscopeError } from "gradscope";
import { latest } from "../lib/latest.js";
import { fail, failWalking } from "./engine.js";
import { pinDrawn, pinExample, pinNext } from "./pictures.js";
import * as store from "./store.js";

/** The walk through the next training step; none while the stepper is closed. */
export const walk = signal<Walk | undefined>(undefined);
/** Its nodes and the order in which they run. */
export const info = signal<TraceInfo | undefined>(undefined);
/** Where it stands. */
export const state = signal<TraceState | undefined>(undefined);
/** What it is of: the batch, or one sample. It stays when the walk is closed. */
export const ofBatch = signal(true);
/** The example of the batch that is shown. */
export const example = signal(0);
/** Whether the engine is opening the walk, or taking whole batches. */
export const travelling = signal(false);
/** How far it is on its way over batches, once that takes a while. */
export const headway = signal<Headway | undefined>(undefined);
/** Where the walk is going; ahead of `state` while the engine computes. */
export const goal = signal<number | undefined>(undefined);
/** The furthest step that was seen: the end of the outer track. */
export const furthest = signal(0);
/** Changes whenever values that were read hold no longer: another batch, another sample, an edit. */
export const generation = signal(0);

export const cursor = computed(() => goal.value ?? state.value?.cursor ?? 0);
export const nodes = computed((): readonly TraceNode[] => info.value?.nodes ?? []);
/** The op that was done last. */
export const current = computed((): number | undefined => info.value?.ops[(state.value?.cursor ?? 0) - 1]);

/** Forward nodes whose gradient a node holds; several share one where a gradient is handed on as it is. */
export const gradientOf = computed(() => {
  const of = new Map<number, number[]>();
  nodes.value.forEach(({ gradient }, k) => {
    if (gradient != null) of.set(gradient, [...(of.get(gradient) ?? []), k]);
  });
  return of;
});

/** Whether a node's value is there: a leaf's always is; an op without a place in the order, as a reshape, is there with what it is made from. */
export function computedYet(node: number): boolean {
  const facts = nodes.value[node];
  const done = state.value?.cursor ?? 0;
  if (!facts) return false;
  if (facts.position != null) return done > facts.position;
  if (facts.lane === "backward" && done < (info.value?.forwardEnd ?? 0)) return false;
  return facts.role !== "op" || facts.inputs.every(computedYet);
}

/** Ends of the runs of ops that belong to one layer and one lane: where steps by layer stop. */
const layerEnds = computed((): number[] => {
  const { ops = [], nodes = [], loss = 0 } = info.value ?? {};
  const key = (k: number): string => {
    const node = nodes[ops[k] ?? -1];
    return node ? `${node.lane} ${node.layer} ${(node.lane === "forward" && ops[k]! > loss) || ""}` : "";
  };
  return ops.flatMap((_, k) => (k + 1 === ops.length || key(k) !== key(k + 1) ? [k + 1] : []));
});

const passEnds = computed((): number[] => (info.value ? [info.value.forwardEnd, info.value.backwardEnd, info.value.ops.length] : []));

// Breakpoints

/** What a run stops at besides its end. */
export const breakpoints = signal<readonly Breakpoint[]>([{ type: "notFinite" }]);

/** Sets or removes the breakpoint on an op; without one given, on the last one done. */
export function toggleBreakpoint(node = current.peek()): void {
  if (node === undefined) return;
  const kept = breakpoints.peek().filter((point) => !(point.type === "op" && point.node === node));
  breakpoints.value = kept.length < breakpoints.peek().length ? kept : [...kept, { type: "op", node }];
}

/** Sets or removes a kind of breakpoint. */
export function setBreakpoint(point: Exclude<Breakpoint, { type: "op" }>, on: boolean): void {
  const others = breakpoints.peek().filter(({ type }) => type !== point.type);
  breakpoints.value = on ? [...others, point] : others;
}

// Opening and leaving

/** Shows a walk that was opened, in place of any other. */
export function adopt(opened: Walk): void {
  batch(() => {
    walk.value = opened;
    look(opened);
  });
}

/** Steps of an epoch. */
export const stepsPerEpoch = computed(() =>
  Math.max(1, Math.ceil((store.session.value?.info.trainingExamples ?? 1) / (store.built.value?.setup.batchSize ?? 1))));

/** Tells the rest of the page at which step the session is, after batches were taken or taken back by walking. */
function tellProgress(step: number): void {
  const before = store.progress.peek();
  if (step === (before?.step ?? 0)) return;
  const epoch = step / stepsPerEpoch.peek();
  const { of, version } = store.history.peek();
  if (before && step < before.step) {
    of.cut(epoch);
    store.history.value = { of, version: version + 1 };
  }
  // No losses: that of these steps was not told.
  const unknown = { losses: new Float32Array(), loss: NaN, accuracy: undefined, learningRate: 0, examplesPerSecond: 0, secondsLeft: 0 };
  store.weights.value++;
  store.progress.value = step === 0 ? undefined : { ...unknown, ...before, step, epoch, stepsPerEpoch: stepsPerEpoch.peek() };
}

/** The node of another graph that has a node's name: the batch's graph and one sample's are not numbered alike. */
export function sameNode(before: readonly TraceNode[], now: readonly TraceNode[], node: number): number | undefined {
  const name = before[node]?.name;
  const found = now.findIndex((other) => other.name === name);
  return found < 0 ? undefined : found;
}

/** The nodes that breakpoints are numbered by. */
let graph: readonly TraceNode[] = [];

/** Takes over what the walk says of itself, after it was opened or went to another batch. */
function look(opened: Walk): void {
  batch(() => {
    generation.value++;
    const before = graph;
    graph = opened.info.nodes;
    breakpoints.value = breakpoints.peek().flatMap((point): Breakpoint[] => {
      if (point.type !== "op") return [point];
      const node = sameNode(before, graph, point.node);
      return node === undefined ? [] : [{ ...point, node }];
    });
    info.value = opened.info;
    state.value = opened.info.state;
    // Going back over a change of hyper-parameters takes it back: the controls say what holds.
    const { learning_rate, "learning_rate:generator": generatorLearningRate, momentum, weight_decay, dropout } = opened.info.state.hyper;
    const rates = { learningRate: learning_rate, generatorLearningRate, momentum, weightDecay: weight_decay, dropout };
    if (!store.scratchOpen.peek()) store.hyper.value = Object.fromEntries(Object.entries(rates).filter(([, rate]) => rate !== undefined));
    goal.value = undefined;
    furthest.value = Math.max(furthest.peek(), opened.info.state.step);
    example.value = Math.min(example.peek(), Math.max(0, opened.info.batch - 1));
  });
}

/** Forgets the walk without a word to the engine: its session ended, or began another. */
function forget(): void {
  batch(() => {
    walk.value = info.value = state.value = goal.value = undefined;
    generation.value++;
  });
}

/** What the page would walk through: the batch that comes next, or the pinned sample. */
function subject(): Parameters<Session["walk"]>[0] {
  const pinned = store.pinned.peek();
  if (ofBatch.peek() || !pinned) return { type: "batch" };
  if (pinned.from) return { type: "example", ...pinned.from };
  const [label] = pinned.target;
  return label === undefined ? { type: "pinned", x: pinned.x } : { type: "pinned", x: pinned.x, label };
}

/** Where the walk that is opened shall stand: at an op of that name, else at that cursor. */
let wanted: { at: number; op: string | undefined } = { at: 0, op: undefined };

const openLatest = latest(async () => {
  const session = store.session.peek();
  if (!session) return;
  travelling.value = true;
  const { at, op } = wanted;
  try {
    const opened = await session.walk(subject());
    if (store.session.peek() !== session) return;
    adopt(opened);
    const { ops, nodes } = opened.info;
    const same = op === undefined ? -1 : ops.findIndex((id) => nodes[id]!.name === op);
    if (at > 0) go(same < 0 ? Math.min(at, ops.length) : same + 1);
  } catch (error) {
    forget();
    failWalking(error);
  } finally {
    travelling.value = false;
  }
});

/** Opens the walk through the next step, at a cursor; a training run is ended first. Where layers are being edited there is none to open yet. */
export function open(at = 0): void {
  if (!store.dirty.peek()) reopen(at);
}

/** Opens the walk anew: it is of the network as it was built, whatever is being edited. */
function reopen(at: number): void {
  if (!store.session.peek() || store.status.peek() === "loading") return;
  wanted = { at, op: at > 0 ? info.peek()?.nodes[info.peek()!.ops[at - 1] ?? -1]?.name : undefined };
  openLatest();
}

/** Leaves the stepper; nothing of the open step is committed. */
export async function leave(): Promise<void> {
  const open = walk.peek();
  if (!open) return;
  forget();
  await open.close().catch(() => undefined);
}

/** Opens the walk of something else, at the same cursor. */
export function setSubject(batch: boolean): void {
  if (ofBatch.peek() === batch) return;
  ofBatch.value = batch;
  if (walk.peek()) reopen(cursor.peek());
}

/** Keeps the walk true to its session and to the pinned sample. */
export function watchWalk(): void {
  let before: unknown;
  effect(() => {
    const session = store.session.value;
    if (session === before) return;
    before = session;
    furthest.value = 0;
    ofBatch.value = true;
    forget();
    // The engine opens another session on the CPU and closes the walk; it is opened again where it stood.
    session?.on("deviceLost", () => {
      if (!walk.peek() || store.session.peek() !== session) return;
      // The same graph on another device has the same ops.
      const at = state.peek()?.cursor ?? 0;
      forget();
      reopen(at);
    });
  });
  let sample: unknown;
  effect(() => {
    const now = store.pinned.value;
    if (now === sample) return;
    // The sample that a session begins with is nobody's choice: where it comes after the walk was opened, the walk stays what it is.
    const first = sample === undefined;
    sample = now;
    if (first || !walk.peek() || !now) return;
    if (!ofBatch.peek()) reopen(cursor.peek());
    else if (!(now.from?.split === "train" && info.peek()?.rows.includes(now.from.index))) setSubject(false);
  });
  // The sample beside the network is the example that is walked through; the visitor's own comes back when the walk is left.
  let own: store.Pinned | undefined;
  effect(() => {
    const of = info.value;
    const row = of?.subject.type === "batch" ? of.rows[example.value] : undefined;
    const shown = store.pinned.peek();
    const from = shown?.from;
    if (row !== undefined && !(from?.split === "train" && from.index === row)) {
      own ??= shown;
      pinExample("train", row).catch(fail);
    } else if (!of && own && store.session.peek()) {
      const { from: source, x } = own;
      own = undefined;
      (source ? pinExample(source.split, source.index) : pinDrawn(x)).catch(fail);
    }
  });
}

/** Shows the next or the previous sample: of the batch while one is walked through, else of the data. */
export function nextSample(by: number): void {
  const of = info.peek();
  if (of?.subject.type === "batch") example.value = (example.peek() + by + of.batch) % of.batch;
  else pinNext(by);
}

// Travelling

let stopping = false;

const travel = latest(async () => {
  const open = walk.peek();
  const to = goal.peek();
  if (!open || to === undefined) return;
  try {
    const now = await open.to(to, stopping ? [...breakpoints.peek()] : []);
    if (walk.peek() !== open) return;
    batch(() => {
      state.value = now;
      if (goal.peek() === to || now.hit) goal.value = undefined;
    });
  } catch (error) {
    if (walk.peek() !== open) return;
    goal.value = undefined;
    failWalking(error);
  }
});

/** Goes to a cursor; `runs` stops at breakpoints on the way. */
export function go(to: number, runs = false): void {
  const length = info.peek()?.ops.length;
  if (length === undefined) return;
  stopping = runs;
  goal.value = Math.max(0, Math.min(length, to));
  travel();
}

/** Takes over a state that something else than travelling brought about, such as an edit. */
export function adoptState(now: TraceState): void {
  batch(() => {
    generation.value++;
    state.value = now;
    goal.value = undefined;
  });
}

export type Unit = "op" | "layer" | "pass" | "batch" | "epoch";

let moves: { unit: "batch" | "epoch"; by: number } | undefined;
let underway: AbortController | undefined;

/** Ends the way over batches at the step that it has come to. */
export function cancelTravel(): void {
  moves = undefined;
  underway?.abort();
}

const travelFar = latest(async () => {
  const open = walk.peek();
  const move = moves;
  moves = undefined;
  if (!open || !move || move.by === 0) return;
  travelling.value = true;
  underway = new AbortController();
  const how = { signal: underway.signal, onProgress: (at: Headway): void => void (headway.value = at) };
  try {
    await (move.unit === "batch" ? open.batches(move.by, how) : open.epochs(move.by, how));
    if (walk.peek() !== open) return;
    look(open);
    tellProgress(open.info.state.step);
  } catch (error) {
    if (walk.peek() !== open) return;
    // Where no snapshot leads there, it stays where it is; whatever else goes wrong on the way ends it.
    if (!(error instanceof GradscopeError && error.code === "wrong_state")) forget();
    failWalking(error);
  } finally {
    underway = undefined;
    batch(() => {
      travelling.value = false;
      headway.value = undefined;
    });
  }
});

/** Goes so many batches on or back; presses that come meanwhile add up. */
export function batches(by: number): void {
  moves = { unit: "batch", by: (moves?.unit === "batch" ? moves.by : 0) + by };
  travelFar();
}

/** One step of a unit, forward (1) or back (-1). Where no walk is open, it is opened first. */
export function step(unit: Unit, by: 1 | -1): void {
  if (!walk.peek()) return open();
  const at = cursor.peek();
  const next = (ends: readonly number[]): number => (by > 0 ? ends.find((end) => end > at) : [...ends].reverse().find((end) => end < at) ?? 0) ?? at;
  switch (unit) {
    case "op": return go(at + by);
    case "layer": return go(next(layerEnds.peek()));
    case "pass": return go(next(passEnds.peek()), by > 0);
    case "batch": return batches(by);
    case "epoch":
      moves = { unit: "epoch", by };
      return travelFar();
  }
}

/** Runs to the end of a pass, or to a breakpoint on the way. */
export function runTo(lane: "forward" | "backward" | "update"): void {
  const of = info.peek();
  if (!of) return open();
  go(lane === "forward" ? of.forwardEnd : lane === "backward" ? of.backwardEnd : of.ops.length, true);
}
