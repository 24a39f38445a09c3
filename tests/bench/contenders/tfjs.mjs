// TensorFlow.js, on the operations of its core. Its wasm backend has no gradient of a convolution's kernel, and its transposed products run ten times slower than plain ones: there,
// convolutions and products have gradients of their own, of operations that it is fast at.

import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-webgl";
import "@tensorflow/tfjs-backend-webgpu";
import { setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { batchOf, host } from "./host.mjs";
import { matrixOf, namesOfGpt } from "./names.mjs";

const isWasm = () => tf.getBackend() === "wasm";

const transposed = (x) => tf.transpose(x, x.rank === 2 ? [1, 0] : [0, 1, 3, 2]);

const plainProduct = tf.customGrad((a, b, save) => {
  save([a, b]);
  return { value: tf.matMul(a, b), gradFunc: (dy, [a, b]) => [tf.matMul(dy, transposed(b)), tf.matMul(transposed(a), dy)] };
});
const product = (a, b) => (isWasm() ? plainProduct(a, b) : tf.matMul(a, b));

/** [N, H, W, C] -> [N OH OW, 9 C]: the 3x3 neighbourhood of each place. */
function patches(x) {
  const [n, h, w, c] = x.shape;
  const parts = [];
  for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) parts.push(tf.slice(x, [0, i, j, 0], [n, h - 2, w - 2, c]));
  return tf.reshape(tf.concat(parts, 3), [-1, 9 * c]);
}

/** The gradient of a kernel as a product, that of an input as a convolution with the turned kernel. */
function convolutionOf(first) {
  const value = (x, kernel, save) => (save([x, kernel]), tf.conv2d(x, kernel, 1, "valid"));
  const ofKernel = (dy, x, kernel) => tf.reshape(tf.matMul(transposed(patches(x)), tf.reshape(dy, [-1, dy.shape[3]])), kernel.shape);
  const ofInput = (dy, kernel) => tf.conv2d(tf.pad(dy, [[0, 0], [2, 2], [2, 2], [0, 0]]), tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2]), 1, "valid");
  // The images have no gradient that anybody asks for.
  if (first) return (x, kernel) => tf.customGrad((kernel, save) => ({ value: value(x, kernel, save), gradFunc: (dy, [x, kernel]) => ofKernel(dy, x, kernel) }))(kernel);
  return tf.customGrad((x, kernel, save) => ({ value: value(x, kernel, save), gradFunc: (dy, [x, kernel]) => [ofInput(dy, kernel), ofKernel(dy, x, kernel)] }));
}
const [firstConvolution, laterConvolution] = [convolutionOf(true), convolutionOf(false)];

function cnn(p, x, training) {
  const conv = (x, name) => {
    const [kernel, bias] = [p[`${name}.kernel`], p[`${name}.bias`]];
    if (!training || !isWasm()) return tf.fused.conv2d({ x, filter: kernel, strides: 1, pad: "valid", bias, activation: "relu" });
    return tf.relu(tf.add((name === "conv2d" ? firstConvolution : laterConvolution)(x, kernel), bias));
  };
  const pool = (x) => tf.maxPool(x, 2, 2, "valid");
  const last = conv(pool(conv(pool(conv(x, "conv2d")), "conv2d_1")), "conv2d_2");
  const hidden = tf.relu(tf.add(product(tf.reshape(last, [x.shape[0], -1]), p["dense.kernel"]), p["dense.bias"]));
  return tf.add(product(hidden, p["dense_1.kernel"]), p["dense_1.bias"]);
}

const norm = (x, gamma, beta) => {
  const { mean, variance } = tf.moments(x, -1, true);
  return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-5))), gamma), beta);
};
const gelu = (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));

function gpt(p, tokens, { blocks, heads, width, context, vocabulary }, mask) {
  const names = namesOfGpt(blocks);
  const at = (name) => p[name];
  const dense = (x, [kernel, bias]) => tf.add(product(x, at(kernel)), at(bias));
  const split = (x, perm) => tf.transpose(tf.reshape(x, [-1, context, heads, width / heads]), perm);
  const embedded = tf.reshape(product(tf.oneHot(tf.reshape(tokens, [-1]), vocabulary), at(names.tokens)), [-1, context, width]);
  let x = tf.reshape(tf.add(embedded, at(names.positions)), [-1, width]);
  for (const block of names.blocks) {
    const normed = norm(x, at(block.norm1[0]), at(block.norm1[1]));
    const [q, k, v] = [block.query, block.key, block.value].map((of) => dense(normed, of));
    const scores = tf.mul(product(split(q, [0, 2, 1, 3]), split(k, [0, 2, 3, 1])), 1 / Math.sqrt(width / heads));
    const attended = product(tf.softmax(tf.add(scores, mask)), split(v, [0, 2, 1, 3]));
    x = tf.add(x, dense(tf.reshape(tf.transpose(attended, [0, 2, 1, 3]), [-1, width]), block.output));
    x = tf.add(x, dense(gelu(dense(norm(x, at(block.norm2[0]), at(block.norm2[1])), block.expand)), block.contract));
  }
  return product(norm(x, at(names.norm[0]), at(names.norm[1])), at(names.logits));
}

