import { GradscopeError } from "./errors.js";
import type { Buffers } from "./connection.js";
import type { BackendChoice, DocumentOptions, LossSpec, ModelSpec, OptimizerSpec, Preset, SessionOptions } from "./generated/protocol.js";

/** Name of a ready-made model, as `presets()` lists them: `"mnist-cnn"`. */
export type PresetName = string;
/** Name of a data set, as `datasets()` lists them: `"mnist"`. */
export type DatasetName = string;
/** Any typed array of numbers that `Float32Array.from` takes. */
export type Numbers = Float32Array | Float64Array | Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array;

/** A data set from its publisher's files (idx, gzipped or not), in any order; the test part may be missing. */
export interface OfficialFiles {
  name: DatasetName;
  files: readonly { name: string; bytes: Uint8Array }[];
}

/** Examples of your own. */
export interface OwnExamples {
  /** One example after another; a `Uint8Array` stays bytes in memory. */
  x: Numbers;
  /** A label or target an example, or several. */
  y: Numbers;
  /** [N, ...]: images [N, H, W, C], tokens [N, T]. */
  shape: number[];
  /** What bytes are multiplied by, such as 1 / 255; default 1. */
  scale?: number | undefined;
  /** Names of the classes that labels are numbers of. */
  classes?: readonly string[] | undefined;
  /** How many examples, the last ones, are for testing; default 0. */
  testExamples?: number | undefined;
}

/** Labelled documents of your own. */
export interface LabelledTexts {
  texts: readonly string[];
  /** The class of each, by number. */
  labels: readonly number[];
  /** Names of the classes. */
  classes: readonly string[];
  /** How many documents, the last ones, are for testing; default 0. */
  testExamples?: number | undefined;
}

/** Data of your own: examples, labelled documents, or a text to learn to go on with, whose tokens become the model's vocabulary. */
export type OwnData = OwnExamples | LabelledTexts | { text: string };

/** Options of `createSession`. */
export interface CreateOptions {
  /** A preset's name, or layers with Keras's names and arguments. */
  model: PresetName | ModelSpec;
  /**
   * A data set's name; a name with the set's own files, as its publisher gives them, where it is not installed; or data of your own.
   */
  data?: DatasetName | OfficialFiles | OwnData | undefined;
  /**
   * How labelled documents (`"newsgroups"`, `"reviews-en"`, `"reviews-zh"`) become rows; what is left out is as the model's input: tokens where it begins with an
   * embedding, of that vocabulary, else TF-IDF. For a text, what its tokens are: `{ tokenizer: "bpe", vocabulary: 1024 }`; its characters by default.
   */
  documents?: DocumentOptions | undefined;
  /** Default `"auto"`: WebGPU where the adapter is hardware, else the CPU. */
  backend?: BackendChoice | undefined;
  /**
   * Workers that share the training where the backend is the CPU, 1 to 64; default 1. Each holds the data and takes a part of every batch; the same
   * number of workers gives the same bits. A page that is not cross-origin isolated trains on one.
   */
  workers?: number | undefined;
  /** Seed of initial weights, shuffling and dropout; default 0. */
  seed?: number | undefined;
  /** Examples a step; default the preset's, else 32 as in Keras. */
  batchSize?: number | undefined;
  /** Share of the training examples held out for validation, in [0, 1); default the preset's, else 0. */
  validationSplit?: number | undefined;
  /** Most examples that are trained on, the first of those not held out; default the preset's, else all. */
  trainExamples?: number | undefined;
  /** Default the preset's, else Adam with Keras's defaults. */
  optimizer?: OptimizerSpec | undefined;
  /**
   * A Keras name or a spec; default the preset's, else what fits the last activation: softmax, sigmoid, or mean squared error; over tokens, cross
   * entropy of logits in its place.
   */
  loss?: string | LossSpec | undefined;
  /** Gives up while the data are read. */
  signal?: AbortSignal | undefined;
  /** Bytes read so far; `total` is 0 where it is unknown. */
  onLoading?: ((progress: { data: string; loaded: number; total: number }) => void) | undefined;
}

const MOST_WORKERS = 64;

const LOSS_OF_ACTIVATION: Readonly<Record<string, string>> = {
  softmax: "sparse_categorical_crossentropy",
  sigmoid: "binary_crossentropy",
};

