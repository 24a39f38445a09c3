// Bad input through the package: each is refused with a typed error that names what and where; the session goes on, nothing panics.

import assert from "node:assert/strict";
import { engineTest } from "./engine.mjs";

const dense = (units, more = {}) => ({ type: "Dense", units, activation: "softmax", ...more });
const conv = (kernel_size, more = {}) => ({ type: "Conv2D", filters: 4, kernel_size, ...more });
const model = (...layers) => ({ input: [28, 28, 1], layers: [...layers, { type: "Flatten" }, dense(10)] });

const CASES = [
  ["an unknown layer", { model: model({ type: "Conv4D", filters: 3 }) }, "unknown_layer", /layers\[0\]/],
  ["an unknown key", { model: model(conv(3, { kernal: 3 })) }, "unknown_key", /layers\[0\]/],
  ["a kernel larger than its input", { model: model(conv(31)) }, "window_too_large", /conv2d/],
  ["a later kernel larger than its input", { model: model(conv(20), conv(11)) }, "window_too_large", /conv2d_1/],
  ["no units", { model: model(dense(0)) }, "bad_value", /layers\[0\]|dense/],
  ["a batch of zero", { batchSize: 0 }, "bad_value", undefined],
  ["a huge batch", { batchSize: 1e9 }, "bad_value", undefined],
  ["a NaN learning rate", { optimizer: { type: "Adam", learning_rate: NaN } }, "bad_value|bad_spec", undefined],
  ["a negative learning rate", { optimizer: { type: "SGD", learning_rate: -0.1 } }, "bad_value", undefined],
  ["an unknown optimizer", { optimizer: { type: "Adamant" } }, "unknown_name|bad_spec|bad_value", undefined],
  ["an unknown data set", { data: "imagenet" }, "unknown_name", undefined],
  ["labels out of range", { data: { x: new Float32Array(4 * 784), y: Float32Array.of(0, 1, 2, 10), shape: [4, 28, 28, 1] } }, "label_out_of_range", undefined],
  ["more labels than images", { data: { x: new Float32Array(4 * 784), y: Float32Array.of(0, 1, 2, 3, 4), shape: [4, 28, 28, 1] } }, "count_mismatch", undefined],
  ["too few pixels", { data: { x: new Float32Array(99), y: Float32Array.of(0, 1, 2, 3), shape: [4, 28, 28, 1] } }, "wrong_length", undefined],
  ["images of another size than the model's input", { data: { x: new Float32Array(4 * 64), y: Float32Array.of(0, 1, 2, 3), shape: [4, 8, 8, 1] } }, "shape_mismatch", undefined],
  ["a test part of everything", { data: { x: new Float32Array(4 * 784), y: Float32Array.of(0, 1, 2, 3), shape: [4, 28, 28, 1], testExamples: 4 } }, "bad_value", /testExamples/],
  ["more documents than labels", { data: { texts: ["one", "two"], labels: [0], classes: ["a", "b"] } }, "count_mismatch", /data/],
  ["an unknown preset", { model: "mnist-cmn" }, "unknown_name", undefined],
];

for (const [name, options, code, where] of CASES) {
  engineTest(
    `refused: ${name}`,
    {},
    { options: { model: model(conv(3)), data: "mnist", backend: "cpu", batchSize: 16, ...options } },
    async ({ gradscope, options }) => {
      try {
        const session = await gradscope.createSession(options);
        await session.dispose();
        return undefined;
      } catch (error) {
        return { typed: error instanceof gradscope.GradscopeError, code: error.code, message: error.message, where: error.where };
      }
    },
    (error, { problems }) => {
      assert.ok(error, "it was taken");
      assert.ok(error.typed, `not a typed error: ${error.message}`);
      assert.match(error.code, new RegExp(`^(${code})$`), error.message);
      if (where) assert.match(error.where ?? "", where);
      // The browser itself logs a file that the server does not have.
      problems.splice(0, problems.length, ...problems.filter((problem) => !/404/.test(problem)));
    },
  );
}

