import type { Argument } from "../messages/types.js";
import type { LayerSpec, LossSpec, ModelSpec, Tokenizer } from "gradscope";

/** A layer or an optimizer as an editor sees it: a type and some arguments. */
export interface Spec {
  type: string;
  [key: string]: unknown;
}

/** An argument that can be edited, with what stands where the spec leaves it out (Keras's default). */
export type Field =
  | { key: Argument; kind: "whole"; least: number; fallback: number | undefined }
  | { key: Argument; kind: "number"; least: number; most: number; step: number; fallback: number }
  | { key: Argument; kind: "choice"; of: readonly string[]; fallback: string }
  | { key: Argument; kind: "flag"; fallback: boolean }
  | { key: Argument; kind: "list"; whole: boolean }
  /** Names between commas. */
  | { key: Argument; kind: "names" }
  /** A number that may be left out. */
  | { key: Argument; kind: "optional"; least: number }
  /** The weight of a term of the penalty on a kernel (`kernel_regularizer`). */
  | { key: "L1" | "L2"; kind: "penalty"; term: "l1" | "l2" };

export const ACTIVATIONS = ["linear", "relu", "gelu", "silu", "leaky_relu", "tanh", "sigmoid", "softplus", "exponential", "softmax"] as const;

const whole = (key: Argument, fallback: number | undefined, least = 1): Field => ({ key, kind: "whole", least, fallback });
const flag = (key: Argument, fallback = false): Field => ({ key, kind: "flag", fallback });
const share = (key: Argument, fallback = 0.1): Field => ({ key, kind: "number", least: 0, most: 1, step: 0.05, fallback });
const padding: Field = { key: "padding", kind: "choice", of: ["valid", "same"], fallback: "valid" };
const activation: Field = { key: "activation", kind: "choice", of: ACTIVATIONS, fallback: "linear" };
const bias = flag("use_bias", true);
const penalty: readonly Field[] = [{ key: "L1", kind: "penalty", term: "l1" }, { key: "L2", kind: "penalty", term: "l2" }];
const epsilon: Field = { key: "epsilon", kind: "number", least: 0, most: 1, step: 1e-4, fallback: 1e-3 };
const pooling: readonly Field[] = [whole("pool_size", 2), whole("strides", undefined), padding];
const convolution: readonly Field[] = [whole("filters", 32), whole("kernel_size", 3), whole("strides", 1), padding, activation, bias, ...penalty];

const bound = (key: Argument, fallback: number): Field => ({ key, kind: "number", least: -1000, most: 1000, step: 0.1, fallback });
const tanh: Field = { ...activation, fallback: "tanh" };
const sigmoid: Field = { key: "recurrent_activation", kind: "choice", of: ACTIVATIONS, fallback: "sigmoid" };
const recurrent: readonly Field[] = [flag("return_sequences"), flag("go_backwards"), bias, ...penalty];

const attention: readonly Field[] = [
  flag("use_causal_mask"), { key: "rope_max_wavelength", kind: "optional", least: 0 }, { key: "dropout", kind: "number", least: 0, most: 0.95, step: 0.05, fallback: 0 }, bias,
  ...penalty,
];