const named = (loss: string | LossSpec): LossSpec => (typeof loss === "string" ? ({ type: loss } as LossSpec) : loss);

function lossThatFits(model: ModelSpec): string | LossSpec {
  const last = model.layers.at(-1) as { activation?: unknown } | undefined;
  const overTokens = model.layers.some(({ type }) => type === "Embedding" || type === "ReversibleEmbedding");
  const logits: LossSpec = { type: "sparse_categorical_crossentropy", from_logits: true };
  return LOSS_OF_ACTIVATION[String(last?.activation)] ?? (overTokens ? logits : "mean_squared_error");
}

const floats = (values: Numbers): Float32Array => (values instanceof Float32Array ? values : Float32Array.from(values));

/** Labelled documents as the engine reads them: a line each, with the number of the class in front. */
function lines({ texts, labels }: LabelledTexts): Uint8Array {
  if (texts.length !== labels.length) {
    const args = { left: String(texts.length), right: String(labels.length) };
    throw new GradscopeError({ code: "count_mismatch", message: `${args.left} examples but ${args.right} labels`, where: "data", args });
  }
  return new TextEncoder().encode(texts.map((text, k) => `${labels[k]}\t${text.replace(/\r?\n|\r/g, " ")}\n`).join(""));
}

/** Fills in what the options leave open. */
export async function resolve(
  options: CreateOptions,
  presets: () => Promise<Preset[]>,
): Promise<{ request: SessionOptions; buffers: Buffers; workers: number }> {
  const { model, workers = 1 } = options;
  if (!Number.isInteger(workers) || workers < 1 || workers > MOST_WORKERS) {
    const args = { name: "workers", expected: `between 1 and ${MOST_WORKERS}`, got: String(workers) };
    throw new GradscopeError({ code: "bad_value", message: `workers must be ${args.expected}, not ${workers}`, where: "workers", args });
  }
  let preset: Preset | undefined;
  if (typeof model === "string") {
    preset = (await presets()).find(({ name }) => name === model);
    if (!preset) {
      const args = { kind: "preset", got: model };
      throw new GradscopeError({ code: "unknown_name", message: `there is no preset named ${model}`, where: "model", args });
    }
  }
  const spec = typeof model === "string" ? preset!.model : model;
  const data = options.data ?? preset?.data;
  const documents = options.documents ?? (preset && { ...(preset.vocabulary ? { vocabulary: preset.vocabulary } : {}), ...(preset.stopWords ? { stopWords: true } : {}) });
  const trainExamples = options.trainExamples ?? preset?.trainExamples;
  const request: SessionOptions = {
    model: spec,
    backend: options.backend ?? "auto",
    seed: options.seed ?? 0,
    batchSize: options.batchSize ?? preset?.batchSize ?? 32,
    validationSplit: options.validationSplit ?? preset?.validationSplit ?? 0,
    optimizer: options.optimizer ?? preset?.optimizer ?? ({ type: "Adam" } as OptimizerSpec),
    loss: named(options.loss ?? preset?.loss ?? lossThatFits(spec)),
    ...(documents ? { documents } : {}),
    ...(trainExamples ? { trainExamples } : {}),
  };
  if (typeof data === "string") return { request: { ...request, data }, buffers: [], workers };
  if (data && "text" in data) return { request: { ...request, text: data.text }, buffers: [], workers };
  if (data && "files" in data) {
    const { name, files } = data;
    return { request: { ...request, data: name, files: files.map((file) => file.name) }, buffers: files.map(({ bytes }) => bytes), workers };
  }
  if (!data) return { request: { ...request, dataShape: [0, ...spec.input] }, buffers: [new Float32Array(), new Float32Array()], workers };
  const given = { ...(data.classes ? { classes: [...data.classes] } : {}), ...(data.testExamples ? { testExamples: data.testExamples } : {}) };
  if ("texts" in data) return { request: { ...request, ...given }, buffers: [lines(data)], workers };
  const x = data.x instanceof Uint8Array ? data.x : floats(data.x);
  const scale = data.scale === undefined ? {} : { dataScale: data.scale };
  return { request: { ...request, ...given, ...scale, dataShape: data.shape }, buffers: [x, floats(data.y)], workers };
}
