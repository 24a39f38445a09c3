// Two networks against each other, through the package on both backends, and on the page; and the plane of an autoencoder's codes.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { engineTest } from "./engine.mjs";
import { npm, pageTest } from "./support.mjs";

const axe = await readFile(npm.resolve("axe-core/axe.min.js"), "utf8");

async function accessible(page, selector) {
  await page.locator(selector).first().waitFor();
  await page.evaluate(axe);
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const { violations } = await page.evaluate((runOnly) => globalThis.axe.run(document, { runOnly }), tags);
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`), []);
  const across = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(across <= 0, `${across} px of sideways scrolling`);
}

engineTest(
  "gan-mnist plays the same on the CPU and on WebGPU, and samples while it trains",
  { timeout: 300_000 },
  {},
  async ({ gradscope }) => {
    const results = {};
    for (const backend of ["cpu", "webgpu"]) {
      const session = await gradscope.createSession({ model: "gan-mnist", backend, seed: 3, batchSize: 16 });
      const games = [];
      const running = session.train({ steps: 4, shuffle: false, onProgress: ({ game }) => games.push(game) });
      const early = await session.sample(4, 1);
      const { losses, accuracy } = await running;
      const again = [await session.sample(4, 1), await session.sample(4, 1)];
      const answers = [...(await session.predict((await session.examples("test", [0, 1])).x))];
      results[backend] = { losses: [...losses], accuracy, games, early: early.length, sample: [...again[0]], same: again[0].every((value, k) => value === again[1][k]), answers };
      await session.dispose();
    }
    return results;
  },
  ({ cpu, webgpu }) => {
    for (const { losses, accuracy, games, early, sample, same, answers } of [cpu, webgpu]) {
      assert.equal(losses.length, 4);
      assert.equal(accuracy, undefined);
      assert.ok(games.length > 0 && games.every(({ generatorLoss, real, fake }) => generatorLoss > 0 && real > 0 && real < 1 && fake > 0 && fake < 1), JSON.stringify(games));
      assert.deepEqual([early, sample.length, same], [4 * 784, 4 * 784, true]);
      assert.ok(sample.every((value) => value >= 0 && value <= 1) && new Set(sample).size > 100);
      assert.ok(answers.length === 2 && answers.every((answer) => answer > 0 && answer < 1));
    }
    cpu.losses.forEach((loss, k) => assert.ok(Math.abs(loss / webgpu.losses[k] - 1) < 1e-3, `step ${k}: ${loss} and ${webgpu.losses[k]}`));
    const apart = Math.max(...cpu.sample.map((value, k) => Math.abs(value - webgpu.sample[k])));
    assert.ok(apart < 1e-2, `samples are apart by ${apart}`);
  },
);

/** Trains for about so long, then waits until it stands still. */
async function trainFor(page, milliseconds) {
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await page.getByText(/Epoch \d+ · batch \d+|\d+ of [\d,]+ epochs done/).first().waitFor({ timeout: 60_000 });
  await page.waitForTimeout(milliseconds);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Train on" }).waitFor();
}

pageTest("the page shows both losses and what the generator makes, now and before", { timeout: 240_000 }, async ({ page, url }) => {
  await page.goto(`${url}/#/gan-2d?seed=1&backend=cpu`);
  await page.locator("gs-game-grid canvas").waitFor({ timeout: 60_000 });
  await trainFor(page, 2500);
  for (const title of ["Losses", "Taken for real, %"]) await page.locator(".curve figcaption b").getByText(title, { exact: true }).waitFor();
  const slider = page.locator("gs-game input[type=range]");
  await page.waitForFunction(() => Number(document.querySelector("gs-game input[type=range]").max) >= 3);
  const now = await page.locator("gs-game header p").innerText();
  await slider.fill("0");
  await page.waitForFunction((text) => document.querySelector("gs-game header p").innerText !== text, now);
  assert.match(await page.locator("gs-game header p").innerText(), /^Made at step [\d,]+$/);
  await accessible(page, "gs-game");
});

pageTest("a step of gan-mnist is walked through: forward, both backward passes, update", { timeout: 240_000 }, async ({ page, url }) => {
  await page.goto(`${url}/#/gan-mnist?seed=1&backend=cpu`);
  await page.locator("gs-game-grid canvas").waitFor({ timeout: 60_000 });
  await page.keyboard.press("ArrowRight");
  await page.getByText(/^Nothing is computed yet/).waitFor();
  await page.keyboard.press("f");
  await page.locator(".position").getByText(/^forward pass/).waitFor();
  await page.keyboard.press("b");
  await page.locator(".position").getByText(/^backward pass/).waitFor({ timeout: 60_000 });
  // Both networks' kernels have their gradients by now, and nudging one agrees with it.
  await page.keyboard.press("u");
  await page.locator(".position").getByText(/^update/).waitFor({ timeout: 60_000 });
  await page.keyboard.press("Alt+ArrowRight");
  await page.getByText(/^Nothing is computed yet/).waitFor({ timeout: 60_000 });
});

pageTest("a point of the plane of codes is decoded", { timeout: 240_000 }, async ({ page, url }) => {
  await page.goto(`${url}/#/autoencoder?seed=1&backend=cpu`);
  await page.locator("gs-latent-plane canvas").waitFor({ timeout: 60_000 });
  await trainFor(page, 2000);
  const plane = page.locator("gs-latent-plane");
  await plane.scrollIntoViewIfNeeded();
  const label = () => page.locator("gs-latent-image canvas").getAttribute("aria-label");
  const before = await label();
  const box = await plane.boundingBox();
  await page.mouse.move(box.x + box.width * 0.25, box.y + box.height * 0.25);
  await page.waitForFunction((text) => document.querySelector("gs-latent-image canvas").getAttribute("aria-label") !== text, before);
  const pointed = await label();
  await plane.focus();
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction((text) => document.querySelector("gs-latent-image canvas").getAttribute("aria-label") !== text, pointed);
  await accessible(page, "gs-latent");
});
