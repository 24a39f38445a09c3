// The GPU process is killed while a session trains or is walked through on WebGPU: it goes on on the CPU from the last snapshot, and the page is told.

import assert from "node:assert/strict";
import { pageTest } from "./support.mjs";

/** Ends the GPU process, as a driver that crashes does. */
async function loseGpu(page) {
  const cdp = await page.context().browser().newBrowserCDPSession();
  await cdp.send("Browser.crashGpuProcess").catch(() => undefined);
}

pageTest("a lost GPU: training goes on on the CPU from a state that is not old", { timeout: 300_000 }, async ({ page, url, problems }) => {
  await page.goto(`${url}/tests/blank.html`);
  // A state is kept every 5 s: it is lost between the second one and the third.
  await page.evaluate(async () => {
    const gradscope = await import("/pkg/gradscope.js");
    gradscope.configure({ data: new URL("/data/", location.href) });
    const session = await gradscope.createSession({ model: "mnist-cnn-small", backend: "webgpu", seed: 4 });
    const began = performance.now();
    const stop = new AbortController();
    const told = [];
    let lost;
    globalThis.lost = new Promise((resolve) => session.on("deviceLost", ({ step, info }) => resolve((lost = { step, backend: info.backend, at: performance.now() - began, first: told.length }))));
    globalThis.under_way = new Promise((resolve) => session.on("progress", ({ step, losses }) => {
      const at = performance.now() - began;
      told.push({ step, at, losses: [...losses] });
      if (at > 7000) resolve();
      if (lost && step >= lost.step + 40) stop.abort();
    }));
    globalThis.result = session.train({ steps: 100_000, signal: stop.signal }).then(({ losses, steps }) => ({ losses: [...losses], steps, backend: session.info.backend, told }));
  });
  await page.evaluate(() => globalThis.under_way);
  await loseGpu(page);
  const lost = await page.evaluate(() => globalThis.lost);
  const result = await page.evaluate(() => globalThis.result);
  const before = result.told.slice(0, lost.first);
  const after = result.told.slice(lost.first);
  console.log(`    lost at step ${before.at(-1).step} after ${(lost.at / 1000).toFixed(1)} s, goes on from step ${lost.step}, ends at step ${result.told.at(-1).step}`);
  assert.equal(lost.backend, "cpu");
  assert.equal(result.backend, "cpu");
  assert.ok(lost.step > 0 && lost.step < before.at(-1).step, `step ${lost.step} of ${before.at(-1).step}`);
  // What was told more than 5 s before the loss, and a step's time, is not taken again.
  const old = before.filter(({ at }) => at < before.at(-1).at - 6000).at(-1)?.step ?? 0;
  assert.ok(lost.step >= old, `step ${lost.step}, though ${old} was reached 6 s before`);
  // Both losses of the steps that were taken twice.
  const of = (reports) => new Map(reports.flatMap(({ step, losses }) => losses.map((loss, k) => [step - losses.length + 1 + k, loss])));
  const [gpu, cpu] = [of(before), of(after)];
  assert.equal(Math.min(...cpu.keys()), lost.step + 1, "the step after the one that was kept comes next");
  const twice = [...cpu.keys()].filter((step) => gpu.has(step)).slice(0, 3);
  assert.ok(twice.length > 0);
  for (const step of twice) assert.ok(Math.abs(cpu.get(step) - gpu.get(step)) <= 1e-3 * Math.abs(gpu.get(step)) + 1e-5, `step ${step}: ${cpu.get(step)} on the CPU, ${gpu.get(step)} on the GPU`);
  // Nothing is counted twice, and all that was told last is what the run came to.
  assert.equal(result.steps, result.told.at(-1).step);
  assert.equal(result.losses.length, result.steps);
  assert.ok(result.losses.every(Number.isFinite));
  const mean = (losses) => losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  assert.ok(mean(result.losses.slice(lost.step, lost.step + 20)) < 0.6 * mean(result.losses.slice(0, 5)), "what was trained is not lost");
  // The browser reports the crash that the test provoked.
  problems.length = 0;
});

