// Memory stays where it was: over 2,000 steps, and over 20 times create, train, dispose.

import assert from "node:assert/strict";
import { engineTest } from "./engine.mjs";

const MODEL = { input: [28, 28, 1], layers: [{ type: "Conv2D", filters: 8, kernel_size: 3, activation: "relu" }, { type: "MaxPooling2D" }, { type: "Flatten" }, { type: "Dense", units: 10, activation: "softmax" }] };

for (const backend of ["cpu", "webgpu"]) {
  engineTest(
    `2,000 steps on ${backend} take no more memory than 200`,
    { timeout: 1_200_000 },
    { backend, model: MODEL },
    async ({ gradscope, backend, model }) => {
      const session = await gradscope.createSession({ model, data: "mnist", backend, batchSize: 16 });
      await session.watch([{ node: "conv2d", most: 8 }, { node: "conv2d.kernel", most: 8 }]);
      await session.train({ steps: 200 });
      const before = await session.memory();
      await session.train({ steps: 1800 });
      const after = await session.memory();
      await session.dispose();
      return { before, after };
    },
    ({ before, after }) => {
      console.log(`    ${JSON.stringify(before)} -> ${JSON.stringify(after)}`);
      assert.equal(after.wasmBytes, before.wasmBytes);
      assert.equal(after.gpuBytes, before.gpuBytes);
    },
  );

  engineTest(
    `20 times create, train, dispose on ${backend}`,
    { timeout: 1_200_000 },
    { backend, model: MODEL },
    async ({ gradscope, backend, model }) => {
      const rounds = [];
      for (let round = 0; round < 20; round++) {
        const session = await gradscope.createSession({ model, data: "mnist", backend, batchSize: 16 });
        await session.train({ steps: 3 });
        const { wasmBytes, gpuBytes } = await session.memory();
        await session.dispose();
        // Everything of this page's: its own heap and every worker's. The browser collects garbage before it answers.
        const all = round === 2 || round === 19 ? (await performance.measureUserAgentSpecificMemory()).bytes : 0;
        rounds.push({ wasmBytes, gpuBytes, all });
      }
      return rounds;
    },
    (rounds) => {
      const [early, late] = [rounds[2], rounds[19]];
      console.log(`    ${JSON.stringify(early)} -> ${JSON.stringify(late)}`);
      // Every round has a worker and a wasm memory of its own; how the network cuts the files moves its size by a page or two.
      assert.ok(Math.abs(late.wasmBytes - early.wasmBytes) <= 4 * 65_536, "a session takes more wasm memory than one before it");
      assert.equal(late.gpuBytes, early.gpuBytes);
      assert.ok(late.all <= 1.1 * early.all + 2 ** 20, "the page's memory grew");
    },
  );
}
