// Training through the package: both backends agree, a seed repeats, a snapshot takes up where it was.

import assert from "node:assert/strict";
import { engineTest, median, worst } from "./engine.mjs";

// Of two free runs one in a few parts (here that of seed 1): an activation comes so near to 0, or two of a window so near to each other, that rounding decides
// which way the gradient goes, and Adam makes a whole step of the least gradient. Until then the curves must agree to the last digits, and most must to the end;
// and from equal weights each step must, forward, backward and update, of a run that parts as well.
engineTest(
  "mnist-cnn: 20 steps agree on the CPU and on WebGPU, run freely and step by step",
  { timeout: 600_000 },
  { seeds: [4, 5, 6], parting: 1 },
  async ({ gradscope, seeds, parting }) => {
    const open = (backend, seed) => gradscope.createSession({ model: "mnist-cnn", backend, seed });
    const losses = async (session, steps) => [...(await session.train({ steps })).losses];
    const free = [];
    for (const seed of seeds) {
      const curves = {};
      for (const backend of ["cpu", "webgpu"]) {
        const session = await open(backend, seed);
        curves[backend] = { losses: await losses(session, 20), info: session.info };
        await session.dispose();
      }
      free.push(curves);
    }
    const [cpu, webgpu] = [await open("cpu", parting), await open("webgpu", parting)];
    const stepwise = { cpu: [], webgpu: [] };
    for (let step = 0; step < 20; step++) {
      const snapshot = await cpu.snapshot();
      await webgpu.restore(snapshot);
      stepwise.webgpu.push(...(await losses(webgpu, 2)));
      stepwise.cpu.push(...(await losses(cpu, 2)));
      await cpu.restore(snapshot);
      await losses(cpu, 1);
    }
    await Promise.all([cpu.dispose(), webgpu.dispose()]);
    return { free, stepwise };
  },
  ({ free, stepwise }) => {
    for (const { cpu, webgpu } of free) {
      assert.equal(webgpu.info.backend, "webgpu");
      assert.equal(cpu.info.backend, "cpu");
      assert.equal(cpu.info.parameterCount, 93_322);
      assert.equal(cpu.losses.length, 20);
      assert.ok(webgpu.info.dispatchesPerStep <= 20, `${webgpu.info.dispatchesPerStep} dispatches`);
      assert.ok(cpu.losses[19] < 0.7 * cpu.losses[0]);
      const beginning = worst(cpu.losses.slice(0, 4), webgpu.losses.slice(0, 4));
      assert.ok(beginning <= 1e-5, `curves differ by ${beginning} from the beginning`);
    }
    assert.equal(stepwise.cpu.length, 40);
    const steps = worst(stepwise.cpu, stepwise.webgpu);
    const differences = free.map(({ cpu, webgpu }) => worst(cpu.losses, webgpu.losses));
    console.log(`    worst relative differences: free ${differences.map((difference) => difference.toExponential(2)).join(", ")}, step by step ${steps.toExponential(2)}; dispatches a step ${free[0].webgpu.info.dispatchesPerStep}`);
    assert.ok(steps <= 1e-5, `a step from equal weights differs by ${steps}`);
    assert.ok(median(differences) <= 1e-3, `curves differ by ${differences}`);
  },
);

engineTest(
  "the same seed gives the same bits, another does not; a reset begins anew",
  {},
  {},
  async ({ gradscope }) => {
    const run = async (seed) => {
      const session = await gradscope.createSession({ model: "mnist-cnn-small", backend: "cpu", seed });
      const first = [...(await session.train({ steps: 12 })).losses];
      await session.reset();
      const again = [...(await session.train({ steps: 12 })).losses];
      await session.dispose();
      return { first, again };
    };
    return { a: await run(5), b: await run(5), c: await run(6) };
  },
  ({ a, b, c }) => {
    assert.deepEqual(a.first, b.first);
    assert.deepEqual(a.first, a.again);
    assert.notDeepEqual(a.first, c.first);
  },
);

