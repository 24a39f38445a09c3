// The page itself, as it is served.

import assert from "node:assert/strict";
import { pageTest } from "./support.mjs";

pageTest("the page loads, cross-origin isolated, without an error", {}, async ({ page, url }) => {
  const answer = await page.goto(url, { waitUntil: "networkidle" });
  assert.equal(answer.status(), 200);
  assert.match(await page.title(), /Gradscope/);
  assert.equal(await page.evaluate(() => crossOriginIsolated), true);
});

pageTest("the page loads where no header isolates it", { isolated: false }, async ({ page, url }) => {
  await page.goto(url, { waitUntil: "networkidle" });
  assert.match(await page.title(), /Gradscope/);
  assert.equal(await page.evaluate(() => crossOriginIsolated), false);
});
