// The GPU process is killed while a session trains or is walked through on WebGPU: it goes on on the CPU from the last snapshot, and the page is told.

import assert from "node:assert/strict";
import { pageTest } from "./support.mjs";

/** Ends the GPU process, as a driver that crashes does. */
async function loseGpu(page) {
  const cdp = await page.context().browser().newBrowserCDPSession();
  await cdp.send("Browser.crashGpuProcess").catch(() => undefined);
}

pageTest("a lost GPU: training goes on on the CPU", { timeout: 300_000 }, async ({ page, url, problems }) => {
  await page.goto(`${url}/tests/blank.html`);
  await page.evaluate(async () => {
    const gradscope = await import("/pkg/gradscope.js");
    gradscope.configure({ data: new URL("/data/", location.href) });
    const session = await gradscope.createSession({ model: "mnist-cnn-small", backend: "webgpu", seed: 4 });
    globalThis.lost = new Promise((resolve) => session.on("deviceLost", resolve));
    globalThis.under_way = new Promise((resolve) => session.on("progress", resolve));
    globalThis.result = session.train({ steps: 60 }).then(({ losses, steps }) => ({ losses: [...losses], steps, backend: session.info.backend }));
  });
  await page.evaluate(() => globalThis.under_way);
  await loseGpu(page);
  const event = await page.evaluate(() => globalThis.lost);
  const result = await page.evaluate(() => globalThis.result);
  assert.equal(event.info.backend, "cpu");
  assert.equal(result.backend, "cpu");
  assert.equal(result.steps, 60);
  assert.ok(result.losses.every(Number.isFinite));
  assert.ok(result.losses.at(-1) < 0.8 * result.losses[0], "what was trained is not lost");
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
