// Frozen layers, weights from model to model, hidden words and runs beside each other: through the package on both backends, and on the page.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { engineTest, worst } from "./engine.mjs";
import { serveReviews } from "./reviews.mjs";
import { npm, pageTest } from "./support.mjs";

const axe = await readFile(npm.resolve("axe-core/axe.min.js"), "utf8");

engineTest(
  "a small BERT trains on both backends alike, guesses, and gives its weights to another model",
  { timeout: 300_000, before: serveReviews },
  {},
  async ({ gradscope }) => {
    const results = {};
    for (const backend of ["cpu", "webgpu"]) {
      const session = await gradscope.createSession({ model: "bert-mini", backend, seed: 3, batchSize: 4 });
      const { losses } = await session.train({ steps: 4, shuffle: false });
      const guesses = await session.guesses({ split: "test", index: 0 }, [2, 5], 4);
      const twice = [await session.evaluate("test"), await session.evaluate("test")];
      const snapshot = await session.snapshot();
      await session.dispose();
      const [{ model }] = (await gradscope.presets()).filter(({ name }) => name === "bert-mini-sentiment");
      const layers = model.layers.map((layer) => (layer.name === "opinion" ? layer : { ...layer, trainable: false }));
      const tuned = await gradscope.createSession({ model: { ...model, layers }, data: "reviews-en", documents: { vocabulary: 3000, stopWords: true }, trainExamples: 40, backend, seed: 3, batchSize: 20 });
      const report = await tuned.load(snapshot);
      const before = await tuned.getParameter("tokens.embeddings");
      const trained = await tuned.train({ epochs: 2, shuffle: false });
      const after = await tuned.getParameter("tokens.embeddings");
      results[backend] = {
        losses: [...losses], guesses, twice, report, steps: trained.steps, tuned: [...trained.losses], info: tuned.info,
        parameters: (await tuned.parameters()).map(({ name }) => name), same: before.every((value, k) => value === after[k]),
      };
      await tuned.dispose();
    }
    return results;
  },
  ({ cpu, webgpu }) => {
    assert.ok(worst(cpu.losses, webgpu.losses) < 1e-3 && worst(cpu.tuned, webgpu.tuned) < 1e-3, `${cpu.losses} and ${webgpu.losses}`);
    for (const { losses, guesses, twice, report, steps, info, parameters, same } of [cpu, webgpu]) {
      assert.ok(losses.every((loss) => loss > 7 && loss < 9), `losses ${losses}, about the logarithm of 3001`);
      assert.deepEqual(twice[0], twice[1], "evaluation hides the same words each time");
      assert.deepEqual(guesses.map((list) => list.length), [4, 4]);
      assert.ok(guesses[0].every(({ probability }, k, all) => probability > 0 && (k === 0 || probability <= all[k - 1].probability)));
      assert.deepEqual([report.unknown, report.misshapen, report.missing], [[], [], ["opinion.kernel", "opinion.bias"]]);
      assert.equal(report.taken.length, 2 + 2 * (4 + 4 + 8) + 2);
      assert.deepEqual(parameters, ["opinion.kernel", "opinion.bias"]);
      assert.ok(same, "what is frozen stays");
      assert.deepEqual([info.trainingExamples, info.validationExamples, info.parameterCount, steps], [40, 0, 65, 4]);
    }
  },
);

const ready = (page) => page.locator(".card-in").first().waitFor({ timeout: 60_000 });

/** One training step, done. */
async function oneBatch(page, k = 1) {
  await page.keyboard.press("Alt+ArrowRight");
  await page.getByText(new RegExp(`Epoch 1 · batch ${k} of`)).waitFor({ timeout: 60_000 });
  await page.getByRole("button", { name: "Train on" }).waitFor();
}

