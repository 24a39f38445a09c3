// Accuracy on all of MNIST, in a real browser. Keras on the same data: best 0.988, last 0.9845 of one seed.

import assert from "node:assert/strict";
import { engineTest, worst } from "./engine.mjs";

const MINUTES = 60_000;

/** Trains `mnist-cnn` for five epochs from three seeds with each optimizer, two sessions at a time. Gives the test accuracies by epoch. */
const fiveEpochs = async ({ gradscope, optimizers }) => {
  const queue = Object.entries(optimizers).flatMap(([name, optimizer]) => [1, 2, 3].map((seed) => ({ name, optimizer, seed })));
  const results = {};
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const session = await gradscope.createSession({ model: "mnist-cnn", backend: "cpu", seed: next.seed, optimizer: next.optimizer });
      const accuracies = [];
      session.on("epoch", ({ test }) => accuracies.push(test.accuracy));
      await session.train({ epochs: 5, evaluate: true });
      console.info(`${next.name}, seed ${next.seed}: ${accuracies.map((a) => a.toFixed(4)).join(" ")}`);
      (results[next.name] ??= []).push(accuracies);
      await session.dispose();
    }
  };
  await Promise.all([work(), work()]);
  return results;
};

const mean = (values) => values.reduce((a, b) => a + b) / values.length;
const lastOf = (runs) => mean(runs.map((run) => run.at(-1)));

engineTest(
  "mnist-cnn, five epochs, three seeds: Adam 1e-3, and Adam with a cosine schedule to zero",
  { timeout: 60 * MINUTES },
  {
    optimizers: {
      constant: { type: "Adam", learning_rate: 0.001 },
      cosine: { type: "Adam", learning_rate: { type: "CosineDecay", initial_learning_rate: 0.001, decay_steps: 5 * 938 } },
    },
  },
  fiveEpochs,
  ({ constant, cosine }) => {
    for (const run of [...constant, ...cosine]) assert.equal(run.length, 5);
    console.log(`    mean of the last: constant ${lastOf(constant).toFixed(4)}, cosine ${lastOf(cosine).toFixed(4)}`);
    for (const run of constant) assert.ok(Math.max(...run) >= 0.987, `best ${Math.max(...run)}`);
    assert.ok(lastOf(constant) >= 0.985, `constant: mean of the last ${lastOf(constant)}`);
    assert.ok(lastOf(cosine) >= 0.99, `cosine: mean of the last ${lastOf(cosine)}`);
  },
);

// A seed whose run does not part from the CPU's by a rounding at a kink: `training.test.mjs` says more.
engineTest(
  "mnist-cnn on WebGPU: as on the CPU for 20 steps, and accurate after 30,000 images",
  { timeout: 40 * MINUTES },
  {},
  async ({ gradscope }) => {
    const open = (backend) => gradscope.createSession({ model: "mnist-cnn", backend, seed: 4 });
    const [cpu, webgpu] = [await open("cpu"), await open("webgpu")];
    const { losses, msPerStep } = await webgpu.train({ steps: 469 });
    const { accuracy } = await webgpu.evaluate("test");
    const beginning = { cpu: [...(await cpu.train({ steps: 20 })).losses], webgpu: [...losses].slice(0, 20) };
    await Promise.all([cpu.dispose(), webgpu.dispose()]);
    return { accuracy, beginning, msPerStep };
  },
  ({ accuracy, beginning, msPerStep }) => {
    const difference = worst(beginning.cpu, beginning.webgpu);
    console.log(`    test accuracy ${accuracy.toFixed(4)}, ${msPerStep.toFixed(0)} ms a step, 20 steps within ${difference.toExponential(2)} of the CPU's`);
    assert.ok(difference <= 1e-3, `the first 20 losses differ by ${difference}`);
    assert.ok(accuracy >= 0.97, `accuracy ${accuracy}`);
  },
);