for (const backend of ["cpu", "webgpu"]) {
  engineTest(
    `a snapshot takes up where it was, on ${backend}`,
    { timeout: 300_000 },
    { backend },
    async ({ gradscope, backend }) => {
      const model = { input: [28, 28, 1], layers: [{ type: "Conv2D", filters: 4, kernel_size: 3, activation: "relu" }, { type: "MaxPooling2D" }, { type: "Flatten" }, { type: "Dropout", rate: 0.3 }, { type: "Dense", units: 10, activation: "softmax" }] };
      const session = await gradscope.createSession({ model, data: "mnist", backend, seed: 3, batchSize: 16 });
      await session.train({ steps: 7 });
      const snapshot = await session.snapshot();
      const first = [...(await session.train({ steps: 7 })).losses];
      await session.restore(snapshot);
      const again = [...(await session.train({ steps: 7 })).losses];
      await session.dispose();
      return { first, again };
    },
    ({ first, again }) => assert.deepEqual(first, again),
  );
}

engineTest(
  "training can be stopped and taken up, changed while it runs, and evaluated",
  { timeout: 300_000 },
  {},
  async ({ gradscope }) => {
    const session = await gradscope.createSession({ model: "mnist-cnn-small", backend: "cpu", seed: 2 });
    const stop = new AbortController();
    let events = 0;
    const rates = [];
    const running = session.train({
      epochs: 1,
      signal: stop.signal,
      onProgress: (progress) => {
        events += 1;
        rates.push(progress.learningRate);
        if (events === 2) session.setHyper({ learningRate: 0.0005 });
        if (events === 6) stop.abort();
      },
    });
    const early = await session.predict(new Float32Array(784)).then((output) => output.length);
    const { steps, stopped, losses } = await running;
    const more = await session.train({ steps: 3 });
    const order = [];
    const evaluated = session.evaluate("test").finally(() => order.push("evaluated"));
    await session.predict(new Float32Array(784)).then(() => order.push("predicted"));
    const test = await evaluated;
    const validation = await session.evaluate("validation");
    const kernel = await session.getParameter("conv2d.kernel");
    const read = await session.read("conv2d", { gradient: true });
    const info = session.info;
    const nodes = (await session.nodes()).length;
    const parameters = await session.parameters();
    await session.dispose();
    return { events, rates, order, early, steps, stopped, losses: losses.length, more: more.losses.length, test, validation, kernel: kernel.length, shape: read.shape, info, nodes, parameters };
  },
  (result) => {
    assert.equal(result.early, 10, "a prediction answers while training runs");
    assert.ok(result.stopped && result.steps === result.losses && result.steps > 6);
    assert.ok(Math.abs(result.rates.at(-1) - 0.0005) < 1e-9, `learning rate ${result.rates.at(-1)}`);
    assert.equal(result.more, 3);
    assert.deepEqual(result.order, ["predicted", "evaluated"], "a prediction waits for no evaluation");
    assert.equal(result.info.validationExamples, 12_000);
    assert.equal(result.info.trainingExamples, 48_000);
    assert.equal(result.test.confusion.flat().reduce((a, b) => a + b), 10_000);
    assert.equal(result.validation.confusion.flat().reduce((a, b) => a + b), 12_000);
    const right = result.test.confusion.reduce((sum, row, i) => sum + row[i], 0);
    assert.ok(Math.abs(right / 10_000 - result.test.accuracy) < 1e-6);
    assert.ok(result.test.accuracy > 0.5 && result.test.misclassified.length > 0);
    assert.equal(result.kernel, 3 * 3 * 32);
    assert.deepEqual(result.shape.slice(1), [26, 26, 32]);
    assert.ok(result.nodes > 40);
    assert.deepEqual(result.parameters.map(({ name }) => name), ["conv2d.kernel", "conv2d.bias", "dense.kernel", "dense.bias", "dense_1.kernel", "dense_1.bias"]);
  },
);
