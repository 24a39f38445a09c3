import { effect } from "@preact/signals-core";
import { backends, createSession, datasets as listDatasets, describeModel, GradscopeError, presets as listPresets, type Session } from "gradscope";
import { latest } from "../lib/latest.js";
import { givenData } from "./dropped.js";
import { History } from "./history.js";
import { augmentations } from "./spec.js";
import * as store from "./store.js";
import { forgetWriting } from "./writing.js";
import { drawnFromDataset, watchNetwork } from "./pictures.js";

/** Shows an error; those that are not the engine's are errors of this page and go on to the console. */
export function fail(error: unknown): void {
  if (error instanceof GradscopeError) store.notice.value = { kind: "error", error };
  else throw error;
}

/** The same for what a walk asks: a lost device is told by its event, and the walk is opened again. */
export function failWalking(error: unknown): void {
  if (!(error instanceof GradscopeError && error.code === "device_lost")) fail(error);
}

/** Asks the engine what there is to choose from. */
export async function start(): Promise<void> {
  try {
    [store.presets.value, store.datasets.value, store.backendReport.value] = await Promise.all([listPresets(), listDatasets(), backends()]);
  } catch (error) {
    store.status.value = "dead";
    fail(error);
    throw error;
  }
}

/** Keeps `description` true to the layers being edited. */
export function describeWhileEditing(): void {
  const describe = latest(async () => {
    const model = store.setup.value?.model;
    if (!model) return;
    try {
      store.description.value = await describeModel(model);
    } catch (error) {
      fail(error);
    }
  });
  let before: unknown;
  effect(() => {
    const model = store.setup.value?.model;
    if (model && model !== before) describe();
    before = model;
  });
}

let loadingStop: AbortController | undefined;

/** Gives up reading data. */
export const cancelLoading = (): void => loadingStop?.abort();

/** Ends the session and forgets what it measured. */
async function close(): Promise<void> {
  const old = store.session.value;
  store.session.value = undefined;
  store.built.value = store.selected.value = undefined;
  forget();
  await old?.dispose();
}

/** Forgets everything that was measured. */
export function forget(): void {
  store.progress.value = undefined;
  store.history.value = { of: new History(), version: 0 };
  store.evaluations.value = {};
  store.target.value = 0;
  store.lastSnapshot.value = store.loaded.value = undefined;
}

/** A session of a setup. */
function create(of: store.Setup, signal?: AbortSignal): Promise<Session> {
  const { model, optimizer, loss, batchSize, validationSplit, seed, backend, workers, documents, trainExamples } = of;
  return createSession({
    model, optimizer, loss, batchSize, validationSplit, seed, backend, workers, documents, trainExamples, signal,
    data: givenData(of.data) ?? of.data,
    onLoading: (event) => (store.loading.value = event),
  });
}

/** Forgets what was seen and moved of a session. */
function forgetLooks(): void {
  store.frame.value = undefined;
  store.pinned.value = undefined;
  store.hyper.value = {};
  store.notice.value = store.missing.value = undefined;
}

/** Opens a session of another setup; the one that is open stays until that has worked. */
export async function openInstead(wanted: store.Setup): Promise<void> {
  const session = await create(wanted);
  // Whatever was being opened is not wanted any more.
  cancelLoading();
  await close();
  forgetLooks();
  store.setup.value = wanted;
  await adopt(session, fitted(session, wanted));
}

