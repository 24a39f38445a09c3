// How fast the stepper answers on mnist-cnn, CPU backend: an op on the screen within 50 ms, the inspector behind the pointer with 16 ms of the page's thread.

import assert from "node:assert/strict";
import { median } from "./engine.mjs";
import { reachEngine } from "./stepping.mjs";
import { pageTest } from "./support.mjs";

const context = { viewport: { width: 1440, height: 900 } };

/** Opens the walk through a few steps' successor: of the batch of 64, or of its first sample. */
async function openWalk(page, url, subject) {
  await reachEngine(page);
  await page.goto(`${url}/#/mnist-cnn?backend=cpu`);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  // The first calls run slow until the optimising compiler has taken over.
  await page.evaluate(() => globalThis.engine.session.train({ steps: 20 }));
  await page.keyboard.press("ArrowRight");
  await page.getByText(/^Nothing is computed yet/).waitFor();
  if (subject === "sample") {
    await page.getByRole("button", { name: "This sample" }).click();
    await page.waitForFunction(() => globalThis.engine.walk.info.batch === 1);
  }
  await page.locator(".ops").focus();
}

/** Presses an arrow so many times; returns the milliseconds from each press to the frame in which all that it changes is shown. */
const pressAndWait = (page, key, count) =>
  page.evaluate(async ({ key, count }) => {
    const frame = () => new Promise((next) => requestAnimationFrame(next));
    const painted = async () => {
      await frame();
      await new Promise((next) => setTimeout(next, 0));
    };
    const ops = document.querySelector(".ops");
    const shown = (cursor) => {
      const [position, heading] = [document.querySelector(".position"), document.querySelector(".cell-head h2")?.textContent ?? ""];
      return ops.getAttribute("aria-valuenow") === String(cursor) && position.textContent.includes(` ${cursor} `)
        && globalThis.engine.walk.info.state.cursor === cursor && heading.startsWith(position.querySelector("b").textContent.trim())
        && document.querySelector(".equations[aria-busy=false]") && !document.querySelector("gs-tensor.pending");
    };
    const times = [];
    for (let k = 0; k < count; k++) {
      const cursor = Number(ops.getAttribute("aria-valuenow")) + (key === "ArrowRight" ? 1 : -1);
      await painted();
      const begun = performance.now();
      ops.dispatchEvent(new KeyboardEvent("keydown", { key, code: key, bubbles: true, cancelable: true }));
      while (!shown(cursor)) {
        if (performance.now() - begun > 10_000) throw new Error(`op ${cursor} is not shown: ${document.querySelector(".cell-head")?.textContent}`);
        await frame();
      }
      await painted();
      times.push(performance.now() - begun);
    }
    return times;
  }, { key, count });

for (const subject of ["batch", "sample"]) {
  pageTest(`an op of mnist-cnn shows within 50 ms, of the ${subject}, forward and back`, { timeout: 300_000, context }, async ({ page, url }) => {
    await openWalk(page, url, subject);
    const count = Number(await page.locator(".ops").getAttribute("aria-valuemax"));
    const [forward, back] = [await pressAndWait(page, "ArrowRight", count), await pressAndWait(page, "ArrowLeft", count - 1)];
    const told = (times) => `${median(times).toFixed(0)} ms (median; ${Math.min(...times).toFixed(0)} to ${Math.max(...times).toFixed(0)})`;
    console.log(`    ${count} ops of the ${subject}: forward ${told(forward)}, back ${told(back)}`);
    assert.ok(median(forward) <= 50, told(forward));
    assert.ok(median(back) <= 50, told(back));
  });
}

pageTest("the inspector follows the pointer with at most 16 ms of the page's thread", { timeout: 300_000, context }, async ({ page, url }) => {
  await openWalk(page, url, "batch");
  await pressAndWait(page, "ArrowRight", 6);
  const box = await page.locator("gs-tensor:not(.hatch)").last().boundingBox();
  const devtools = await page.context().newCDPSession(page);
  // Time of this thread alone, so that what else the machine does does not count.
  await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
  const spent = async () => {
    const { metrics } = await devtools.send("Performance.getMetrics");
    const of = (name) => metrics.find((metric) => metric.name === name).value;
    return 1000 * of("TaskDuration");
  };
  const heading = () => page.locator(".cell-head h2").innerText();
  const idle = [];
  const work = [];
  const seen = new Set();
  for (let k = 0; k < 60; k++) {
    const before = await spent();
    await page.waitForTimeout(120);
    const still = await spent();
    const turn = (0.618 * k) % 1;
    await page.mouse.move(box.x + box.width * (0.1 + 0.8 * turn), box.y + box.height * (0.1 + (0.8 * k) / 60));
    await page.waitForTimeout(120);
    const after = await spent();
    idle.push(still - before);
    work.push(after - still);
    await page.locator(".equations[aria-busy=false]").waitFor();
    seen.add(await heading());
  }
  console.log(`    ${seen.size} cells: ${median(work).toFixed(1)} ms a move (median; ${Math.max(...work).toFixed(1)} at most), ${median(idle).toFixed(1)} ms when nothing moves`);
  assert.ok(seen.size >= 40, `the inspector showed but ${seen.size} cells`);
  assert.ok(median(work) <= 16, `${median(work)} ms a move`);
});
