// What may cost work on the page: a worker that dies, a batch for which there is no memory, files that are cut short. Each is said in words, with a way on.

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { idx } from "./own-files.mjs";
import { pageTest } from "./support.mjs";

const ready = (page) => page.locator(".card-in").first().waitFor({ timeout: 60_000 });
const bad = (page) => page.getByRole("alert").locator(".notice.bad");
const epoch = async (page) => Number(await page.locator(".track").getAttribute("aria-valuenow"));
const laterThan = (page, least) => page.waitForFunction((least) => Number(document.querySelector(".track").getAttribute("aria-valuenow")) > least, least, { timeout: 120_000 });

/** The share of the test part that is right now, in percent. */
async function accuracy(page) {
  await page.getByRole("tab", { name: "Evaluate" }).click();
  await page.getByRole("button", { name: "Evaluate now" }).click();
  const shown = page.locator("gs-evaluate dl.big dd").first();
  await shown.waitFor({ timeout: 60_000 });
  await page.getByRole("button", { name: "Evaluate now" }).waitFor({ timeout: 60_000 });
  return Number((await shown.innerText()).replace("%", ""));
}

pageTest("a worker that dies while training: the page says so, and goes on from what it kept", { timeout: 300_000 }, async ({ page, url }) => {
  await page.addInitScript(() => {
    const Native = globalThis.Worker;
    globalThis.engines = [];
    globalThis.Worker = class extends Native {
      constructor(...given) {
        super(...given);
        if (String(given[0]).endsWith("/pkg/worker.js")) globalThis.engines.push(this);
      }
    };
  });
  await page.goto(`${url}/#/mnist-cnn-small?backend=cpu&seed=3&train_examples=3200`);
  await ready(page);
  const untrained = await accuracy(page);
  assert.ok(untrained < 40, `${untrained} % without training`);
  await page.getByRole("button", { name: "Train", exact: true }).click();
  // What is kept is at most 10 s old, or of the last epoch's end.
  await page.waitForTimeout(12_000);
  await laterThan(page, 1.1);
  assert.equal(await bad(page).count(), 0);
  // Ended from outside, as a browser short of memory does.
  const died = await page.evaluate(() => {
    const engine = globalThis.engines.at(-1);
    engine.terminate();
    engine.dispatchEvent(new ErrorEvent("error", { message: "ended by the test" }));
    return globalThis.engines.length;
  });
  await bad(page).getByText(/^The engine stopped: .*ended by the test/).waitFor();
  await page.getByText("the engine stopped", { exact: true }).waitFor();
  const reached = await epoch(page);
  const restart = bad(page).getByRole("button", { name: /^Restart from (epoch|step) [\d,]+$/ });
  await restart.waitFor();
  const [, kind, number] = /(epoch|step) ([\d,]+)$/.exec(await restart.innerText());
  const from = Number(number.replaceAll(",", "")) / (kind === "step" ? 100 : 1);
  console.log(`    died in epoch ${reached}, goes on from ${from}`);
  assert.ok(from > 0 && from <= reached + 1e-6, `from epoch ${from} of ${reached}`);
  await restart.click();
  await bad(page).waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Train on" }).and(page.locator(":enabled")).waitFor({ timeout: 60_000 });
  assert.ok((await page.evaluate(() => globalThis.engines.length)) > died, "a new worker");
  assert.ok(Math.abs((await epoch(page)) - from) < 0.011, `it stands at epoch ${await epoch(page)}, not ${from}`);
  const restored = await accuracy(page);
  console.log(`    ${untrained} % without training, ${restored} % after the restart`);
  assert.ok(restored > untrained + 30, `${restored} %: the weights are not the first ones`);
  await page.getByRole("button", { name: "Train on" }).click();
  await laterThan(page, from + 0.2);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Train on" }).waitFor();
  assert.ok(Number(await page.locator(".stats dd").first().innerText()) < 1, "the loss goes on from where it was");
});

