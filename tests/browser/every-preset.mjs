// Presets on the page, as a visitor uses them: opened, trained batch by batch, then a whole step op by op.

import assert from "node:assert/strict";
import { reachEngine } from "./stepping.mjs";
import { pageTest } from "./support.mjs";

/** Presets whose test takes seconds, on which backends. */
export const QUICK = {
  cpu: ["backprop-by-hand", "sigmoid-2-2-1", "linear-regression", "mnist-cnn-small", "autoencoder"],
  webgpu: ["backprop-by-hand", "sigmoid-2-2-1", "linear-regression"],
};

/** What a tab may hold: the engine's memory, that of the device, and the heaps of the page and its workers. */
const MOST = 1e9;

/** Asserts that the page's tab holds less than {@link MOST}; returns megabytes. The browser collects garbage before it answers, in its own good time. */
async function holdsLittle(page) {
  const held = await page.evaluate(async () => {
    const { wasmBytes, gpuBytes } = await globalThis.engine.session.memory();
    return { wasmBytes, gpuBytes, heaps: (await performance.measureUserAgentSpecificMemory()).bytes };
  });
  const bytes = held.wasmBytes + held.gpuBytes + held.heaps;
  assert.ok(bytes < MOST, `the tab holds ${JSON.stringify(held)}`);
  return Math.round(bytes / 1e6);
}

/** What a fresh page is given before it has a session: the largest set is 139 MB. */
const OPENING = 180_000;

/** Calls `press` and waits until the walk or the run stands `at`, all in the page: a step of a recurrent net is thousands of ops. */
const pressUntil = (page, key, from, to, where) =>
  page.evaluate(async ({ key, from, to, where }) => {
    const at = new Function(`return ${where}`);
    for (let goal = from; goal <= to; goal++) {
      document.body.dispatchEvent(new KeyboardEvent("keydown", { ...key, bubbles: true, cancelable: true }));
      const begun = performance.now();
      while (at() !== goal) {
        // A step may end an epoch, whose evaluation takes a software GPU a minute or two.
        if (performance.now() - begun > 300_000) throw new Error(`${key.code}: at ${at()} of ${goal}; the page says ${document.querySelector("gs-notices")?.textContent}`);
        await new Promise((next) => setTimeout(next, 2));
      }
    }
  }, { key, from, to, where });

/**
 * A test that a preset trains for 20 steps on a backend, that the step after them can be walked to its end, and, if it is to be `weighed`, that the
 * tab holds less than {@link MOST} when it is open, with the batch that the preset comes with, and at the end of the walk. `batch` is for devices that would take hours:
 * 20 steps of smaller batches, and a walk through one.
 */
export function presetTest(name, backend, { timeout = 300_000, data = "", batch, weighed = false } = {}) {
  const title = `${name}${data && ` on ${data}`}`;
  pageTest(`preset ${title} on ${backend}: 20 steps, and one op by op`, { timeout, context: { viewport: { width: 1440, height: 900 } } }, async ({ page, url }) => {
    await reachEngine(page);
    const open = async (more) => {
      await page.goto(`${url}/#/${name}?backend=${backend}&seed=3${data && `&data=${data}`}${more}`);
      await page.waitForFunction(() => globalThis.engine?.session && document.querySelector(".transport .play")?.disabled === false, undefined, { timeout: OPENING });
    };
    await open("");
    const held = [];
    const weigh = async () => weighed && held.push(await holdsLittle(page));
    await weigh();
    if (batch) {
      await page.goto("about:blank");
      await open(`&batch_size=${batch}`);
    }
    const used = await page.evaluate(() => {
      const { engine } = globalThis;
      engine.losses = [];
      engine.session.on("progress", ({ losses }) => engine.losses.push(...losses));
      return engine.session.info.backend;
    });
    assert.equal(used, backend);
    const taken = "document.querySelector('.transport-buttons button:nth-child(3)')?.disabled ? -1 : engine.losses.length";
    await pressUntil(page, { key: "ArrowRight", code: "ArrowRight", altKey: true }, 1, 20, taken);
    const losses = await page.evaluate(() => engine.losses);
    assert.equal(losses.length, 20);
    assert.ok(losses.every(Number.isFinite), `losses ${losses}`);

    await page.keyboard.press("ArrowRight");
    await page.getByText(/^Nothing is computed yet/).waitFor({ timeout: 60_000 });
    const { ops, forward } = await page.evaluate(() => ({ ops: engine.walk.info.ops.length, forward: engine.walk.info.forwardEnd }));
    const cursor = "Number(document.querySelector('.ops')?.getAttribute('aria-valuenow')) === engine.walk.info.state.cursor ? engine.walk.info.state.cursor : -1";
    const begun = performance.now();
    await pressUntil(page, { key: "ArrowRight", code: "ArrowRight" }, 1, ops, cursor);
    const each = (performance.now() - begun) / ops;
    await weigh();
    const { loss, shown } = await page.evaluate(() => ({ loss: engine.walk.info.state.loss, shown: document.querySelectorAll(".tensor-card").length }));
    assert.ok(Number.isFinite(loss) && forward > 0 && shown > 0, `loss ${loss}, ${shown} cards`);
    console.log(`    losses ${losses[0].toFixed(4)} to ${losses[19].toFixed(4)}; ${ops} ops at ${each.toFixed(0)} ms; the step's loss ${loss.toFixed(4)}${weighed ? `; the tab holds ${held.join(", then ")} MB` : ""}`);
  });
}
