// A recurrent layer in the stepper: thousands of ops, of which the page shows one time step at a time, and goes from op to op as quickly as elsewhere.

import assert from "node:assert/strict";
import { serveReviews } from "./reviews.mjs";
import { reachEngine } from "./stepping.mjs";
import { pageTest } from "./support.mjs";

const wide = { viewport: { width: 1440, height: 900 } };

/** Milliseconds that an op may take here, in the median: five minutes for all of them. A page that draws all time steps takes seconds. */
const MOST = 250;

const names = (page) => page.locator(".tensor-cards .tensor-card").evaluateAll((cards) => cards.map((card) => card.dataset.node));

pageTest("of an unrolled layer one time step is shown, and another is a press away", { context: wide, timeout: 240_000 }, async ({ page, url }) => {
  await serveReviews(page);
  await reachEngine(page);
  await page.goto(`${url}/#/sentiment-lstm?seed=7&backend=cpu&batch_size=8`);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  await page.keyboard.press("ArrowRight");
  await page.getByText(/^Nothing is computed yet/).waitFor({ timeout: 60_000 });
  const { ops, place } = await page.evaluate(() => {
    const { ops, nodes } = engine.walk.info;
    return { ops: ops.length, place: ops.findIndex((id) => nodes[id].name === "lstm/t41/forget") };
  });
  assert.ok(ops > 4000 && place > 500, `${ops} ops, the gate is number ${place}`);
  const ticks = await page.locator(".tick").count();
  assert.ok(ticks > 200 && ticks <= 303, `${ticks} ticks`);

  // A press on the track goes to the op under it, though several share a tick.
  const track = await page.locator(".ops").boundingBox();
  await page.mouse.click(track.x + (track.width * (place + 0.5)) / ops, track.y + 10);
  const step = page.locator(".time-steps");
  await step.getByText("Time step t41 of 100").waitFor();
  const at = await page.evaluate(() => engine.walk.info.state.cursor);
  assert.ok(Math.abs(at - place - 1) < ops / track.width + 1, `at ${at} of ${place + 1}`);
  assert.equal(await page.locator(".tick.now").count(), 1);
  const shown = await names(page);
  assert.ok(shown.length > 20 && shown.length < 80, `${shown.length} cards`);
  assert.ok(["lstm/t40/h", "lstm/t40/c", "lstm/t41/forget", "lstm.recurrent_kernel"].every((name) => shown.includes(name)), shown.join(" "));
  assert.deepEqual(shown.filter((name) => /\/t\d+\//.test(name) && !/\/t4[01]\//.test(name)), []);

  // The same gate, a time step on, by button and by keyboard: it is not computed yet.
  await page.locator(`.tensor-card[data-node="lstm/t41/forget"] .tensor-head`).click();
  await step.getByRole("button", { name: "The time step after" }).click();
  await step.getByText("Time step t42 of 100").waitFor();
  await page.locator(".crumbs").getByText("lstm/t42/forget").waitFor();
  await step.getByRole("slider").focus();
  await page.keyboard.press("End");
  await page.locator(".crumbs").getByText("lstm/t99/forget").waitFor();
  assert.equal(await page.evaluate(() => engine.walk.info.state.cursor), at, "an arrow key in the slider leaves the walk where it is");

  const times = await page.evaluate(async (from) => {
    const cursor = () => Number(document.querySelector(".ops").getAttribute("aria-valuenow")) === engine.walk.info.state.cursor && engine.walk.info.state.cursor;
    const times = [];
    for (let goal = from + 1; goal <= from + 40; goal++) {
      const begun = performance.now();
      document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", code: "ArrowRight", bubbles: true, cancelable: true }));
      while (cursor() !== goal) await new Promise((next) => setTimeout(next, 2));
      times.push(performance.now() - begun);
    }
    return times.sort((a, b) => a - b);
  }, at);
  assert.ok(times[20] < MOST, `an op takes ${times[20].toFixed(0)} ms`);
  console.log(`    an op of ${ops}: ${times[20].toFixed(0)} ms (median; ${times[39].toFixed(0)} at most)`);
});

pageTest("gradients over time steps have what clips them beside them", { context: wide, timeout: 240_000 }, async ({ page, url }) => {
  await serveReviews(page);
  await page.goto(`${url}/#/sentiment-lstm?seed=7&backend=cpu&batch_size=8`);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  await page.getByRole("tab", { name: "Health" }).click();
  await page.getByRole("button", { name: "Gradients" }).click();
  const health = page.locator("gs-health");
  await health.locator("gs-over-time").waitFor({ timeout: 60_000 });
  const said = async (pattern) => Number((await health.getByText(pattern).innerText()).match(/([\d.e−-]+)\.$/)[1].replace("−", "-"));
  const norm = await said(/^Nothing is clipped: all gradients together have norm /);
  assert.ok(norm > 0, `${norm}`);
  await health.getByLabel("global_clipnorm").fill("0.5");
  await page.keyboard.press("Tab");
  await health.getByRole("button", { name: "Build it" }).click();
  // The same seed, so the same gradients: what is told is their norm before they are clipped.
  assert.equal(await said(/^All gradients together are scaled down to norm 0\.5 where theirs is larger; now it is /), norm);
});
