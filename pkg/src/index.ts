/**
 * Gradscope: neural networks that train in a browser tab.
 *
 * ```ts
 * import { createSession } from "gradscope";
 * const session = await createSession({ model: "mnist-cnn" });
 * await session.train({ epochs: 1, onProgress: (p) => console.log(p.epoch, p.loss) });
 * console.log((await session.evaluate("test")).accuracy);
 * ```
 *
 * Every method returns a promise that rejects with a {@link GradscopeError}.
 */
import { Connection, type Places } from "./connection.js";
import { resolve, type CreateOptions } from "./options.js";
import { Session } from "./session.js";
import { Walk } from "./stepper.js";
import { gather } from "./team.js";
import type {
  BackendReport, DatasetInfo, ModelDescription, ModelSpec, OptimizerSpec, Preset, Request, ScratchReport, SessionInfo,
} from "./generated/protocol.js";

export { GradscopeError } from "./errors.js";
export { Session } from "./session.js";
export type { Examples, Frame, Progress, SessionEvents, Snapshot, TrainRequest, TrainSummary, Vocabulary } from "./session.js";
export { Walk } from "./stepper.js";
export type { Headway, Underway, WalkExplanation, WalkOptimizer, WalkSubject, WalkValue } from "./stepper.js";
export type { CreateOptions, DatasetName, OwnExamples, LabelledTexts, Numbers, OfficialFiles, OwnData, PresetName } from "./options.js";
export type { AttributionMap, GenerateRequest, TranslateRequest, Translation } from "./looking.js";
export type { Places } from "./connection.js";
export type * from "./generated/protocol.js";

const places: Places = {
  worker: new URL("./worker.js", import.meta.url),
  data: new URL("../data/", import.meta.url),
};

/** Says where the worker's script and the data sets lie, if not where the package puts them. Call it before anything else. */
export function configure(where: Partial<Places>): void {
  Object.assign(places, where);
}

/** A worker without a session, for questions that need none; it starts with the first of them. */
let helper: Connection | undefined;

function helping(): Connection {
  if (!helper) {
    helper = new Connection(places);
    helper.onDeath(() => (helper = undefined));
  }
  return helper;
}

const ask = async <T>(request: Request): Promise<T> => (await helping().request(request)).ok as T;

/** What this machine offers to train on. */
export const backends = (): Promise<BackendReport> => ask({ type: "backends" });

/** The ready-made models, with their data and their training settings. */
export const presets = (): Promise<Preset[]> => ask({ type: "presets" });

/** The data sets that a session can name, and whether they are installed. */
export const datasets = (): Promise<DatasetInfo[]> => ask({ type: "datasets" });

/** Shapes and parameter counts of a model, layer by layer, without building it; an impossible layer carries its error. */
export const describeModel = (model: ModelSpec): Promise<ModelDescription> => ask({ type: "describe", model });

/**
 * What the layers of augmentation that a model begins with (`RandomFlip`, `RandomTranslation`, `RandomRotation`, `RandomZoom`, `GaussianNoise`) make of one example
 * in training, one variant after another; another model leaves it as it is. Variant k is what the first example of a batch becomes at step `step` + k of
 * a training with that seed, to the last bit on the CPU.
 */
export async function augment(model: ModelSpec, x: Float32Array, { count = 12, seed = 0, step = 0 } = {}): Promise<Float32Array> {
  const { buffers } = await helping().request({ type: "augment", model, count, seed, step }, [x]);
  return buffers[0] as Float32Array;
}

/** The learning rate of an optimizer at some steps, 0 being the first: what a schedule comes to. */
export const learningRates = (optimizer: OptimizerSpec, steps: number[]): Promise<number[]> => ask({ type: "rates", optimizer, steps });

/**
 * Reads and runs a program of the scratchpad, such as `x = 3; loss = x^2`: every node with its value and its gradient. A mistake rejects with
 * the place as `where` (`"line:column"`) and `line`, `column`, `width`, `caret` and perhaps `hint` in `args`.
 */
export const readScratch = (source: string, seed = 0): Promise<ScratchReport> => ask({ type: "scratch", source, seed });

/**
 * Opens a program of the scratchpad as a walk, without a session: its variables are the parameters, its statements the layers, and going on to
 * the next batch is a step of gradient descent. Another program that is open is left. A mistake rejects as with {@link readScratch}.
 */
export async function scratch(source: string, seed = 0): Promise<Walk> {
  return Walk.openScratch(helping(), source, seed);
}

/**
 * Builds a model on a backend of its own worker, with its data at hand.
 *
 * A preset's name brings its data, loss, optimizer and batch size; any of them can be given instead. Other models need `data` to train.
 * `signal` gives up while the data are read, and rejects with the signal's reason.
 */
export async function createSession(options: CreateOptions): Promise<Session> {
  const { signal, onLoading } = options;
  signal?.throwIfAborted();
  const connection = new Connection(places);
  const abort = (): void => connection.close();
  signal?.addEventListener("abort", abort, { once: true });
  const unlisten = connection.listen((event) => {
    if (event.type === "loading") onLoading?.({ data: event.data, loaded: event.loaded, total: event.total });
  });
  try {
    const { request, buffers, workers } = await resolve(options, async () => (await connection.request({ type: "presets" })).ok as Preset[]);
    const info = (await connection.request({ type: "create", options: request }, buffers)).ok as SessionInfo;
    const team = await gather(connection, info.backend === "cpu" ? workers : 1, places, request, buffers);
    return new Session(connection, info, team);
  } catch (error) {
    connection.close();
    signal?.throwIfAborted();
    throw error;
  } finally {
    unlisten();
    signal?.removeEventListener("abort", abort);
  }
}
