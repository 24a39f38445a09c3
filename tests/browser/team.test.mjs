// Several workers that train one model on the CPU, over shared memory.

import assert from "node:assert/strict";
import { engineTest, worst } from "./engine.mjs";

engineTest(
  "two and three workers train mnist-cnn as one does, the same bits each time",
  { timeout: 300_000 },
  {},
  async ({ gradscope }) => {
    // Sums of the same numbers in another order differ by a rounding. Sooner or later one decides at a kink (with seed 1 in the sixth step), and
    // from there on the curves go apart a little.
    const run = async (workers) => {
      const session = await gradscope.createSession({ model: "mnist-cnn", backend: "cpu", seed: 2, workers });
      const losses = [...(await session.train({ steps: 15 })).losses];
      // What is changed by hand between two runs reaches every worker.
      const snapshot = await session.snapshot();
      await session.setParameter("dense.bias", new Float32Array(64).fill(0.1));
      await session.setHyper({ learningRate: 2e-3 });
      losses.push(...(await session.train({ steps: 10 })).losses);
      await session.restore(snapshot);
      const again = [...(await session.train({ steps: 10 })).losses];
      const result = { losses, again, workers: session.info.workers, bias: [...(await session.getParameter("dense_1.bias"))] };
      await session.dispose();
      return result;
    };
    return { one: await run(1), two: await run(2), twoAgain: await run(2), three: await run(3) };
  },
  ({ one, two, twoAgain, three }) => {
    assert.deepEqual([one.workers, two.workers, three.workers], [1, 2, 3]);
    assert.deepEqual(two, twoAgain);
    const differ = (of, begin, end) => worst([...one.losses, ...one.again].slice(begin, end), [...of.losses, ...of.again].slice(begin, end));
    for (const [of, name] of [[two, "two"], [three, "three"]]) {
      const [first, later] = [differ(of, 0, 15), differ(of, 15)];
      console.log(`    ${name} against one: ${first.toExponential(1)} in the first steps, ${later.toExponential(1)} later`);
      assert.ok(first <= 1e-4 && later <= 1e-2, `${first}, ${later}`);
    }
  },
);

engineTest(
  "a worker that dies: the others' step is not lost, and the first one trains on alone",
  { timeout: 120_000 },
  {},
  async ({ gradscope }) => {
    const made = [];
    const Worker = self.Worker;
    self.Worker = class extends Worker {
      constructor(...given) {
        super(...given);
        made.push(this);
      }
    };
    const session = await gradscope.createSession({ model: "mnist-cnn-small", backend: "cpu", seed: 1, workers: 2 });
    const lost = new Promise((resolve) => session.on("workersLost", resolve));
    let told = 0;
    const training = session.train({
      steps: 200,
      onProgress: () => {
        if (++told === 2) made[1].dispatchEvent(new ErrorEvent("error", { message: "it ran out of memory", cancelable: true }));
      },
    });
    const { losses } = await training;
    const event = await lost;
    const alone = await gradscope.createSession({ model: "mnist-cnn-small", backend: "cpu", seed: 1 });
    const expected = (await alone.train({ steps: 200 })).losses;
    const result = { losses: [...losses], expected: [...expected], workers: session.info.workers, told: event.info.workers };
    await Promise.all([session.dispose(), alone.dispose()]);
    return result;
  },
  ({ losses, expected, workers, told }) => {
    assert.deepEqual([workers, told, losses.length], [1, 1, 200]);
    const mean = (values) => values.reduce((a, b) => a + b) / values.length;
    const [ours, theirs] = [losses, expected].map((of) => mean(of.slice(150)));
    assert.ok(Math.abs(ours - theirs) < 0.05 * theirs, `${ours} against ${theirs} alone`);
  },
);

engineTest(
  "a number of workers that cannot be is refused; on WebGPU one trains",
  { timeout: 120_000 },
  {},
  async ({ gradscope }) => {
    const refused = await gradscope.createSession({ model: "backprop-by-hand", workers: 0 }).then(() => undefined, ({ code, where }) => ({ code, where }));
    const session = await gradscope.createSession({ model: "backprop-by-hand", backend: "webgpu", workers: 2 });
    const { workers } = session.info;
    await session.dispose();
    return { refused, workers };
  },
  ({ refused, workers }) => {
    assert.deepEqual(refused, { code: "bad_value", where: "workers" });
    assert.equal(workers, 1);
  },
);
