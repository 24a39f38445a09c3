// Memory stays where it was: over 2,000 steps, over 20 times create, train, dispose, and over 1,000 steps of a walk, forth and back.

import assert from "node:assert/strict";
import { engineTest } from "./engine.mjs";
import { reachEngine } from "./stepping.mjs";
import { pageTest } from "./support.mjs";

const MODEL = { input: [28, 28, 1], layers: [{ type: "Conv2D", filters: 8, kernel_size: 3, activation: "relu" }, { type: "MaxPooling2D" }, { type: "Flatten" }, { type: "Dense", units: 10, activation: "softmax" }] };

for (const backend of ["cpu", "webgpu"]) {
  engineTest(
    `2,000 steps on ${backend} take no more memory than 200`,
    { timeout: 1_200_000 },
    { backend, model: MODEL },
    async ({ gradscope, backend, model }) => {
      const session = await gradscope.createSession({ model, data: "mnist", backend, batchSize: 16 });
      await session.watch([{ node: "conv2d", most: 8 }, { node: "conv2d.kernel", most: 8 }]);
      // The browser collects garbage before it answers: this page's heap and its workers'.
      const held = async () => ({ ...(await session.memory()), all: (await performance.measureUserAgentSpecificMemory()).bytes });
      await session.train({ steps: 200 });
      const before = await held();
      await session.train({ steps: 1800 });
      const after = await held();
      await session.dispose();
      return { before, after };
    },
    ({ before, after }) => {
      console.log(`    ${JSON.stringify(before)} -> ${JSON.stringify(after)}`);
      assert.equal(after.wasmBytes, before.wasmBytes);
      assert.equal(after.gpuBytes, before.gpuBytes);
      assert.ok(after.all <= 1.02 * before.all + 2 ** 20, "the heaps grew");
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

pageTest("1,000 steps forth and back on the page: ops of mnist-cnn, then batches of sigmoid-2-2-1", { timeout: 1_800_000 }, async ({ page, url }) => {
  await reachEngine(page);
  const rounds = {
    // 50 ops forward and 50 back: ten times.
    "mnist-cnn?backend=cpu": { there: "ArrowRight", back: "ArrowLeft", each: 50, times: 10 },
    // 50 batches on and 50 back: ten times; by way of snapshots and replays.
    "sigmoid-2-2-1?backend=cpu": { there: "Alt+ArrowRight", back: "Alt+ArrowLeft", each: 50, times: 10 },
  };
  for (const [address, { there, back, each, times }] of Object.entries(rounds)) {
    await page.goto(`${url}/#/${address}`);
    await page.reload();
    await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
    await page.keyboard.press("ArrowRight");
    await page.getByText(/^Nothing is computed yet/).waitFor();
    const batches = there.startsWith("Alt");
    const stands = () => page.evaluate((batches) => globalThis.engine.walk.info.state[batches ? "step" : "cursor"], batches);
    const go = async (key, target) => {
      for (let k = 0; k < each; k++) {
        const before = await stands();
        await page.keyboard.press(key);
        await page.waitForFunction(({ before, batches }) => globalThis.engine.walk.info.state[batches ? "step" : "cursor"] !== before, { before, batches }, { polling: 2 });
      }
      assert.equal(await stands(), target);
    };
    /** The engine's memory, and everything of the page's. The browser collects garbage before it answers. */
    const memory = () =>
      page.evaluate(async () => ({ ...(await globalThis.engine.session.memory()), all: (await performance.measureUserAgentSpecificMemory()).bytes }));
    const begin = await stands();
    const round = async () => {
      await go(there, begin + each);
      await go(back, begin);
    };
    // What is loaded and compiled when it is first wanted.
    await round();
    const before = await memory();
    for (let k = 0; k < times; k++) await round();
    const after = await memory();
    console.log(`    ${address}, ${2 * each * times} steps: ${JSON.stringify(before)} -> ${JSON.stringify(after)}`);
    assert.equal(after.wasmBytes, before.wasmBytes);
    assert.ok(after.all <= 1.05 * before.all + 2 ** 20, "the page's memory grew");
  }
});