/** Builds a session of what the controls show, or one that goes on from the last snapshot. Resolves with whether there is one. */
export async function build(how: { goOn?: boolean } = {}): Promise<boolean> {
  const wanted = store.setup.value;
  if (!wanted) return false;
  const last = how.goOn ? store.lastSnapshot.value : undefined;
  const { value: carried } = store.carried;
  store.carried.value = undefined;
  const kept = last && { history: store.history.value, target: store.target.value };
  await close();
  forgetLooks();
  store.status.value = "loading";
  store.loading.value = undefined;
  loadingStop = new AbortController();
  const { signal } = loadingStop;
  try {
    const session = await create(wanted, signal);
    if (last) await session.restore(last.snapshot);
    if (carried) store.loaded.value = { ...(await session.load(carried.bytes)), from: carried.name };
    await adopt(session, fitted(session, wanted));
    if (last && kept) {
      kept.history.of.cut(last.epoch);
      [store.progress.value, store.history.value, store.target.value] = [last.progress, { ...kept.history }, kept.target];
      store.lastSnapshot.value = last;
    }
    return true;
  } catch (error) {
    if (error instanceof GradscopeError && error.code === "dataset_missing") store.missing.value = error.args.name ?? wanted.data;
    else if (!signal.aborted) fail(error);
    store.status.value = "idle";
    return false;
  } finally {
    loadingStop = undefined;
    store.loading.value = undefined;
  }
}

/** The controls with the model as the engine fitted it to a text or to pairs, unless they have been moved meanwhile. */
function fitted(session: Session, wanted: store.Setup): store.Setup {
  const of = { ...wanted, model: session.info.model };
  if (!["text", "pairs"].includes(store.wantedDataset.peek()?.kind ?? "") || store.setup.peek() !== wanted) return wanted;
  return (store.setup.value = of);
}

/** Makes a session the page's own: its facts, its pictures, its events. */
export async function adopt(session: Session, setup: store.Setup): Promise<void> {
  forgetWriting();
  const [description, parameters] = await Promise.all([describeModel(setup.model), session.parameters()]);
  store.built.value = { setup, description, parameters };
  listen(session);
  store.session.value = session;
  // Augmentation leaves the pinned example as it is: nothing to look at.
  store.selected.value = (description.layers[augmentations(setup.model)] ?? description.layers[0])?.name;
  store.status.value = "idle";
  await watchNetwork();
  if (setup.preset !== "welcome") await drawnFromDataset();
}

function listen(session: Session): void {
  const mine = <T>(handler: (event: T) => void) => (event: T): void => void (store.session.value === session && handler(event));
  session.on("progress", mine((event) => {
    store.history.value.of.progress(event);
    store.history.value = { of: store.history.value.of, version: store.history.value.version + 1 };
    store.progress.value = event;
    store.weights.value++;
  }));
  // One that comes after the evaluation was given up says nothing any more.
  session.on("evaluating", mine((event) => store.busy.value && (store.evaluating.value = event)));
  session.on("epoch", mine(({ epoch, validation, test }) => {
    store.evaluating.value = undefined;
    store.history.value.of.epoch(epoch, validation ?? undefined, test ?? undefined);
    store.history.value = { of: store.history.value.of, version: store.history.value.version + 1 };
    store.evaluations.value = {
      ...store.evaluations.value, ...(validation ? { validation } : {}), ...(test ? { test } : {}),
    };
    void keepSnapshot(session, epoch);
  }));
  session.on("frame", mine((event) => (store.frame.value = event)));
  session.on("deviceLost", mine(({ reason, step }) => {
    store.notice.value = { kind: "deviceLost", reason, step };
    store.weights.value++;
    if (store.built.value) store.built.value = { ...store.built.value };
  }));
  session.on("workersLost", mine(() => {
    store.notice.value = { kind: "workersLost" };
    if (store.built.value) store.built.value = { ...store.built.value };
  }));
  session.on("died", mine((error) => {
    store.status.value = "dead";
    fail(error);
  }));
}

let snapshotAt = -Infinity;

/** At most one snapshot in ten seconds: enough to carry on from when a worker dies. */
async function keepSnapshot(session: Session, epoch: number): Promise<void> {
  if (performance.now() - snapshotAt < 10_000) return;
  snapshotAt = performance.now();
  const progress = store.progress.value;
  try {
    const snapshot = await session.snapshot();
    if (store.session.value === session) store.lastSnapshot.value = { snapshot, progress, epoch };
  } catch {
    // The session ended meanwhile, and says so itself.
  }
}
