// jax-js: the whole step is one `jit`. Convolutions are im2col and products, whose gradients are products again: its own convolution's gradients are many times slower.
// Every use of an array but the last is a `.ref`, since its functions own their arguments.

import { blockUntilReady, defaultDevice, init, jit, lax, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { batchOf, host } from "./host.mjs";
import { matrixOf, namesOfGpt } from "./names.mjs";

/** [N, H, W, C] -> [N OH OW, 9 C]: the 3x3 neighbourhood of each place. */
function patches(x) {
  const [, h, w, c] = x.shape;
  const parts = [];
  for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) parts.push(x.ref.slice([], [i, i + h - 2], [j, j + w - 2], []));
  x.dispose();
  return np.concatenate(parts, 3).reshape([-1, 9 * c]);
}

function convolution(x, kernel) {
  const [n, h, w] = x.shape;
  const filters = kernel.shape[3];
  return np.matmul(patches(x), kernel.reshape([-1, filters])).reshape([n, h - 2, w - 2, filters]);
}

/** Of windows of 2x2, which are an axis each: an odd row and column is left out. */
function pool(x) {
  const [n, h, w, c] = x.shape;
  const [rows, columns] = [h >> 1, w >> 1];
  const even = h % 2 || w % 2 ? x.slice([], [0, 2 * rows], [0, 2 * columns], []) : x;
  return even.reshape([n, rows, 2, columns, 2, c]).max([2, 4]);
}

/** Its own sends half of a gradient through where the input is exactly 0, as much of a first step's is. */
const relu = (x) => np.where(x.ref.greater(0), x, 0);

function cnn(p, x) {
  const conv = (x, name) => relu(convolution(x, p[`${name}.kernel`]).add(p[`${name}.bias`]));
  const last = conv(pool(conv(pool(conv(x, "conv2d")), "conv2d_1")), "conv2d_2");
  const hidden = relu(np.matmul(last.reshape([last.shape[0], -1]), p["dense.kernel"]).add(p["dense.bias"]));
  return np.matmul(hidden, p["dense_1.kernel"]).add(p["dense_1.bias"]);
}

function norm(x, gamma, beta) {
  const centred = x.ref.sub(x.mean(-1, { keepdims: true }));
  const variance = centred.ref.mul(centred.ref).mean(-1, { keepdims: true });
  return centred.div(np.sqrt(variance.add(1e-5))).mul(gamma).add(beta);
}

function gpt(p, tokens, { blocks, heads, width, context, vocabulary }) {
  const names = namesOfGpt(blocks);
  const dense = (x, [kernel, bias]) => np.matmul(x, p[kernel]).add(p[bias]);
  const split = (x) => x.reshape([-1, context, heads, width / heads]);
  const embedded = np.matmul(nn.oneHot(tokens.reshape([-1]), vocabulary), p[names.tokens]).reshape([-1, context, width]);
  let x = embedded.add(p[names.positions]).reshape([-1, width]);
  for (const block of names.blocks) {
    const normed = norm(x.ref, p[block.norm1[0]], p[block.norm1[1]]);
    const [q, k, v] = [block.query, block.key, block.value].map((of, k) => split(dense(k < 2 ? normed.ref : normed, of)));
    const attended = nn.dotProductAttention(q, k, v, { isCausal: true }).reshape([-1, width]);
    x = x.add(dense(attended, block.output));
    x = x.ref.add(dense(nn.gelu(dense(norm(x, p[block.norm2[0]], p[block.norm2[1]]), block.expand), { approximate: false }), block.contract));
  }
  return np.matmul(norm(x, p[names.norm[0]], p[names.norm[1]]), p[names.logits]);
}

const arrays = (given, device) => Object.fromEntries(Object.entries(given).filter(([name]) => name !== "x" && name !== "y")
  .map(([name, { shape, values }]) => [name, np.array(values, { device }).reshape(matrixOf(name, shape))]));

const map = (of, f) => Object.fromEntries(Object.entries(of).map(([name, value]) => [name, f(value, name)]));

