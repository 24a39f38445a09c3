import { effect } from "@preact/signals-core";
import { backends, createSession, datasets as listDatasets, describeModel, GradscopeError, presets as listPresets, type Hyper, type Session, type Snapshot } from "gradscope";
import { latest } from "../lib/latest.js";
import { givenData } from "./dropped.js";
import { History } from "./history.js";
import { augmentations } from "./spec.js";
import * as store from "./store.js";
import { forgetWriting } from "./writing.js";
import { drawnFromDataset, watchNetwork } from "./pictures.js";

/** Shows an error; those that are not the engine's are errors of this page and go on to the console. */
export function fail(error: unknown): void {
  if (!(error instanceof GradscopeError)) throw error;
  blownUp ||= error.code === "not_finite";
  store.notice.value = { kind: "error", error };
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
  blownUp = false;
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

/**
 * Builds a session of what the controls show; one that goes on from what is open now, which stays open until the other stands, or from what was
 * kept last. Resolves with whether there is one.
 */
export async function build({ goOn }: { goOn?: "now" | "kept" } = {}): Promise<boolean> {
  const wanted = store.setup.value;
  if (!wanted) return false;
  const { built: { value: built }, session: { value: open } } = store;
  const moving = goOn === "now" && open && built;
  if (moving) await keep(open);
  const last = goOn && store.lastSnapshot.value;
  const { value: carried } = store.carried;
  store.carried.value = undefined;
  const kept = { history: store.history.value, target: store.target.value, hyper: store.hyper.value };
  if (!moving) await close();
  forgetLooks();
  store.status.value = "loading";
  store.loading.value = undefined;
  loadingStop = new AbortController();
  const { signal } = loadingStop;
  try {
    const session = await create(wanted, signal);
    if (last) await takeUp(session, last.snapshot, kept.hyper);
    if (moving) await close();
    if (carried) store.loaded.value = { ...(await session.load(carried.bytes)), from: carried.name };
    if (last) {
      kept.history.of.cut(last.progress?.epoch ?? 0);
      [store.progress.value, store.history.value, store.target.value, store.hyper.value] = [last.progress, { ...kept.history }, kept.target, kept.hyper];
      store.lastSnapshot.value = last;
    }
    await adopt(session, fitted(session, wanted));
    return true;
  } catch (error) {
    if (error instanceof GradscopeError && error.code === "dataset_missing") store.missing.value = error.args.name ?? wanted.data;
    else if (!signal.aborted) fail(error);
    // Official files that cannot be read: whole ones may be dropped instead.
    if (error instanceof GradscopeError && error.code === "bad_file" && store.wantedDataset.peek()?.installed === false) store.missing.value = wanted.data;
    if (moving) {
      store.change({ backend: built.setup.backend, workers: built.setup.workers });
      store.hyper.value = kept.hyper;
    }
    store.status.value = "idle";
    return false;
  } finally {
    loadingStop = undefined;
    store.loading.value = undefined;
  }
}

/** Goes on from a state, with the rates that were moved by hand; a session that cannot is of no use. */
async function takeUp(session: Session, snapshot: Snapshot, hyper: Hyper): Promise<void> {
  try {
    await session.restore(snapshot);
    if (Object.keys(hyper).length) await session.setHyper(hyper);
  } catch (error) {
    await session.dispose();
    throw error;
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
    if (isSmall()) keepNowAndThen(session);
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
    keepNowAndThen(session);
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

let keptAt = 0;
/** Whether the numbers of what is open have blown up. */
let blownUp = false;

/** Keeps the session's state, to go on from when its worker dies or its numbers blow up; not when they have. */
export async function keep(session: Session): Promise<void> {
  if (blownUp) return;
  keptAt = performance.now();
  try {
    const snapshot = await session.snapshot();
    if (store.session.value === session) store.lastSnapshot.value = { snapshot, progress: store.progress.value };
  } catch {
    // The session ended meanwhile, and says so itself.
  }
}

function keepNowAndThen(session: Session): void {
  if (performance.now() - keptAt > (store.lastSnapshot.value?.progress ? 10_000 : 1_000)) void keep(session);
}

/** Whether a state takes so little memory, 12 bytes a parameter, that it may be kept in the middle of an epoch. */
export const isSmall = (): boolean =>
  (store.built.value?.parameters ?? []).reduce((sum, { shape }) => sum + shape.reduce((count, extent) => count * extent, 1), 0) < 1_500_000;
