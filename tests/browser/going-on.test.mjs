// What was trained goes on: after numbers that blew up, on another backend, on more workers.

import assert from "node:assert/strict";
import { reachEngine } from "./stepping.mjs";
import { pageTest } from "./support.mjs";

const open = async (page, address) => {
  await reachEngine(page);
  await page.goto(address);
  await page.waitForFunction(() => globalThis.engine?.session && document.querySelector(".transport .play")?.disabled === false, undefined, { timeout: 60_000 });
};

/** Trains for some steps, and stops. */
const trainSome = async (page) => {
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await page.waitForFunction(() => Number(/batch (\d+)/.exec(document.querySelector("gs-transport").innerText)?.[1]) >= 60, undefined, { timeout: 60_000 });
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Train on" }).waitFor({ timeout: 30_000 });
};

const batch = (page) => page.evaluate(() => Number(/batch (\d+)/.exec(document.querySelector("gs-transport").innerText)?.[1]));
const bias = (page) => page.evaluate(async () => [...(await engine.session.getParameter("dense.bias"))]);

/** Loss over the validation part. */
const loss = (page) => page.evaluate(async () => (await engine.session.evaluate("validation")).loss);

pageTest("numbers that blow up cost no training: back to before, and on more slowly", { timeout: 300_000 }, async ({ page, url }) => {
  await open(page, `${url}/#/mnist-cnn-small?seed=4&backend=cpu`);
  const [fresh, at] = [await loss(page), await trainSome(page).then(() => batch(page))];
  const trained = await loss(page);
  assert.ok(trained < 0.5 * fresh, `${fresh} to ${trained}`);
  await page.evaluate(() => engine.session.setHyper({ learningRate: 1e30 }));
  await page.getByRole("button", { name: "Train on" }).click();
  const back = page.getByRole("button", { name: /^Back to step \d+, on at a tenth of the rate$/ });
  await back.waitFor({ timeout: 60_000 });
  assert.match(await page.getByRole("alert").innerText(), /stopped/);
  // Whoever tries again all the same keeps nothing worse.
  await page.getByRole("button", { name: "Train on" }).click();
  await page.waitForTimeout(500);
  await back.waitFor({ timeout: 60_000 });
  const step = Number(/step (\d+)/.exec(await back.innerText())[1]);
  assert.ok(step > 0.8 * at && step <= at + 1, `back to ${step} of ${at}`);
  await back.click();
  await page.waitForFunction((at) => Number(/batch (\d+)/.exec(document.querySelector("gs-transport").innerText)?.[1]) > at + 10, at, { timeout: 60_000 });
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Train on" }).waitFor({ timeout: 30_000 });
  assert.equal(await page.getByRole("alert").innerText(), "");
  const after = await loss(page);
  assert.ok(after < 1.2 * trained, `the loss was ${trained}, and after going back ${after}`);
});

pageTest("a training goes on on another backend, and stays where it is if there is none", { timeout: 300_000 }, async ({ page, url }) => {
  await open(page, `${url}/#/mnist-cnn-small?seed=4&backend=cpu`);
  await trainSome(page);
  await page.evaluate(() => engine.session.setHyper({ learningRate: 5e-4 }));
  const [at, before] = [await batch(page), await bias(page)];
  for (const [choice, backend] of [["webgpu", "webgpu"], ["cpu", "cpu"]]) {
    const last = await page.evaluateHandle(() => engine.session);
    await page.locator(".topbar .badge select").selectOption(choice);
    await page.waitForFunction(([last, backend]) => engine.session && engine.session !== last && engine.session.info.backend === backend && document.querySelector(".transport .play")?.disabled === false, [last, backend], { timeout: 120_000 });
    assert.deepEqual(await bias(page), before, `weights on ${choice}`);
    assert.equal(await batch(page), at);
  }
  // A device that does not come: what is open stays.
  await page.evaluate(() => {
    const real = globalThis.Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (message, ...rest) {
      const text = JSON.stringify(message, (_, value) => (ArrayBuffer.isView(value) ? undefined : value));
      return real.call(this, text.includes('"backend":"webgpu"') ? JSON.parse(text.replace('"backend":"webgpu"', '"backend":"none"')) : message, ...rest);
    };
  });
  await page.locator(".topbar .badge select").selectOption("webgpu");
  await page.getByRole("alert").getByText(/./).first().waitFor({ timeout: 60_000 });
  assert.deepEqual(await bias(page), before, "what was trained is lost");
  assert.equal(await batch(page), at);
  await page.getByRole("button", { name: "Train on" }).click();
  await page.waitForFunction((at) => Number(/batch (\d+)/.exec(document.querySelector("gs-transport").innerText)?.[1]) > at + 10, at, { timeout: 60_000 });
});