function training(workload, given) {
  const { batch, model, optimizer: { learning_rate: rate, beta_1, beta_2, epsilon, weight_decay: decay } } = workload;
  const names = Object.keys(given).filter((name) => name !== "x" && name !== "y");
  const p = Object.fromEntries(names.map((name) => [name, tf.variable(tf.tensor(given[name].values, matrixOf(name, given[name].shape)))]));
  const classes = model === "gpt" ? workload.gpt.vocabulary : 10;
  const count = given.x.shape[0] / batch;
  const batches = Array.from({ length: count }, (_, k) => ({
    x: tf.tensor(batchOf(given.x, batch, k), [batch, ...given.x.shape.slice(1)], model === "gpt" ? "int32" : "float32"),
    y: tf.tidy(() => tf.cast(tf.oneHot(tf.tensor1d(batchOf(given.y, batch, k), "int32"), classes), "float32")),
  }));
  const mask = model === "gpt" ? tf.tensor(Array.from({ length: 64 * 64 }, (_, k) => (k % 64 > Math.floor(k / 64) ? -1e9 : 0)), [1, 1, 64, 64]) : undefined;
  const optimizer = tf.train.adam(rate, beta_1, beta_2, epsilon);
  const variables = Object.values(p);
  let taken = 0;
  const step = () => tf.tidy(() => {
    const { x, y } = batches[taken++ % count];
    optimizer.epsilon = epsilon / Math.sqrt(1 - beta_2 ** taken);
    const outputs = () => (model === "gpt" ? gpt(p, x, workload.gpt, mask) : cnn(p, x, true));
    const { value, grads } = tf.variableGrads(() => tf.losses.softmaxCrossEntropy(y, outputs()), variables);
    if (decay) for (const variable of variables) variable.assign(tf.mul(variable, 1 - rate * decay));
    optimizer.applyGradients(grads);
    return tf.keep(value);
  });
  return async (steps) => {
    const losses = Array.from({ length: steps }, step);
    const values = [];
    for (const loss of losses) values.push((await loss.data())[0]);
    tf.dispose(losses);
    return values;
  };
}

function predicting({ batch }, given) {
  const p = Object.fromEntries(Object.entries(given).filter(([name]) => name !== "x" && name !== "y").map(([name, { shape, values }]) => [name, tf.tensor(values, shape)]));
  const inputs = batchOf(given.x, batch, 0);
  return async (times) => {
    let values;
    for (let k = 0; k < times; k++) {
      const outputs = tf.tidy(() => tf.softmax(cnn(p, tf.tensor(inputs, [batch, 28, 28, 1]), false)));
      values = await outputs.data();
      outputs.dispose();
    }
    return values;
  };
}

function chain({ op }, { x, kernel }) {
  const [from, by] = [x, kernel].map(({ values, shape }) => tf.tensor(values, shape));
  const link = (x) => (op === "product" ? tf.matMul(x, by) : tf.conv2d(x, by, 1, "same"));
  return async (times, links) => {
    let values;
    for (let k = 0; k < times; k++) {
      const outputs = tf.tidy(() => Array.from({ length: links + 1 }).reduce(link, from));
      values = await outputs.data();
      outputs.dispose();
    }
    return values;
  };
}

host(async (workload, { backend, threads }, given) => {
  if (backend === "wasm") {
    setWasmPaths("/peers/@tensorflow/tfjs-backend-wasm/dist/");
    setThreadsCount(threads);
  }
  if (!(await tf.setBackend(backend))) throw new Error(`the backend ${backend} did not start`);
  await tf.ready();
  const run = { train: training, predict: predicting, chain }[workload.kind](workload, given);
  return { run, facts: () => ({ version: tf.version_core, tensors: tf.memory().numTensors }), close: () => undefined };
});
