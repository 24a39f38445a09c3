// Whole training steps, op by op, forward and back, as the page shows them, beside values that were computed apart from the engine: PyTorch's for
// mnist-cnn (tests/golden/step.py), plain JavaScript's for the others.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { scratchProgram, sigmoidNetwork, smallCnn } from "./by-hand.mjs";
import { engineTest } from "./engine.mjs";
import { expectations, reachEngine, walkBothWays } from "./stepping.mjs";
import { pageTest } from "./support.mjs";

/** Tensors and metadata of a file of golden values. */
async function golden(name) {
  const { buffer, byteOffset, length } = await readFile(new URL(`../golden/${name}.safetensors`, import.meta.url));
  const bytes = buffer.slice(byteOffset, byteOffset + length);
  const begin = 8 + Number(new DataView(bytes).getBigUint64(0, true));
  const { __metadata__: metadata, ...entries } = JSON.parse(new TextDecoder().decode(bytes.slice(8, begin)));
  const kinds = { F32: Float32Array, I32: Int32Array };
  const tensors = Object.entries(entries).map(([name, { dtype, data_offsets: [from, to] }]) => [name, new kinds[dtype](bytes.slice(begin + from, begin + to))]);
  return { metadata, tensors: Object.fromEntries(tensors) };
}

/** The step of PyTorch: what is known of each value; the weights that it began with, one step before. */
async function pytorchStep() {
  const { metadata, tensors } = await golden("mnist-cnn-step");
  const scales = JSON.parse(metadata.scales);
  const values = Object.fromEntries(Object.entries(scales).map(([name, scale]) => [name, { at: tensors[`at/${name}`], of: tensors[`of/${name}`], scale }]));
  const { tensors: stored } = await golden(metadata.weights.replace(".safetensors", ""));
  const weights = Object.entries(stored).filter(([name]) => /\.(kernel|bias)$/.test(name)).map(([name, data]) => [name, [...data]]);
  return { values, weights, batch: Number(metadata.batch_size), shown: Number(metadata.shown) };
}

const step = await pytorchStep();

for (const backend of ["cpu", "webgpu"]) {
  engineTest(
    `a step of mnist-cnn on ${backend}: every op beside PyTorch's value of it, forward and back`,
    { timeout: 600_000 },
    { backend, weights: step.weights, batchSize: step.batch },
    async ({ gradscope, backend, weights, batchSize }) => {
      const session = await gradscope.createSession({ model: "mnist-cnn", backend, batchSize, seed: 1 });
      for (const [name, data] of weights) await session.setParameter(name, new Float32Array(data));
      await session.train({ steps: 1, shuffle: false });
      const walk = await session.walk();
      const { nodes, ops, rows } = walk.info;
      const values = [];
      const read = async (cursor) => {
        await walk.to(cursor);
        const [{ data }] = await walk.read([{ node: ops[cursor - 1] }]);
        return data;
      };
      for (let cursor = 1; cursor <= ops.length; cursor++) values.push(await read(cursor));
      let changed = 0;
      for (let cursor = ops.length; cursor >= 1; cursor--) {
        const before = values[cursor - 1];
        changed += Number((await read(cursor)).some((value, k) => !Object.is(value, before[k])));
      }
      await session.dispose();
      return { nodes: nodes.map(({ name, gradient, lane }) => ({ name, gradient, lane })), ops, rows: [...rows], values, changed };
    },
    ({ nodes, ops, rows, values, changed }) => {
      assert.deepEqual(rows, Array.from({ length: step.batch }, (_, k) => step.batch + k));
      assert.equal(changed, 0, "values that are others on the way back");
      // Single precision, sums of a few thousand terms; the update divides by roots of small numbers.
      const tolerance = backend === "cpu" ? 2e-5 : 1e-4;
      const worst = { apart: 0 };
      let count = 0;
      expectations({ nodes, ops }, step.values).forEach((known, k) => {
        for (const { name, at, of, scale } of known) {
          at.forEach((cell, i) => {
            const apart = Math.abs(values[k][cell] - of[i]) / Math.max(scale, 1e-12);
            count++;
            assert.ok(apart <= tolerance, `${name}, element ${cell}: ${values[k][cell]}, PyTorch's ${of[i]}, of at most ${scale}`);
            if (apart > worst.apart) Object.assign(worst, { apart, name });
          });
        }
      });
      console.log(`    ${ops.length} ops, ${count} cells, at most ${worst.apart.toExponential(1)} apart by the tensor's largest magnitude (${worst.name})`);
    },
  );
}