for (const { backend, size, sentence } of [
  { backend: "cpu", size: 48_000, sentence: /^(conv2d )?There is not enough memory for .+ \([\d.,]+ [GM]B\)\.$/ },
  { backend: "webgpu", size: 20_000, sentence: /.+: [\d.,]+ [GM]B in one piece are more than this GPU allows \([\d.,]+ [GM]B\)\.$/ },
]) {
  // In a browser of its own: a software GPU is busy with such a batch for minutes, and draws no page meanwhile.
  pageTest(`a batch that is too large on ${backend}: a press trains with a smaller one`, { timeout: 300_000, flags: [] }, async ({ page, url }) => {
    await page.goto(`${url}/#/mnist-cnn-small?backend=${backend}&batch_size=${size}`);
    let batch = size;
    for (let presses = 0; ; presses++) {
      await page.locator(".notice.bad, .card-in").first().waitFor({ timeout: 60_000 });
      if (!(await bad(page).count())) {
        assert.ok(presses > 0, "it was taken");
        break;
      }
      assert.ok(presses < 8, "each press leads to the next");
      assert.match(await bad(page).locator("span").innerText(), sentence);
      const smaller = bad(page).getByRole("button", { name: /^Try with batches of [\d,]+$/ });
      const next = Number(/[\d,]+$/.exec(await smaller.innerText())[0].replaceAll(",", ""));
      assert.ok(next >= 1 && next < batch, `${next} after ${batch}`);
      if (backend === "cpu") assert.equal(next, batch >> 1);
      batch = next;
      await smaller.click();
      await page.waitForFunction((next) => !document.querySelector(".notice.bad") || [...document.querySelectorAll(".notice.bad button")].every(({ textContent }) => !textContent.replaceAll(",", "").includes(String(next))), next, { timeout: 60_000 });
    }
    console.log(`    ${size} are too many, ${batch} are not`);
    // It trains without another press.
    await page.getByRole("button", { name: "Pause" }).waitFor({ timeout: 60_000 });
    await page.locator(".badge .shown").getByText(backend === "cpu" ? /^CPU/ : /^WebGPU/).waitFor();
    assert.equal(await bad(page).count(), 0);
  });
}

/** The four files of MNIST with a few pictures, in the publishers' packing. */
const official = (n = 40) => {
  const pictures = (count) => idx([count, 28, 28], Array.from({ length: count * 784 }, (_, k) => (k * 7919) & 255));
  const labels = (count) => idx([count], Array.from({ length: count }, (_, k) => k % 10));
  return {
    "train-images-idx3-ubyte.gz": gzipSync(pictures(n)), "train-labels-idx1-ubyte.gz": gzipSync(labels(n)),
    "t10k-images-idx3-ubyte.gz": gzipSync(pictures(10)), "t10k-labels-idx1-ubyte.gz": gzipSync(labels(10)),
  };
};

for (const [what, name, cut] of [
  ["an archive that is cut short", "train-images-idx3-ubyte.gz", (file) => file.subarray(0, file.length >> 1)],
  ["a file that is cut short before it was packed", "t10k-images-idx3-ubyte.gz", () => gzipSync(idx([10, 28, 28], new Uint8Array(784 * 9)))],
]) {
  pageTest(`${what}, dropped where MNIST is not installed: its name is said`, {}, async ({ page, url }) => {
    await page.route(/data\/index\.json$/, (route) => route.fulfill({ json: [] }));
    await page.goto(`${url}/#/mnist-cnn-small?backend=cpu`);
    const input = page.locator("gs-missing input[type=file]");
    await input.waitFor({ state: "attached", timeout: 60_000 });
    const choose = (files) => input.setInputFiles(Object.entries(files).map(([name, buffer]) => ({ name, mimeType: "application/gzip", buffer })));
    const whole = official();
    await choose({ ...whole, [name]: cut(whole[name]) });
    const said = bad(page).locator("span");
    await said.waitFor({ timeout: 30_000 });
    console.log(`    ${await said.innerText()}`);
    assert.match(await said.innerText(), new RegExp(`${name.replaceAll(".", "\\.")} is not a valid \\w+ file: \\w+.*`));
    assert.doesNotMatch(await said.innerText(), /undefined|\[object|panicked/);
    // The whole files may be dropped then.
    await input.waitFor({ state: "attached" });
    await choose(whole);
    await ready(page);
    assert.equal(await bad(page).count(), 0);
  });
}