/** What can be edited of each type of layer; the order is that of the menu. */
export const LAYER_FIELDS: Readonly<Record<LayerSpec["type"], readonly Field[]>> = {
  Dense: [whole("units", 64), activation, bias, ...penalty],
  Conv2D: convolution,
  Conv1D: convolution.map((field) => (field === padding ? { ...padding, of: ["valid", "same", "causal"] } : field)),
  Conv2DTranspose: convolution,
  MaxPooling2D: pooling,
  AveragePooling2D: pooling,
  GlobalAveragePooling2D: [],
  GlobalMaxPooling2D: [],
  MaxPooling1D: pooling,
  AveragePooling1D: pooling,
  GlobalAveragePooling1D: [],
  GlobalMaxPooling1D: [],
  UpSampling2D: [whole("size", 2)],
  Flatten: [],
  Dropout: [{ key: "rate", kind: "number", least: 0, most: 0.95, step: 0.05, fallback: 0.5 }],
  BatchNormalization: [{ key: "momentum", kind: "number", least: 0, most: 1, step: 0.01, fallback: 0.99 }, epsilon],
  LayerNormalization: [epsilon],
  RMSNormalization: [{ ...epsilon, step: 1e-7, fallback: 1e-6 }],
  Activation: [{ ...activation, fallback: "relu" }],
  LeakyReLU: [{ key: "negative_slope", kind: "number", least: 0, most: 1, step: 0.05, fallback: 0.3 }],
  Reshape: [{ key: "target_shape", kind: "list", whole: true }],
  RandomUniform: [{ key: "shape", kind: "list", whole: true }, bound("minval", -1), bound("maxval", 1)],
  ZeroPadding2D: [whole("padding", 1)],
  Cropping1D: [{ key: "cropping", kind: "list", whole: true }],
  SimpleRNN: [whole("units", undefined), tanh, ...recurrent],
  LSTM: [whole("units", undefined), tanh, sigmoid, ...recurrent, flag("unit_forget_bias", true)],
  GRU: [whole("units", undefined), tanh, sigmoid, ...recurrent, flag("reset_after", true)],
  RandomFlip: [{ key: "mode", kind: "choice", of: ["horizontal", "vertical", "horizontal_and_vertical"], fallback: "horizontal_and_vertical" }],
  RandomTranslation: [share("height_factor"), share("width_factor")],
  RandomRotation: [share("factor")],
  RandomZoom: [share("height_factor"), { key: "width_factor", kind: "optional", least: 0 }],
  GaussianNoise: [{ key: "stddev", kind: "number", least: 0, most: 10, step: 0.05, fallback: 0.1 }],
  Embedding: [whole("input_dim", undefined), whole("output_dim", undefined), flag("mask_zero")],
  PositionEmbedding: [whole("sequence_length", undefined)],
  SinePositionEncoding: [{ key: "max_wavelength", kind: "number", least: 1, most: 1e6, step: 1, fallback: 1e4 }],
  MultiHeadAttention: [whole("num_heads", undefined), whole("key_dim", undefined), ...attention],
  GroupQueryAttention: [whole("num_query_heads", undefined), whole("num_key_value_heads", undefined), whole("head_dim", undefined), ...attention],
  Add: [],
  Multiply: [],
  ReversibleEmbedding: [whole("input_dim", undefined), whole("output_dim", undefined), flag("reverse"), flag("mask_zero")],
  MaskedLMMaskGenerator: [whole("vocabulary_size", undefined), whole("mask_token_id", undefined, 0), share("mask_selection_rate", 0.15), share("mask_token_rate", 0.8),
    share("random_token_rate", 0.1)],
};

const INPUTS: Field = { key: "inputs", kind: "names" };

/** What can be edited of a layer: the arguments of its type, and what it reads where that is not just the layer before it. */
export const layerFields = (layer: LayerSpec): readonly Field[] =>
  layer.inputs !== undefined || /^(Add|Multiply|.*Attention)$/.test(layer.type) ? [...LAYER_FIELDS[layer.type], INPUTS] : LAYER_FIELDS[layer.type];

/** What a new layer of a type needs to be complete. */
const NEW_LAYER: Partial<Record<LayerSpec["type"], object>> = {
  Dense: { units: 64, activation: "relu" },
  Conv2D: { filters: 32, kernel_size: 3, activation: "relu" },
  Conv1D: { filters: 32, kernel_size: 5, activation: "relu" },
  Conv2DTranspose: { filters: 32, kernel_size: 3, strides: 2, padding: "same", activation: "relu" },
  MaxPooling2D: { pool_size: 2 },
  AveragePooling2D: { pool_size: 2 },
  MaxPooling1D: { pool_size: 2 },
  AveragePooling1D: { pool_size: 2 },
  UpSampling2D: { size: 2 },
  Dropout: { rate: 0.5 },
  RandomFlip: { mode: "horizontal" },
  RandomTranslation: { height_factor: 0.1, width_factor: 0.1, fill_mode: "constant" },
  RandomRotation: { factor: 0.05, fill_mode: "constant" },
  RandomZoom: { height_factor: 0.1, fill_mode: "constant" },
  GaussianNoise: { stddev: 0.1 },
  Activation: { activation: "relu" },
  Reshape: { target_shape: [1] },
  Cropping1D: { cropping: [1, 1] },
  RandomUniform: { shape: [16] },
  SimpleRNN: { units: 32 },
  LSTM: { units: 32 },
  GRU: { units: 32 },
  Embedding: { input_dim: 256, output_dim: 32 },
  PositionEmbedding: { sequence_length: 64 },
  MultiHeadAttention: { num_heads: 2, key_dim: 16, use_causal_mask: true },
  GroupQueryAttention: { num_query_heads: 4, num_key_value_heads: 2, head_dim: 16, use_causal_mask: true },
  ReversibleEmbedding: { input_dim: 256, output_dim: 32 },
  MaskedLMMaskGenerator: { vocabulary_size: 256, mask_token_id: 256 },
};