/** Waits for a walk that stands at its beginning, and shows one cell large. */
async function enlarge(page) {
  await page.getByText(/^Nothing is computed yet/).waitFor();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  await page.locator(".cell-view").waitFor();
}

/** Opens a preset and the walk through its next step. `begin` runs in the page before, with its session at hand. */
async function openWalk(page, address, begin, given) {
  await reachEngine(page);
  await page.goto(address);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  if (begin) await page.evaluate(begin, given);
  await page.keyboard.press("ArrowRight");
  await enlarge(page);
}

const wide = { viewport: { width: 1440, height: 900 }, reducedMotion: "reduce" };

pageTest("the page shows every op of a step of mnist-cnn as PyTorch has it, forward and back", { timeout: 900_000, context: wide }, async ({ page, url }) => {
  const begun = Date.now();
  await openWalk(page, `${url}/#/mnist-cnn?batch_size=${step.batch}&backend=cpu`, async (weights) => {
    const { session } = globalThis.engine;
    for (const [name, data] of weights) await session.setParameter(name, new Float32Array(data));
    await session.train({ steps: 1, shuffle: false });
  }, step.weights);
  for (let k = 0; k < step.shown; k++) await page.keyboard.press("]");
  await page.locator(".sample h2").getByText(`train ${step.batch + step.shown} `).waitFor();
  const { ops, count } = await walkBothWays(page, step.values, { example: step.shown });
  console.log(`    ${ops} ops, ${count} cells on both ways, ${((Date.now() - begun) / 1000).toFixed(0)} s`);
});

/** What a session of the page begins with. */
const beginning = (page) =>
  page.evaluate(async () => {
    const { session, walk } = globalThis.engine;
    const weights = {};
    for (const { name } of await session.parameters()) weights[name] = [...(await session.getParameter(name))];
    const { x, labels } = await session.examples("train", [...walk.info.rows]);
    const { learningRate } = await walk.optimizer(Object.keys(weights)[0]);
    return { weights, x: [...x], y: labels, rate: learningRate };
  });

for (const { model, address, byHand } of [
  { model: "mnist-cnn-small", address: "mnist-cnn-small?batch_size=8&seed=7&backend=cpu", byHand: smallCnn },
  { model: "sigmoid-2-2-1", address: "sigmoid-2-2-1?seed=7&backend=cpu", byHand: sigmoidNetwork },
]) {
  pageTest(`the page shows every op of a step of ${model} as plain JavaScript has it, forward and back`, { timeout: 900_000, context: wide }, async ({ page, url }) => {
    const begun = Date.now();
    await openWalk(page, `${url}/#/${address}`);
    const { ops, count } = await walkBothWays(page, byHand(await beginning(page)));
    console.log(`    ${ops} ops, ${count} cells on both ways, ${((Date.now() - begun) / 1000).toFixed(0)} s`);
  });
}

pageTest("the page shows every op of a step of a program of the scratchpad as plain JavaScript has it, forward and back", { timeout: 300_000, context: wide }, async ({ page, url }) => {
  const given = { x: [0.5, -1.2, 2, 1, 0.3, -0.7], w: [0.4, 0.1, -0.3, 0.2, 0.5, -0.6], b: [0.2, -0.1], y: [0.5, -0.5, -1, 1], rate: 0.1 };
  const rows = (values, columns) => `[${values.flatMap((_, k) => (k % columns ? [] : [`[${values.slice(k, k + columns)}]`]))}]`;
  const program = `x = data(${rows(given.x, 3)})
    w = ${rows(given.w, 2)}
    b = [${given.b}]
    y = data(${rows(given.y, 2)})
    a = tanh(x @ w + b)
    loss = mean((a - y)^2)
    learning_rate = ${given.rate}`;
  await reachEngine(page);
  await page.goto(`${url}/#/scratch?${new URLSearchParams({ program })}`);
  await page.locator(".node").first().waitFor({ timeout: 60_000 });
  await page.getByRole("button", { name: "Step", exact: true }).click();
  await enlarge(page);
  const { ops, count } = await walkBothWays(page, scratchProgram(given));
  console.log(`    ${ops} ops, ${count} cells on both ways`);
});