async function training({ model, batch, gpt: size, optimizer }, given, device) {
  const { learning_rate: rate, beta_1, beta_2, epsilon, weight_decay: decay = 0 } = optimizer;
  let p = arrays(given, device);
  let m = map(p, (w) => np.zeros(w.shape, { device }));
  let v = map(p, (w) => np.zeros(w.shape, { device }));
  const classes = model === "gpt" ? size.vocabulary : 10;
  const count = given.x.shape[0] / batch;
  const whole = (values) => np.array(Int32Array.from(values), { device });
  const batches = Array.from({ length: count }, (_, k) => {
    const x = batchOf(given.x, batch, k);
    return {
      x: model === "gpt" ? whole(x).reshape([batch, size.context]) : np.array(x.slice(), { device }).reshape([batch, 28, 28, 1]),
      y: whole(batchOf(given.y, batch, k)),
    };
  });
  const loss = (p, x, y) => {
    const rows = y.size;
    const logits = model === "gpt" ? gpt(p, x, size) : cnn(p, x);
    return nn.logSoftmax(logits).mul(nn.oneHot(y, classes)).sum().div(-rows);
  };
  /** `corrected` is the learning rate with both of Adam's corrections. */
  const step = jit((p, m, v, x, y, corrected) => {
    const [value, gradient] = valueAndGrad(loss)(tree.ref(p), x, y);
    const next = { p: {}, m: {}, v: {} };
    for (const name of Object.keys(p)) {
      const g = gradient[name];
      const mean = m[name].mul(beta_1).add(g.ref.mul(1 - beta_1));
      const square = v[name].mul(beta_2).add(g.ref.mul(g).mul(1 - beta_2));
      const change = mean.ref.mul(corrected.ref).div(np.sqrt(square.ref).add(epsilon));
      next.m[name] = mean;
      next.v[name] = square;
      next.p[name] = p[name].mul(1 - rate * decay).sub(change);
    }
    corrected.dispose();
    return { ...next, value };
  });
  let taken = 0;
  return async (steps) => {
    const losses = [];
    for (let k = 0; k < steps; k++) {
      const { x, y } = batches[taken++ % count];
      const corrected = (rate * Math.sqrt(1 - beta_2 ** taken)) / (1 - beta_1 ** taken);
      const next = step(p, m, v, x.ref, y.ref, np.array(new Float32Array([corrected]), { device }).reshape([]));
      ({ p, m, v } = next);
      losses.push(next.value);
      // It dispatches as it goes; to wait now and then is what its manual recommends.
      await blockUntilReady(next.value);
    }
    await blockUntilReady(p);
    return Promise.all(losses.map(async (value) => (await value.data())[0]));
  };
}

function predicting({ batch }, given, device) {
  const p = arrays(given, device);
  const inputs = batchOf(given.x, batch, 0);
  const forward = jit((p, x) => nn.softmax(cnn(p, x)));
  return async (times) => {
    let values;
    for (let k = 0; k < times; k++) values = await forward(tree.ref(p), np.array(inputs.slice(), { device }).reshape([batch, 28, 28, 1])).data();
    return values;
  };
}

/** A convolution of the same size: its own, with channels first, is fast on WebGPU alone. */
function chain({ op }, { x, kernel }, device) {
  const [from, by] = [x, kernel].map(({ values, shape }) => np.array(values, { device }).reshape(shape));
  const own = op === "conv" && device === "webgpu";
  const input = own ? from.transpose([0, 3, 1, 2]) : from;
  const factor = own ? by.transpose([3, 2, 0, 1]) : by;
  const link = jit(
    op === "product" ? np.matmul
    : own ? (x, by) => lax.convGeneralDilated(x, by, [1, 1], "SAME")
    : (x, by) => convolution(np.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), by),
  );
  return async (times, links) => {
    let values;
    for (let k = 0; k < times; k++) {
      let outputs = input.ref;
      for (let l = 0; l <= links; l++) outputs = link(outputs, factor.ref);
      values = await (own ? outputs.transpose([0, 2, 3, 1]) : outputs).data();
    }
    return values;
  };
}

host(async (workload, { backend, threads }, given) => {
  // It starts as many workers as it believes there are cores.
  if (threads) Object.defineProperty(navigator, "hardwareConcurrency", { value: threads, configurable: true });
  if (!(await init(backend)).includes(backend)) throw new Error(`the backend ${backend} did not start`);
  defaultDevice(backend);
  const run = await { train: training, predict: predicting, chain }[workload.kind](workload, given, backend);
  return { run, close: () => undefined };
});
