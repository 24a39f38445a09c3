// The stepper's engine in Chromium: a whole step of mnist-cnn op by op, compared with plain JavaScript, on both backends; and how long an op takes.

import assert from "node:assert/strict";
import { engineTest, median } from "./engine.mjs";
import { thereAndBack } from "./there-and-back.mjs";

/** Walks one example forward, backward and back again. Values are computed apart, in doubles, from the weights and the pixels alone. */
const walkThrough = async ({ gradscope, backend, steps }) => {
  const session = await gradscope.createSession({ model: "mnist-cnn", backend, seed: 5 });
  await session.train({ steps });
  const weights = {};
  for (const { name } of await session.parameters()) weights[name] = await session.getParameter(name);
  const { x, labels } = await session.examples("test", [3]);

  const convolve = (input, h, w, c, kernel, bias, out) => {
    const [rows, cols] = [h - 2, w - 2];
    const result = new Float64Array(rows * cols * out);
    for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) for (let o = 0; o < out; o++) {
      let sum = bias[o];
      for (let p = 0; p < 3; p++) for (let q = 0; q < 3; q++) for (let k = 0; k < c; k++) {
        sum += input[((i + p) * w + j + q) * c + k] * kernel[((p * 3 + q) * c + k) * out + o];
      }
      result[(i * cols + j) * out + o] = Math.max(0, sum);
    }
    return result;
  };
  const pool = (input, h, w, c) => {
    const [rows, cols] = [h >> 1, w >> 1];
    return Float64Array.from({ length: rows * cols * c }, (_, at) => {
      const [i, j, k] = [Math.floor(at / (cols * c)), Math.floor(at / c) % cols, at % c];
      return Math.max(...[0, 1, 2, 3].map((t) => input[((2 * i + (t >> 1)) * w + 2 * j + (t & 1)) * c + k]));
    });
  };
  const dense = (input, kernel, bias) => Float64Array.from(bias, (b, o) => input.reduce((sum, value, i) => sum + value * kernel[i * bias.length + o], b));
  const apart = { conv2d: convolve(x, 28, 28, 1, weights["conv2d.kernel"], weights["conv2d.bias"], 32) };
  apart.max_pooling2d = pool(apart.conv2d, 26, 26, 32);
  apart.conv2d_1 = convolve(apart.max_pooling2d, 13, 13, 32, weights["conv2d_1.kernel"], weights["conv2d_1.bias"], 64);
  apart.max_pooling2d_1 = pool(apart.conv2d_1, 11, 11, 64);
  apart.conv2d_2 = convolve(apart.max_pooling2d_1, 5, 5, 64, weights["conv2d_2.kernel"], weights["conv2d_2.bias"], 64);
  apart.dense = dense(apart.conv2d_2, weights["dense.kernel"], weights["dense.bias"]).map((value) => Math.max(0, value));
  const logits = dense(apart.dense, weights["dense_1.kernel"], weights["dense_1.bias"]);
  const exps = logits.map((z) => Math.exp(z - Math.max(...logits)));
  const total = exps.reduce((a, b) => a + b);
  apart.dense_1 = exps.map((e) => e / total);
  const loss = -Math.log(apart.dense_1[labels[0]]);
  // The gradient of the last layer: (p - y) on its bias, and times its input on its kernel.
  const delta = apart.dense_1.map((p, k) => p - (k === labels[0] ? 1 : 0));
  const gradients = {
    "dense_1.bias": delta,
    "dense_1.kernel": Float64Array.from({ length: 640 }, (_, at) => apart.dense[Math.floor(at / 10)] * delta[at % 10]),
  };

  const walk = await session.walk({ type: "example", split: "test", index: 3 });
  const { info } = walk;
  const times = [];
  for (let cursor = 1; cursor <= info.ops.length; cursor++) {
    const begun = performance.now();
    await walk.to(cursor);
    const node = info.ops[cursor - 1];
    await walk.read([{ node }]);
    await walk.explain(node, 0);
    times.push(performance.now() - begun);
  }
  let worst = 0;
  const compare = (name, got, want) => {
    const scale = want.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
    for (let k = 0; k < 20; k++) {
      const at = Math.floor(((k * 0.618) % 1) * want.length);
      worst = Math.max(worst, Math.abs(got[at] - want[at]) / scale);
    }
  };
  for (const layer of info.layers.filter(({ name }) => apart[name])) {
    const [{ data }] = await walk.read([{ node: layer.output, example: 0 }]);
    compare(layer.name, data, apart[layer.name]);
  }
  for (const [name, want] of Object.entries(gradients)) {
    const leaf = info.nodes.find(({ variable }) => variable === name);
    const [{ data }] = await walk.read([{ node: leaf.gradient }]);
    compare(name, data, want);
  }
  const end = walk.info.state.loss;
  // Back to the first op: nothing later is there any more; and on again: the same numbers.
  await walk.to(1);
  const hidden = await walk.read([{ node: info.output }]).then(() => "shown", ({ code }) => code);
  const again = (await walk.to(info.ops.length)).loss;
  const nudge = await walk.nudge(info.nodes.findIndex(({ variable }) => variable === "dense_1.kernel"), 7);
  await walk.close();
  const after = await session.getParameter("conv2d.kernel");
  const same = after.every((value, i) => value === weights["conv2d.kernel"][i]);
  await session.dispose();
  return { worst, loss, end, again, hidden, times, ops: info.ops.length, nudge, same };
};

for (const backend of ["cpu", "webgpu"]) {
  engineTest(
    `a whole step of mnist-cnn, op by op, on ${backend}`,
    { timeout: 600_000 },
    { backend, steps: backend === "cpu" ? 30 : 1 },
    walkThrough,
    ({ worst, loss, end, again, hidden, times, ops, nudge, same }) => {
      console.log(`    ${ops} ops, worst difference ${worst.toExponential(1)}; an op with its value and an explanation takes ${median(times).toFixed(1)} ms (median), ${Math.max(...times).toFixed(0)} at most`);
      assert.ok(worst < 1e-4, `a value differs by ${worst}`);
      assert.ok(Math.abs(loss - end) < 1e-4 * loss, `the loss is ${end}, and ${loss} computed apart`);
      assert.equal(again, end);
      assert.equal(hidden, "wrong_state");
      assert.ok(same, "the walk left its traces");
      assert.ok(Math.abs(nudge.gradient - nudge.slope) <= 0.01 * Math.abs(nudge.slope) + 1e-7, JSON.stringify(nudge));
      if (backend === "cpu") assert.ok(median(times) <= 50, `an op takes ${median(times)} ms`);
    },
  );
}

/** A convolution, dropout and a dense layer: small enough for a software GPU. */
const SMALL = {
  input: [28, 28, 1],
  layers: [{ type: "Conv2D", filters: 8, kernel_size: 3, activation: "relu" }, { type: "MaxPooling2D" }, { type: "Flatten" }, { type: "Dropout", rate: 0.3 }, { type: "Dense", units: 10, activation: "softmax" }],
};

thereAndBack({ backend: "cpu", model: "mnist-cnn-small" });
thereAndBack({ backend: "cpu", model: SMALL, data: "mnist", batchSize: 16 });
thereAndBack({ backend: "webgpu", model: SMALL, data: "mnist", batchSize: 16 });
