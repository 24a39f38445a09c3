// Browsers without WebGPU: older ones do not know it at all, and where no driver will do there is no adapter. Both train on the CPU, and say why.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pageTest } from "./support.mjs";
import { top } from "./serving.mjs";

const NOTE = "This browser has no WebGPU. Training runs on the CPU; everything works, large models more slowly.";

/** Takes `navigator.gpu` away, as in a browser that does not know it. */
const forget = "delete (globalThis.Navigator ?? WorkerNavigator).prototype.gpu;";

/** No flag takes `navigator.gpu` from Chromium: it is taken away before the worker's first line. */
const unknowing = async (path) => (path.endsWith("/pkg/worker.js") ? `${forget}\n${await readFile(join(top, "www", "dist", "pkg", "worker.js"), "utf8")}` : undefined);

const browsers = [
  // The software adapter is asked for, and may not be used.
  { name: "without an adapter", gpu: "object", reason: /adapter/, options: { flags: ["--disable-gpu", "--disable-software-rasterizer"] }, prepare: () => undefined },
  { name: "that does not know WebGPU", gpu: "undefined", reason: /./, options: { made: unknowing }, prepare: (page) => page.addInitScript(forget) },
];

/** What a page, and the engine's own worker, have of WebGPU: it is asked through a worker that starts as the engine's does. */
const probe = (page) =>
  page.evaluate(async () => {
    const asked = async () => [typeof navigator.gpu, (await navigator.gpu?.requestAdapter()) ?? null];
    const source = `import(${JSON.stringify(new URL("/pkg/worker.js", location.href).href)}).catch(() => undefined).then(${asked}).then((told) => postMessage(told))`;
    const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), { type: "module" });
    const inWorker = await new Promise((done) => worker.addEventListener("message", ({ data }) => Array.isArray(data) && done(data)));
    worker.terminate();
    return { inPage: await asked(), inWorker };
  });

const note = (page) => page.getByRole("status").getByText(NOTE, { exact: true });
const badge = (page) => page.locator(".badge .shown");

/** Trains until several batches are done, then stands still. */
async function trains(page) {
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await page.getByText(/Epoch 1 · batch ([3-9]|\d{2,}) of/).waitFor({ timeout: 60_000 });
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Train on" }).waitFor();
  assert.match(await page.locator(".stats dd").first().innerText(), /^\d\.\d{4}$/, "the loss");
}

for (const { name, gpu, reason, options, prepare } of browsers) {
  pageTest(`a browser ${name}: a quiet note, and the CPU trains`, { timeout: 180_000, ...options }, async ({ page, url, problems }) => {
    await prepare(page);
    await page.goto(`${url}/#/mnist-cnn-small?seed=3`);
    assert.deepEqual(await probe(page), { inPage: [gpu, null], inWorker: [gpu, null] });
    await note(page).waitFor({ timeout: 60_000 });
    await badge(page).getByText(/^CPU/).waitFor({ timeout: 60_000 });
    assert.equal(await page.locator(".badge select").inputValue(), "auto");
    assert.equal(await page.locator(".notice.bad").count(), 0, "it is no error");
    await trains(page);
    assert.match(await badge(page).innerText(), /^CPU/);
    await page.getByRole("button", { name: "Understood" }).click();
    await note(page).waitFor({ state: "detached" });
    await page.reload();
    await badge(page).getByText(/^CPU/).waitFor({ timeout: 60_000 });
    assert.equal(await note(page).count(), 0, "it is not said twice");
    assert.deepEqual(problems, []);
  });

  pageTest(`a browser ${name}: the package refuses WebGPU with a typed error, and chooses the CPU itself`, { timeout: 180_000, ...options }, async ({ page, url }) => {
    await prepare(page);
    await page.goto(`${url}/tests/blank.html`);
    const { report, refused, info, losses } = await page.evaluate(async () => {
      const gradscope = await import("/pkg/gradscope.js");
      gradscope.configure({ data: new URL("/data/", location.href) });
      const report = await gradscope.backends();
      const refused = await gradscope.createSession({ model: "mnist-cnn-small", backend: "webgpu" }).then(
        () => undefined,
        (error) => ({ typed: error instanceof gradscope.GradscopeError, code: error.code, message: error.message, reason: error.args?.reason }),
      );
      const session = await gradscope.createSession({ model: "mnist-cnn-small", backend: "auto", seed: 3 });
      const { losses } = await session.train({ steps: 20 });
      const { info } = session;
      await session.dispose();
      return { report, refused, info, losses: [...losses] };
    });
    assert.ok(!report.webgpu, JSON.stringify(report));
    assert.ok(refused?.typed, JSON.stringify(refused));
    assert.equal(refused.code, "no_web_gpu");
    assert.match(refused.reason, reason);
    assert.doesNotMatch(refused.reason, /undefined|null|Error:|\[object/, "in words");
    assert.equal(refused.message, `WebGPU is not available: ${refused.reason}`);
    console.log(`    ${refused.message}`);
    assert.equal(info.backend, "cpu");
    assert.ok(losses.length === 20 && losses.at(-1) < losses[0], `losses ${losses}`);
  });

  pageTest(`a browser ${name}: an address that asks for WebGPU says so, and a press opens it on the CPU`, { timeout: 180_000, ...options }, async ({ page, url }) => {
    await prepare(page);
    await page.goto(`${url}/#/mnist-cnn-small?backend=webgpu`);
    const alert = page.locator(".notice.bad");
    await alert.getByText(/^WebGPU is not available: ./).waitFor({ timeout: 60_000 });
    await alert.getByRole("button", { name: "Use the CPU" }).click();
    await alert.waitFor({ state: "detached" });
    await badge(page).getByText(/^CPU/).waitFor({ timeout: 60_000 });
    await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
    assert.equal(await page.locator(".badge select").inputValue(), "cpu");
    await trains(page);
    assert.equal(await alert.count(), 0);
  });
}