engineTest(
  "refused: a data set that is not installed",
  {},
  {},
  async ({ gradscope }) => {
    // A server without data sets.
    gradscope.configure({ data: new URL("/tests/", location.href) });
    return gradscope.createSession({ model: "mnist-cnn" }).then(() => undefined, ({ code, args }) => ({ code, args }));
  },
  (error, { problems }) => {
    assert.equal(error?.code, "dataset_missing");
    assert.equal(error.args.name, "mnist");
    problems.splice(0, problems.length, ...problems.filter((problem) => !/404/.test(problem)));
  },
);

engineTest(
  "a batch that no memory can hold is refused, and the engine goes on",
  { timeout: 300_000 },
  {},
  async ({ gradscope }) => {
    const wide = { input: [28, 28, 1], layers: [{ type: "Conv2D", filters: 512, kernel_size: 3, padding: "same" }, { type: "Flatten" }, { type: "Dense", units: 10, activation: "softmax" }] };
    const refused = await gradscope.createSession({ model: wide, data: "mnist", backend: "cpu", batchSize: 8192 }).then(() => undefined, ({ code, args }) => ({ code, args }));
    const onGpu = await gradscope.createSession({ model: wide, data: "mnist", backend: "webgpu", batchSize: 1300 }).then(() => undefined, ({ code, where, args }) => ({ code, where, args }));
    const session = await gradscope.createSession({ model: "mnist-cnn-small", backend: "cpu" });
    const { losses } = await session.train({ steps: 2 });
    await session.dispose();
    return { refused, onGpu, losses: losses.length };
  },
  ({ refused, onGpu, losses }) => {
    assert.equal(refused?.code, "out_of_memory");
    assert.ok(Number(refused.args.bytes) > 1e9);
    assert.equal(onGpu?.code, "buffer_too_large");
    assert.match(onGpu.where, /^conv2d/);
    assert.ok(Number(onGpu.args.bytes) > Number(onGpu.args.most_bytes) && Number(onGpu.args.most_bytes) >= 2 ** 27, JSON.stringify(onGpu.args));
    assert.equal(onGpu.args.batch, "1300");
    assert.equal(losses, 2);
  },
);

engineTest(
  "a loss that is no number stops the run at its step, and the weights before it can be had again",
  {},
  {},
  async ({ gradscope }) => {
    const session = await gradscope.createSession({ model: "mnist-cnn-small", backend: "cpu", optimizer: { type: "SGD", learning_rate: 0.01 } });
    await session.train({ steps: 2 });
    const snapshot = await session.snapshot();
    await session.setHyper({ learningRate: 1e30 });
    const error = await session.train({ steps: 20 }).then(() => undefined, ({ code, args }) => ({ code, args }));
    await session.restore(snapshot);
    await session.setHyper({ learningRate: 0.01 });
    const { losses } = await session.train({ steps: 2 });
    const refused = await session.setHyper({ learningRate: -1 }).then(() => undefined, ({ code }) => code);
    const misspelt = await session.setHyper({ learningRate: 0.1, momentun: 0.9 }).then(() => undefined, ({ code, args }) => [code, args.got]);
    await session.dispose();
    return { error, losses: [...losses], refused, misspelt };
  },
  ({ error, losses, refused, misspelt }) => {
    assert.equal(error?.code, "not_finite");
    assert.ok(Number(error.args.step) >= 3 && Number(error.args.step) <= 22, error.args.step);
    assert.ok(losses.every(Number.isFinite));
    assert.equal(refused, "bad_value");
    assert.deepEqual(misspelt, ["unknown_key", "momentun"]);
  },
);

engineTest(
  "a worker that dies rejects what is pending with a typed error",
  {},
  {},
  async ({ gradscope }) => {
    // The worker is ended from outside, as a browser short of memory does.
    const Native = globalThis.Worker;
    let last;
    globalThis.Worker = class extends Native {
      constructor(...given) {
        super(...given);
        last = this;
      }
    };
    const session = await gradscope.createSession({ model: "mnist-cnn-small", backend: "cpu" });
    const running = session.train({ epochs: 1 }).then(() => undefined, ({ code }) => code);
    last.dispatchEvent(new ErrorEvent("error", { message: "ended by the test" }));
    return running;
  },
  (code) => assert.equal(code, "worker_died"),
);