export const newLayer = (type: LayerSpec["type"]): LayerSpec => ({ type, ...NEW_LAYER[type] }) as LayerSpec;

const AUGMENTATION = /^(Random(Flip|Translation|Rotation|Zoom)|GaussianNoise)$/;

export const OPTIMIZERS = ["SGD", "RMSprop", "Adam", "AdamW"] as const;

const momentum: Field = { key: "momentum", kind: "number", least: 0, most: 0.999, step: 0.01, fallback: 0 };
const beta = (key: Argument, fallback: number): Field => ({ key, kind: "number", least: 0, most: 0.9999, step: 0.001, fallback });
const tiny: Field = { key: "epsilon", kind: "number", least: 0, most: 1, step: 1e-7, fallback: 1e-7 };
const clipping: readonly Field[] = (["global_clipnorm", "clipvalue"] as const).map((key) => ({ key, kind: "optional", least: 0 }));
const adam: readonly Field[] = [beta("beta_1", 0.9), beta("beta_2", 0.999), tiny, ...clipping];

/** Arguments of each optimizer besides its rate, with Keras's defaults. */
export const OPTIMIZER_FIELDS: Readonly<Record<string, readonly Field[]>> = {
  SGD: [momentum, flag("nesterov"), ...clipping],
  RMSprop: [beta("rho", 0.9), momentum, tiny, ...clipping],
  Adam: adam,
  AdamW: [{ key: "weight_decay", kind: "number", least: 0, most: 1, step: 0.001, fallback: 0.004 }, ...adam],
};

export const LOSSES = [
  "sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy", "mean_squared_error", "mean_absolute_error", "huber", "half_sum_of_squares",
] as const;

/** The optimizer of that type with Keras's defaults. Where there may be momentum it begins at 0, which keeps the memory that it needs to be moved while training. */
export const optimizerNamed = (type: string, { learning_rate }: Spec): Spec =>
  ({ type, ...(/^(SGD|RMS)/.test(type) && { momentum: 0 }), ...(learning_rate !== undefined && { learning_rate }) });

/** The loss of that name with Keras's defaults; what outputs are compared with stays, where it is not classes. */
export const lossNamed = (type: string, before?: LossSpec): LossSpec =>
  ({ type, ...(before && "target" in before && !type.includes("categorical") ? { target: before.target } : {}) }) as LossSpec;

const size = (value: unknown, flat = false): string => (Array.isArray(value) ? value.join("×") : flat ? String(value) : `${String(value)}×${String(value)}`);

/** What a row of the layer list says besides the type: "32 · 3×3 · relu". */
export function summary(layer: LayerSpec): string {
  const spec = layer as Spec;
  const parts: string[] = [];
  const flat = spec.type.endsWith("1D");
  if (spec.units !== undefined) parts.push(String(spec.units));
  if (spec.input_dim !== undefined) parts.push(`${String(spec.input_dim)}→${String(spec.output_dim)}`);
  if (spec.sequence_length !== undefined) parts.push(String(spec.sequence_length));
  if (spec.num_heads !== undefined) parts.push(`${String(spec.num_heads)}×${String(spec.key_dim)}`);
  if (spec.num_query_heads !== undefined) parts.push(`${String(spec.num_query_heads)}/${String(spec.num_key_value_heads)}×${String(spec.head_dim)}`);
  if (spec.mask_token_id !== undefined) parts.push(`${Math.round(100 * Number(spec.mask_selection_rate ?? 0.15))} %`);
  if (spec.filters !== undefined) parts.push(String(spec.filters));
  if (spec.kernel_size !== undefined) parts.push(size(spec.kernel_size, flat));
  if (spec.size !== undefined) parts.push(size(spec.size));
  if (/^(Max|Average)Pooling/.test(spec.type)) parts.push(size(spec.pool_size ?? 2, flat));
  for (const key of ["rate", "mode", "height_factor", "width_factor", "factor", "stddev"]) if (spec[key] !== undefined) parts.push(String(spec[key]));
  if (spec.cropping !== undefined) parts.push(`−${[spec.cropping].flat().join(" −")}`);
  for (const of of [spec.target_shape, spec.shape]) if (Array.isArray(of)) parts.push(of.join("×"));
  if (spec.padding === "same" || spec.padding === "causal") parts.push(spec.padding);
  if (typeof spec.activation === "string" && spec.activation !== "linear") parts.push(spec.activation);
  if (layer.inputs) parts.push(`← ${layer.inputs.join(" + ")}`);
  return parts.join(" · ");
}

