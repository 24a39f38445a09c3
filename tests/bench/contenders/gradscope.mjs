// Gradscope, through its public API. A `chain` is a prediction by a model of that many layers without biases and activations: a bias-free `Dense` is the product, a
// bias-free `Conv2D` the convolution, and what copying and calling cost comes off with the chain of one. On WebGPU the dispatches of a prediction are in one submission.

import { configure, createSession, presets } from "/pkg/gradscope.js";
import { cnn, gpt } from "../../../www/src/bench/models.ts";
import { batchOf, host } from "./host.mjs";

configure({ worker: new URL("/pkg/worker.js", location.href), data: new URL("/data/", location.href) });

const logits = { type: "sparse_categorical_crossentropy", from_logits: true };

/** What a session of the workload is to be. */
async function optionsOf({ model, optimizer, scale, gpt: size }) {
  if (model === "cnn") return { model: cnn(scale), optimizer: { type: "Adam", ...optimizer }, loss: "sparse_categorical_crossentropy" };
  if (model === "gpt") return { model: gpt(size), optimizer: { type: "AdamW", ...optimizer }, loss: logits };
  const { model: spec, optimizer: of, loss } = (await presets()).find(({ name }) => name === model);
  return { model: spec, optimizer: of, loss };
}

const session = async (workload, { backend, threads = 1 }, given) => {
  const { x, y } = given;
  const options = { ...(await optionsOf(workload)), data: { x: x.values, y: y.values, shape: x.shape }, batchSize: workload.batch, seed: 1, backend, workers: threads };
  const opened = await createSession(options);
  for (const { name } of await opened.parameters()) if (given[name]) await opened.setParameter(name, given[name].values);
  return opened;
};

/** Predictions by `length` equal layers. The rows of a matrix are positions of one example, since examples may be taken a part at a time. */
async function chain({ op, size }, { backend, threads = 1 }, { x, kernel }, length) {
  const width = size.at(-1);
  const isProduct = op === "product";
  const layer = isProduct ? { type: "Dense", units: width, use_bias: false } : { type: "Conv2D", filters: width, kernel_size: 3, padding: "same", use_bias: false };
  const input = isProduct ? size : size.slice(1);
  // It is not trained, but without data there would be no session.
  const nothing = new Float32Array(input.reduce((a, b) => a * b));
  const data = { x: nothing, y: nothing, shape: [1, ...input] };
  const model = { input, layers: Array(length).fill(layer) };
  const opened = await createSession({ model, data, batchSize: 1, loss: "mean_squared_error", backend, workers: threads });
  for (const { name } of await opened.parameters()) await opened.setParameter(name, kernel.values);
  return { predict: () => opened.predict(x.values), close: () => opened.dispose() };
}

const repeat = async (times, work) => {
  let result;
  for (let k = 0; k < times; k++) result = await work();
  return result;
};

host(async (workload, variant, given) => {
  if (workload.kind === "chain") {
    const chains = { 0: await chain(workload, variant, given, 1), [workload.links]: await chain(workload, variant, given, 1 + workload.links) };
    return { run: (times, links) => repeat(times, chains[links].predict), close: () => Promise.all(Object.values(chains).map(({ close }) => close())) };
  }
  const opened = await session(workload, variant, { y: { values: new Float32Array(workload.batch) }, ...given });
  const x = batchOf(given.x, workload.batch, 0);
  return {
    run: workload.kind === "predict"
      ? (times) => repeat(times, () => opened.predict(x))
      : async (steps) => (steps > 0 ? (await opened.train({ steps, shuffle: false })).losses : []),
    facts: () => {
      const { adapter, workers, parameterCount, dispatchesPerStep, flopsPerStep } = opened.info;
      return { adapter, workers, parameters: parameterCount, dispatchesPerStep, flopsPerStep };
    },
    async weights() {
      const named = await Promise.all((await opened.parameters()).map(async ({ name, shape }) => [name, { shape, values: await opened.getParameter(name) }]));
      return Object.fromEntries(named);
    },
    close: () => opened.dispose(),
  };
});
