// The page that measures a device: a short measurement, by what is written on it.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { npm, pageTest } from "./support.mjs";

const axe = await readFile(npm.resolve("axe-core/axe.min.js"), "utf8");

pageTest("a device is measured: every figure is one", { timeout: 300_000, context: { permissions: ["clipboard-read", "clipboard-write"] } }, async ({ page, url }) => {
  await page.goto(`${url}/bench.html?quick`);
  await page.getByRole("button", { name: "Measure", exact: true }).click();
  await page.getByRole("progressbar").waitFor();
  await page.getByRole("status").getByText("Done.", { exact: true }).waitFor({ timeout: 280_000 });
  await page.getByRole("button", { name: "Copy as JSON" }).click();
  await page.getByText("Copied.", { exact: true }).waitFor();
  const { bounds, rows, workers } = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  const positive = (of, keys) => keys.forEach((key) => assert.ok(Number.isFinite(of[key]) && of[key] > 0, `${key} is ${of[key]} in ${JSON.stringify(of)}`));
  positive(bounds.cpu1, ["gflops", "bandwidth"]);
  positive(bounds.cpuAll, ["gflops", "bandwidth"]);
  positive(bounds.gpu, ["gflops", "bandwidth", "submit"]);
  assert.equal(rows.length, 2 * (workers > 1 ? 3 : 2));
  for (const row of rows) {
    assert.equal(row.error, undefined);
    positive(row, ["ms", "min", "max", "first", "share", "gflops", "dispatches"]);
  }
  assert.equal(await page.locator("tr.here[data-ms]").count(), rows.length);
});

pageTest("a measurement is stopped, in Chinese, and can begin again", { timeout: 120_000, context: { locale: "zh-CN" } }, async ({ page, url }) => {
  await page.goto(`${url}/bench.html?quick`);
  await page.getByRole("button", { name: "开始测量" }).press("Enter");
  await page.getByRole("button", { name: "停止" }).press("Enter");
  await page.getByText("已停止。", { exact: true }).waitFor({ timeout: 60_000 });
  assert.equal(await page.getByRole("button", { name: "开始测量" }).isEnabled(), true);
});

for (const colorScheme of ["light", "dark"]) {
  for (const viewport of [{ width: 1280, height: 800 }, { width: 390, height: 844 }]) {
    pageTest(`accessible, ${colorScheme}, ${viewport.width} px wide`, { context: { colorScheme, viewport } }, async ({ page, url }) => {
      await page.goto(`${url}/bench.html`);
      await page.getByRole("heading", { name: "Measure this device" }).waitFor();
      await page.evaluate(axe);
      const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
      const { violations } = await page.evaluate((runOnly) => globalThis.axe.run(document, { runOnly }), tags);
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`), []);
      const across = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(across <= 0, `${across} px of sideways scrolling`);
    });
  }
}
