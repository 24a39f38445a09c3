// The GPU process is killed while a session trains on WebGPU: training goes on on the CPU from the last snapshot, and the page is told.

import assert from "node:assert/strict";
import { pageTest } from "./support.mjs";

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
  const cdp = await page.context().browser().newBrowserCDPSession();
  await cdp.send("Browser.crashGpuProcess").catch(() => undefined);
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
