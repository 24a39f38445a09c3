// What is measured: plain definitions that all contenders share. `flops` is of one step, one prediction or one link, by the usual count: two for a multiply-add,
// and for a step of training three times the forward pass less the gradient of the input.

const cnnForward = 2 * (26 * 26 * 9 * 32 + 11 * 11 * 9 * 32 * 64 + 3 * 3 * 9 * 64 * 64 + 576 * 64 + 64 * 10);
const cnnInputGradient = 2 * 26 * 26 * 9 * 32;

/** 4 blocks of 4 heads, pre-LN, GELU by erf, learned positions, no bias in the head; attention counted in full, not only below the diagonal. */
export const GPT = { blocks: 4, heads: 4, width: 128, context: 64, vocabulary: 65 };
const gptForward = GPT.context * (GPT.blocks * (24 * GPT.width ** 2 + 4 * GPT.context * GPT.width) + 2 * GPT.width * GPT.vocabulary);

/** Epsilon is added as in Keras, before the correction of the second moment: others get as much more of it as that comes to. */
export const ADAM = { learning_rate: 1e-3, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 };
/** All parameters decay, as in Keras. */
export const ADAMW = { ...ADAM, beta_2: 0.99, weight_decay: 0.1 };

/** Batches that are gone through again and again, in order. */
export const BATCHES = 20;

const chain = (op, size, flops) => ({ kind: "chain", op, size, flops, links: 4 });

/**
 * `train`: steps from the same weights on the same batches. `predict`: from a Float32Array of inputs to one of outputs. `chain`: an operation applied to its own
 * result; the time of a chain of one is taken off that of one with `links` more, so that the way in and out does not count.
 */
export const WORKLOADS = {
  cnn: { title: "mnist-cnn, a step of training, batch 64, Adam", kind: "train", model: "cnn", batch: 64, optimizer: ADAM, parameters: 93_322, flops: 64 * (3 * cnnForward - cnnInputGradient) },
  gpt: { title: "GPT, a step of training, batch 16, AdamW", kind: "train", model: "gpt", gpt: GPT, batch: 16, optimizer: ADAMW, parameters: 818_176, flops: 3 * 16 * gptForward },
  "predict-256": { title: "mnist-cnn, prediction, batch 256", kind: "predict", model: "cnn", batch: 256, flops: 256 * cnnForward },
  "predict-1": { title: "mnist-cnn, prediction, one image", kind: "predict", model: "cnn", batch: 1, flops: cnnForward },
  ...Object.fromEntries([256, 512, 1024].map((size) => [`product-${size}`, { title: `a product of ${size} x ${size} matrices`, ...chain("product", [size, size], 2 * size ** 3) }])),
  conv: { title: "convolution 3x3, 64 to 64, of 16x28x28", ...chain("conv", [16, 28, 28, 64], 2 * 16 * 28 * 28 * 9 * 64 * 64) },
  cifar: { title: "cifar10-cnn, a step of training, batch 64, Adam", kind: "train", model: "cifar10-cnn", batch: 64, own: true },
  lstm: { title: "sentiment-lstm, a step of training, batch 32, Adam", kind: "train", model: "sentiment-lstm", batch: 32, own: true },
};

/** What takes part; `of` says in which page or program. */
export const CONTENDERS = {
  "gradscope cpu 1": { of: "gradscope", backend: "cpu", threads: 1 },
  "gradscope cpu 2": { of: "gradscope", backend: "cpu", threads: 2 },
  "jax-js wasm 2": { of: "jax", backend: "wasm", threads: 2 },
  "tfjs wasm 2": { of: "tfjs", backend: "wasm", threads: 2 },
    "tfjs cpu": { of: "tfjs", backend: "cpu", threads: 1, skips: ["chain", "gpt", "predict-256"] },
  "pytorch 1": { of: "torch", threads: 1, native: true },
  "pytorch 2": { of: "torch", threads: 2, native: true },
  "keras 1": { of: "keras", threads: 1, native: true, skips: ["gpt", "chain"] },
  "keras 2": { of: "keras", threads: 2, native: true, skips: ["gpt", "chain"] },
  "gradscope webgpu": { of: "gradscope", backend: "webgpu", gpu: true },
  "jax-js webgpu": { of: "jax", backend: "webgpu", gpu: true },
  "tfjs webgpu": { of: "tfjs", backend: "webgpu", gpu: true },
  "tfjs webgl": { of: "tfjs", backend: "webgl", gpu: true, skips: ["chain"] },
};

/** Whether a contender takes part in a workload. */
export const takesPart = (contender, name) => {
  const { kind, own } = WORKLOADS[name];
  const { of, skips = [] } = CONTENDERS[contender];
  return !skips.includes(name) && !skips.includes(kind) && (!own || of === "gradscope");
};