pageTest("a lost GPU while walking: the walk is over, and another one goes on on the CPU from the last batch", { timeout: 300_000 }, async ({ page, url, problems }) => {
  await page.goto(`${url}/tests/blank.html`);
  await page.evaluate(async () => {
    const gradscope = await import("/pkg/gradscope.js");
    gradscope.configure({ data: new URL("/data/", location.href) });
    const session = await gradscope.createSession({ model: "mnist-cnn-small", backend: "webgpu", batchSize: 4, seed: 4 });
    const lost = new Promise((resolve) => session.on("deviceLost", resolve));
    const walk = await session.walk();
    await walk.batches(2);
    await walk.to(3);
    const kernel = await session.getParameter("dense.bias");
    Object.assign(globalThis, { session, lost, walk, kernel });
  });
  await loseGpu(page);
  const result = await page.evaluate(async () => {
    const { session, lost, walk, kernel } = globalThis;
    const code = (promise) => promise.then(() => "done", ({ code }) => code);
    // A browser may need a moment to notice.
    let first = "done";
    for (let tries = 0; tries < 100 && first === "done"; tries++) {
      first = await code(walk.to(3 + (tries % 2)).then(() => walk.read([{ node: walk.info.ops[0] }])));
    }
    const { step, info } = await lost;
    const old = await code(walk.to(1));
    const now = await session.getParameter("dense.bias");
    const again = await session.walk();
    const end = await again.to(again.info.ops.length);
    const on = await again.batches(1);
    await session.dispose();
    return { first, step, backend: info.backend, old, same: now.every((value, k) => value === kernel[k]), end: end.loss, on: on.state.step };
  });
  assert.deepEqual({ ...result, end: Number.isFinite(result.end) }, { first: "device_lost", step: 2, backend: "cpu", old: "wrong_state", same: true, end: true, on: 3 });
  problems.length = 0;
});

pageTest("a lost GPU while walking on the page: it says so, and the timeline goes on on the CPU", { timeout: 300_000 }, async ({ page, url, problems }) => {
  await page.goto(`${url}/#/mnist-cnn-small?seed=4&backend=webgpu&batch_size=4`);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  await page.keyboard.press("ArrowRight");
  await page.locator(".walk-head").waitFor({ timeout: 60_000 });
  await page.keyboard.press("Alt+ArrowRight");
  const where = (batch) => page.locator(".outer-text b").getByText(`Epoch 1 · batch ${batch} of`).waitFor({ timeout: 60_000 });
  await where(2);
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => document.querySelector(".ops").getAttribute("aria-valuenow") === "1" && !document.querySelector(".position").textContent.includes("Nothing"));
  // Nobody asks anything of it: the page is told all the same.
  await loseGpu(page);
  await page.getByRole("alert").getByText(/^The GPU was lost .* The CPU carries on from step 1\.$/).waitFor({ timeout: 60_000 });
  await where(2);
  await page.locator(".walking").waitFor();
  await page.keyboard.press("f");
  await page.waitForFunction(() => /^\d/.test(document.querySelector(".walk-side dd").textContent));
  await page.keyboard.press("Alt+ArrowRight");
  await where(3);
  await page.getByText(/SIMD|CPU/).first().waitFor();
  problems.length = 0;
});

// In a browser of its own: after three crashes within minutes Chromium gives pages no GPU any more.
pageTest("a lost GPU while training on the page: it says so, and training goes on on the CPU", { timeout: 300_000, flags: ["--disable-gpu-process-crash-limit"], context: { viewport: { width: 1440, height: 900 } } }, async ({ page, url, problems }) => {
  // Six steps an epoch, and too few examples to be evaluated after each.
  await page.goto(`${url}/#/mnist-cnn-small?seed=4&backend=webgpu&train_examples=190&epochs=300`);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  await page.locator(".badge .shown").getByText(/^WebGPU/).waitFor();
  const epoch = async () => Number(await page.locator(".track").getAttribute("aria-valuenow"));
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await page.waitForFunction(() => Number(document.querySelector(".track").getAttribute("aria-valuenow")) > 3, undefined, { timeout: 120_000 });
  // States are kept every 5 s.
  await page.waitForTimeout(7000);
  const reached = await epoch();
  await loseGpu(page);
  const said = page.getByRole("alert").getByText(/^The GPU was lost .* The CPU carries on from step [\d,]+\.$/);
  await said.waitFor({ timeout: 60_000 });
  const from = Number(/step ([\d,]+)\.$/.exec(await said.innerText())[1].replaceAll(",", ""));
  console.log(`    lost in epoch ${reached}, goes on from step ${from}`);
  assert.ok(from > 6, `from step ${from}`);
  await page.locator(".badge .shown").getByText(/^CPU/).waitFor();
  await page.waitForFunction((reached) => Number(document.querySelector(".track").getAttribute("aria-valuenow")) > reached + 5, reached, { timeout: 120_000 });
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Train on" }).waitFor();
  assert.ok(Number(await page.locator(".stats dd").first().innerText()) < 0.5, "what was trained is not lost");
  await page.getByRole("alert").getByRole("button", { name: "Try the GPU again" }).waitFor();
  problems.length = 0;
});
