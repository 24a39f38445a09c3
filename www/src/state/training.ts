import { GradscopeError, type Split } from "gradscope";
import { build, fail, forget, isSmall, keep } from "./engine.js";
import { rateOf, withRate } from "./schedule.js";
import * as store from "./store.js";
import { leave } from "./walk.js";

let stop: AbortController | undefined;

/** Trains until `target`, or for one preset's worth of epochs more where that is reached. */
export async function play(): Promise<void> {
  if (store.status.value === "training") return pause();
  if (!(await ready())) return;
  const done = Math.floor(store.progress.value?.epoch ?? 0);
  if (done >= store.target.value) store.target.value = done + store.setup.value!.epochs;
  await train({ epochs: store.target.value - done });
}

/** Stops after the step in flight. */
export const pause = (): void => stop?.abort();

/** One training step. */
export async function oneBatch(): Promise<void> {
  if (store.status.value === "training") pause();
  else if (await ready()) await train({ steps: 1 });
}

/** New weights of the same seed, and nothing measured yet. */
export async function reset(): Promise<void> {
  pause();
  await leave();
  if (store.dirty.value || store.status.value === "dead") return void (await build());
  try {
    await store.session.value?.reset();
    forget();
    await store.session.value?.frame();
  } catch (error) {
    fail(error);
  }
}

let evaluating: AbortController | undefined;

/** Stops an evaluation at its next batch. */
export const cancelEvaluation = (): void => evaluating?.abort();

/** Loss, accuracy and confusion matrix of one part of the data. */
export async function evaluate(split: Split): Promise<void> {
  const session = store.session.value;
  if (!session || store.busy.value) return;
  store.status.value = "evaluating";
  evaluating = new AbortController();
  const { signal } = evaluating;
  try {
    store.evaluations.value = { ...store.evaluations.value, [split]: await session.evaluate(split, { signal }) };
  } catch (error) {
    if (!signal.aborted) fail(error);
  } finally {
    store.evaluating.value = undefined;
    if (store.status.value === "evaluating") store.status.value = "idle";
  }
}

/** Starts a new worker from the last snapshot, or from new weights; where not even the presets came, the page begins again. */
export async function restart(): Promise<void> {
  if (!store.setup.value) return location.reload();
  await build(store.sameTraining() ? { goOn: "kept" } : {});
}

/** Goes on with that many examples a batch. */
export async function smallerBatch(batchSize: number): Promise<void> {
  const same = store.sameTraining();
  if (same) await keep(store.session.value!);
  store.change({ batchSize });
  if (await build(same ? { goOn: "kept" } : {})) await play();
}

/** Goes back to what was kept last, before the numbers blew up, and on at a tenth of the rate. */
export async function goBackSlower(): Promise<void> {
  const same = store.sameTraining();
  const { optimizer } = store.setup.value!;
  store.change({ optimizer: withRate(optimizer, rateOf(optimizer) / 10) });
  store.hyper.value = {};
  if (await build(same ? { goOn: "kept" } : {})) await play();
}

/** Goes on where the training stands, on another backend or on as many workers. */
export async function moveTo(where: Partial<Pick<store.Setup, "backend" | "workers">>): Promise<void> {
  const training = store.status.value === "training";
  store.change(where);
  if ((await build(store.sameTraining() ? { goOn: "now" } : {})) && training) await play();
}

async function ready(): Promise<boolean> {
  if (store.status.value !== "idle" || store.impossible.value) return false;
  await leave();
  return store.session.value && !store.dirty.value ? true : build();
}

async function train(how: { epochs: number } | { steps: number }): Promise<void> {
  const session = store.session.value!;
  stop = new AbortController();
  store.status.value = "training";
  if (isSmall()) void keep(session);
  if (store.notice.value?.kind === "error") store.notice.value = undefined;
  // Evaluating after each of a thousand epochs over four examples would be most of the work; and the losses of a game say nothing on other data.
  const evaluate = session.info.trainingExamples >= 200 && !store.isGame.value;
  try {
    const earlyStopping = store.setup.value?.patience;
    await session.train({ ...how, evaluate, signal: stop.signal, ...(earlyStopping ? { earlyStopping } : {}) });
    await session.frame();
  } catch (error) {
    if (!(error instanceof GradscopeError && error.code === "worker_died" && store.session.value !== session)) fail(error);
  } finally {
    stop = undefined;
    store.evaluating.value = undefined;
    if (store.status.value === "training") store.status.value = "idle";
  }
}