pageTest("hidden words are guessed; weights go on to opinions; a lock is shut; a run stays as a comparison", { timeout: 300_000 }, async ({ page, url }) => {
  await serveReviews(page);
  await page.goto(`${url}/#/bert-mini?backend=cpu&batch_size=8`);
  await ready(page);
  const guesses = page.locator("gs-guesses");
  await guesses.locator(".hidden-word").first().waitFor();
  await guesses.locator(".guess-lists .bar").first().waitFor();
  const word = guesses.locator(".word:not(.hidden-word)").first();
  const text = await word.innerText();
  await word.click();
  await guesses.getByRole("heading", { name: `In the place of “${text}”`, exact: true }).first().waitFor();
  await oneBatch(page);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run("gs-app"));
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), []);

  await page.getByRole("button", { name: /^Go on with them: BERT on opinions/ }).click();
  await page.getByText(/^Taken over: 36$/).waitFor({ timeout: 60_000 });
  await page.getByText(/^New in this model: 2$/).waitFor();
  await oneBatch(page);
  await page.getByRole("button", { name: "Keep this run as a comparison" }).click();
  await page.locator(".ghost").getByText(/BERT on opinions: fine-tuning · weights of A small BERT/).waitFor();

  const lock = page.getByRole("button", { name: "Freeze tokens", exact: true });
  await lock.click();
  assert.equal(await lock.getAttribute("aria-pressed"), "true");
  await page.getByText("192,064 frozen").first().waitFor();
  await page.getByRole("button", { name: "Build it, keep the weights" }).click();
  await page.getByText(/^Taken over: 38$/).waitFor({ timeout: 60_000 });
  await oneBatch(page);
  assert.equal(await page.locator(".ghost").count(), 1, "the former run is still there");

  await page.getByRole("button", { name: "Step through" }).click();
  await page.getByText(/^Nothing is computed yet/).waitFor();
  await page.keyboard.press("b");
  await page.locator(".position").getByText(/^backward pass/).waitFor({ timeout: 60_000 });
  await page.locator(".chain").getByText("frozen: no gradient flows in").first().waitFor();
});

pageTest("the whole of bert-mini can be stepped through", { timeout: 300_000 }, async ({ page, url }) => {
  await serveReviews(page);
  await page.goto(`${url}/#/bert-mini?backend=cpu&batch_size=2`);
  await ready(page);
  await page.keyboard.press("ArrowRight");
  await page.getByText(/^Nothing is computed yet/).waitFor();
  const ops = Number(await page.locator(".ops").getAttribute("aria-valuemax"));
  assert.ok(ops > 200, `${ops} ops`);
  for (let done = 1; done <= ops; done++) {
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction((done) => document.querySelector(".ops").getAttribute("aria-valuenow") === String(done), done);
    await page.waitForFunction(() => document.querySelector(".equations")?.getAttribute("aria-busy") === "false");
  }
});

pageTest("weights are written to a file and read from one; what does not fit is told", {}, async ({ page, url }) => {
  await page.goto(`${url}/#/sigmoid-2-2-1?backend=cpu&seed=1`);
  await ready(page);
  const downloading = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download", exact: true }).click();
  const file = await (await downloading).path();
  assert.equal((await downloading).suggestedFilename(), "sigmoid-2-2-1.safetensors");
  await page.goto(`${url}/#/backprop-by-hand?backend=cpu`);
  await ready(page);
  await page.locator('gs-transfer input[type="file"]').setInputFiles({ name: "other.safetensors", mimeType: "application/octet-stream", buffer: await readFile(file) });
  await page.getByText(/^Taken over: 2$/).waitFor();
  await page.getByText(/^Not in this model: 2$/).click();
  await page.getByText("dense_1.kernel", { exact: true }).waitFor();
  await page.locator('gs-transfer input[type="file"]').setInputFiles({ name: "torn.safetensors", mimeType: "application/octet-stream", buffer: Buffer.from("torn") });
  await page.locator("gs-notices").getByText(/safetensors/).waitFor();
  await page.getByRole("button", { name: "Keep for another model" }).click();
  await page.getByRole("button", { name: "Take over what fits" }).click();
  await page.getByText(/^Taken over: 2$/).waitFor();
});