/** Weights of a penalty, which may be its name alone, with Keras's weight. */
export function penalties(value: unknown): { l1: number; l2: number } {
  const spec = Object(value) as { type?: string; l1?: number; l2?: number };
  const weight = (term: "l1" | "l2"): number => spec[term] ?? (String(spec.type ?? value).toLowerCase() === term ? 0.01 : 0);
  return { l1: weight("l1"), l2: weight("l2") };
}

/** The model with another list of layers. */
export const withLayers = (model: ModelSpec, layers: LayerSpec[]): ModelSpec => ({ ...model, layers });

/** What the tokens of a text may be, and how many there are usually where they are no characters. */
export const TOKENIZERS: readonly Tokenizer[] = ["character", "word", "bpe"];
export const VOCABULARY = 1024;

/** Whether a model's input is tokens, as those of a text are. */
export const readsTokens = (model: ModelSpec | undefined): boolean => /Embedding$|^MaskedLM/.test(model?.layers[0]?.type ?? "");

/** Whether a model learns to guess hidden words. */
export const guesses = (model: ModelSpec | undefined): boolean => model?.layers[0]?.type === "MaskedLMMaskGenerator";

/** How many layers at a model's beginning change its examples in training alone. */
export function augmentations(model: ModelSpec | undefined): number {
  const layers = model?.layers ?? [];
  const other = layers.findIndex(({ type, inputs }) => !AUGMENTATION.test(type) || inputs !== undefined);
  return other < 0 ? layers.length : other;
}

/** The model with augmentation that suits its images, or without what it has. Photographs may be mirrored, digits and letters not. */
export function withAugmentation(model: ModelSpec, on: boolean): ModelSpec {
  const bare = model.layers.slice(augmentations(model));
  const kinds: LayerSpec["type"][] = model.input[2] === 3 ? ["RandomFlip", "RandomTranslation"] : ["RandomTranslation", "RandomRotation", "RandomZoom"];
  return withLayers(model, on ? [...kinds.map(newLayer), ...bare] : bare);
}

/** Where a new layer goes: augmentation of images to the others at the beginning, any other before the last one where that is what gives the answer. */
export function placeFor(type: string, { input, layers }: ModelSpec): number {
  if (AUGMENTATION.test(type) && input.length === 3) return augmentations({ input, layers });
  return layers.at(-1)?.type === "Dense" ? layers.length - 1 : layers.length;
}

/** The model with a layer that is frozen, or is not any more. */
export const withFrozen = (model: ModelSpec, k: number, frozen: boolean): ModelSpec => withLayers(model, model.layers.map((layer, at) => {
  const { trainable: _, ...free } = layer;
  return at !== k ? layer : ((frozen ? { ...free, trainable: false } : free) as LayerSpec);
}));

/** The model for a data set of another shape or another number of classes. */
export function refit(model: ModelSpec, shape: readonly number[], classesBefore: number, classesNow: number): ModelSpec {
  const layers = model.layers.map((layer, k) => {
    const last = k === model.layers.length - 1 && classesNow > 1;
    return last && layer.type === "Dense" && (layer as unknown as Spec).units === classesBefore ? ({ ...layer, units: classesNow } as LayerSpec) : layer;
  });
  return { ...model, input: [...shape], layers };
}
