// Augmentation as one chooses it: the switch, the preview that follows the layer list, and that it shows what training reads.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { engineTest } from "./engine.mjs";
import { npm, pageTest } from "./support.mjs";

const axe = await readFile(npm.resolve("axe-core/axe.min.js"), "utf8");

engineTest(
  "a preview has the values that training reads at those steps, and needs no session",
  {},
  {},
  async ({ gradscope }) => {
    const [side, cells] = [8, 8 * 8 * 3];
    const image = Float32Array.from({ length: cells }, (_, k) => ((k * 29) % 97) / 97);
    const layers = [
      { type: "RandomFlip", mode: "horizontal" }, { type: "RandomZoom", height_factor: 0.3, fill_mode: "constant" }, { type: "GaussianNoise", stddev: 0.2 },
      { type: "Flatten" }, { type: "Dense", units: 2, activation: "softmax" },
    ];
    const model = { input: [side, side, 3], layers };
    const x = new Float32Array(8 * cells);
    for (let k = 0; k < 8; k++) x.set(image, k * cells);
    const shown = await gradscope.augment(model, image, { count: 3, seed: 5 });
    const apart = {};
    for (const backend of ["cpu", "webgpu"]) {
      const session = await gradscope.createSession({ model, data: { x, y: new Float32Array(8), shape: [8, side, side, 3] }, batchSize: 4, seed: 5, backend });
      apart[backend] = 0;
      for (let step = 0; step < 3; step++) {
        const { data } = await session.read("gaussian_noise");
        for (let k = 0; k < cells; k++) apart[backend] = Math.max(apart[backend], Math.abs(data[k] - shown[step * cells + k]));
        await session.train({ steps: 1 });
      }
      await session.dispose();
    }
    const refused = await gradscope.augment({ ...model, layers: [{ type: "RandomFlip", mode: "diagonal" }] }, image).catch(({ code }) => code);
    return { apart, refused, varied: shown.some((value, k) => Math.abs(value - image[k % cells]) > 0.1) };
  },
  ({ apart, refused, varied }) => {
    assert.equal(apart.cpu, 0, "to the last bit on the CPU");
    assert.ok(apart.webgpu < 1e-4, `within rounding on WebGPU: ${apart.webgpu}`);
    assert.ok(varied);
    assert.equal(refused, "unknown_name");
  },
);

const preview = (page) => page.locator("gs-variations canvas");
const types = (page) => page.locator(".layer-name b").allInnerTexts();

/** Waits for a picture that is not `before`, and gives it. */
async function another(page, before) {
  await page.waitForFunction((before) => {
    const canvas = document.querySelector("gs-variations:not(.hatch) canvas");
    return canvas?.width > 0 && canvas.toDataURL() !== before;
  }, before, { timeout: 10_000 });
  return preview(page).evaluate((canvas) => canvas.toDataURL());
}

pageTest("one switch brings augmentation, its preview follows the layer list, and the network trains with it", {}, async ({ page, url }) => {
  await page.goto(`${url}/#/mnist-cnn-small`);
  await page.locator("gs-sample-image canvas").waitFor({ timeout: 60_000 });
  assert.equal(await page.locator("gs-augmentation").count(), 0);
  const bare = await types(page);
  const toggle = page.getByLabel("Augment the images");
  await toggle.check();
  await page.getByRole("region", { name: "What training sees" }).waitFor();
  assert.deepEqual(await types(page), ["RandomTranslation", "RandomRotation", "RandomZoom", ...bare], "digits are not mirrored");
  let shown = await another(page, "data:,");
  // Before it is built: each argument shows at once.
  await page.locator(".layer-name").first().click();
  await page.getByLabel("height_factor").fill("0.4");
  await page.getByLabel("height_factor").press("Enter");
  shown = await another(page, shown);
  await page.getByRole("button", { name: "Other random numbers" }).click();
  await page.getByText("the pinned image at steps 13 to 24").waitFor();
  shown = await another(page, shown);
  await page.getByRole("button", { name: "Next", exact: true }).click();
  shown = await another(page, shown);
  // A layer of augmentation that is added goes to the others.
  await page.locator(".add select").selectOption("GaussianNoise");
  assert.equal((await types(page))[3], "GaussianNoise");
  shown = await another(page, shown);
  await page.getByRole("button", { name: "Build it", exact: true }).click();
  await page.getByText("Changed. It starts again with new weights.").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "One batch" }).click();
  await page.getByText("Epoch 1 · batch 1 of").waitFor({ timeout: 60_000 });
  await another(page, "data:,");
  await toggle.uncheck();
  await page.locator("gs-augmentation").waitFor({ state: "detached" });
  assert.deepEqual(await types(page), bare);
});

pageTest("an address asks for augmentation", { context: { viewport: { width: 390, height: 844 }, colorScheme: "dark", locale: "zh-CN" } }, async ({ page, url }) => {
  await page.goto(`${url}/#/mnist-cnn-small?augment=1`);
  await page.getByRole("region", { name: "训练看到的样子" }).waitFor({ timeout: 60_000 });
  await another(page, "data:,");
  const across = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(across <= 0, `${across} px of sideways scrolling`);
  await page.evaluate(axe);
  const { violations } = await page.evaluate((runOnly) => globalThis.axe.run(document, { runOnly }), ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]);
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`), []);
});
