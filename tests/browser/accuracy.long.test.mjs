// Accuracy on all of MNIST, in a real browser. Keras on the same data: best 0.988, last 0.9845 of one seed.

import assert from "node:assert/strict";
import { engineTest } from "./engine.mjs";

const MINUTES = 60_000;

/** Trains `mnist-cnn` for five epochs from each seed, two sessions at a time. Returns the test accuracies by seed and epoch. */
const fiveEpochs = async ({ gradscope, seeds, optimizer }) => {
  const queue = [...seeds];
  const results = {};
  const work = async () => {
    for (let seed = queue.shift(); seed !== undefined; seed = queue.shift()) {
      const session = await gradscope.createSession({ model: "mnist-cnn", backend: "cpu", seed, optimizer });
      const accuracies = [];
      session.on("epoch", ({ test }) => accuracies.push(test.accuracy));
      await session.train({ epochs: 5, evaluate: true });
      console.info(`seed ${seed}: ${accuracies.map((a) => a.toFixed(4)).join(" ")}`);
      results[seed] = accuracies;
      await session.dispose();
    }
  };
  await Promise.all([work(), work()]);
  return seeds.map((seed) => results[seed]);
};

const mean = (values) => values.reduce((a, b) => a + b) / values.length;

engineTest(
  "mnist-cnn, Adam 1e-3, five epochs, three seeds",
  { timeout: 40 * MINUTES },
  { seeds: [1, 2, 3], optimizer: { type: "Adam", learning_rate: 0.001 } },
  fiveEpochs,
  (runs) => {
    for (const run of runs) {
      assert.equal(run.length, 5);
      assert.ok(Math.max(...run) >= 0.987, `best ${Math.max(...run)}`);
    }
    const last = mean(runs.map((run) => run.at(-1)));
    console.log(`    mean of the last ${last.toFixed(4)}`);
    assert.ok(last >= 0.985, `mean of the last ${last}`);
  },
);

engineTest(
  "mnist-cnn with a cosine schedule to zero, five epochs, three seeds",
  { timeout: 40 * MINUTES },
  { seeds: [1, 2, 3], optimizer: { type: "Adam", learning_rate: { type: "CosineDecay", initial_learning_rate: 0.001, decay_steps: 5 * 938 } } },
  fiveEpochs,
  (runs) => {
    const last = mean(runs.map((run) => run.at(-1)));
    console.log(`    mean of the last ${last.toFixed(4)}`);
    assert.ok(last >= 0.99, `mean of the last ${last}`);
  },
);

engineTest(
  "mnist-cnn on WebGPU after 30,000 images",
  { timeout: 40 * MINUTES },
  {},
  async ({ gradscope }) => {
    const session = await gradscope.createSession({ model: "mnist-cnn", backend: "webgpu", seed: 1 });
    const { msPerStep } = await session.train({ steps: 469 });
    const { accuracy } = await session.evaluate("test");
    await session.dispose();
    return { accuracy, msPerStep };
  },
  ({ accuracy, msPerStep }) => {
    console.log(`    test accuracy ${accuracy.toFixed(4)}, ${msPerStep.toFixed(0)} ms a step`);
    assert.ok(accuracy >= 0.97, `accuracy ${accuracy}`);
  },
);
