// What live pictures and the Health tab cost training: minutes, since whatever else the machine does has to average out.

import assert from "node:assert/strict";
import { median } from "./engine.mjs";
import { reachEngine } from "./stepping.mjs";
import { pageTest } from "./support.mjs";

const MOST = 0.1;
const context = { viewport: { width: 1440, height: 900 } };

async function open(page, url) {
  await reachEngine(page);
  await page.goto(`${url}/#/mnist-cnn?backend=cpu&epochs=50`);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
}

pageTest("live pictures slow training by no more than a tenth", { timeout: 1_200_000, context }, async ({ page, url }) => {
  await open(page, url);
  const { pairs, frames } = await page.evaluate(async () => {
    const { engine } = globalThis;
    const { session, views } = engine;
    let frames = 0;
    session.on("frame", () => frames++);
    const chunk = async () => {
      const begun = performance.now();
      await session.train({ steps: 12 });
      return (performance.now() - begun) / 12;
    };
    // The first steps run slow until the optimising compiler has taken over.
    for (let k = 0; k < 5; k++) await chunk();
    const counted = { on: 0, off: 0 };
    const pairs = [];
    for (let pair = 0; pair < 120; pair++) {
      const times = {};
      // Neither is always the first.
      for (const which of pair % 2 ? ["off", "on"] : ["on", "off"]) {
        await (which === "on" ? session.watch(views) : engine.blind());
        const before = frames;
        times[which] = await chunk();
        counted[which] += frames - before;
      }
      pairs.push(times);
    }
    return { pairs, frames: counted };
  });
  const lost = median(pairs.map(({ on, off }) => on / off)) - 1;
  const [on, off] = ["on", "off"].map((which) => median(pairs.map((times) => times[which])));
  const told = `${on.toFixed(1)} ms a step with pictures, ${off.toFixed(1)} without (medians of ${pairs.length}): ${(100 * lost).toFixed(1)} % slower`;
  console.log(`    ${told}; ${frames.on} frames with, ${frames.off} without`);
  assert.ok(frames.on >= pairs.length && frames.off === 0, JSON.stringify(frames));
  assert.ok(lost <= MOST, told);
});

pageTest("the Health tab takes no more than a tenth of the time", { timeout: 600_000, context }, async ({ page, url }) => {
  await open(page, url);
  await page.getByRole("tab", { name: "Health" }).click();
  await page.locator("gs-strip canvas").first().waitFor({ timeout: 60_000 });
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await page.getByText(/Epoch 1 · batch \d+/).waitFor({ timeout: 60_000 });
  await page.waitForTimeout(90_000);
  const reports = await page.evaluate(() => globalThis.engine.reports);
  // The first compiles its plan, once and for all; the next comes as training begins.
  const [from, ...later] = reports.slice(1);
  const passed = later.at(-1).at - from.at;
  const share = later.reduce((sum, { took }) => sum + took, 0) / passed;
  const told = `${later.length} reports of ${median(later.map(({ took }) => took)).toFixed(0)} ms (median) in ${(passed / 1000).toFixed(0)} s: ${(100 * share).toFixed(1)} %`;
  console.log(`    ${told}`);
  assert.ok(later.length >= 3, told);
  assert.ok(share <= MOST, told);
});
