// How long a visitor's large data take to be read and opened, and that the page is not held up meanwhile: figures of BENCHMARKS.md.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bmp } from "./own-files.mjs";
import { npm, pageTest } from "./support.mjs";

const { zipSync } = npm("fflate");
/** Milliseconds of the longest task of the page's main thread. */
const HELD_UP = 400;

const FILES = {
  "200,000 rows of 10 columns.csv": () => ["a,b,c,d,e,f,g,h,i,kind", ...Array.from({ length: 200_000 }, (_, k) => `${Array.from({ length: 9 }, (_, c) => ((k * 7919 * (c + 1)) % 10_007) / 100).join(",")},${"xyz"[k % 3]}`)].join("\n"),
  "10,000 images of 28x28.zip": () => zipSync(Object.fromEntries(Array.from({ length: 10_000 }, (_, k) => [`${k % 10}/${k}.bmp`, [bmp(28, 28, (x, y) => (x * (k % 10) + y * 3 + k) & 255), { level: 1 }]]))),
  "30 million characters.txt": () => "The quick brown fox jumps over the lazy dog, and then some.\n".repeat(500_000),
};

pageTest("large data of one's own are read beside the page", { timeout: 300_000 }, async ({ page, url }) => {
  const folder = await mkdtemp(join(tmpdir(), "own-data-"));
  try {
    await page.goto(`${url}/#/sigmoid-2-2-1`);
    await page.locator(".grid-numbers td").nth(8).waitFor();
    await page.evaluate(() => {
      globalThis.longest = 0;
      new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => (globalThis.longest = Math.max(globalThis.longest, duration)))).observe({ entryTypes: ["longtask"] });
    });
    for (const [name, make] of Object.entries(FILES)) {
      await writeFile(join(folder, name), make());
      await page.getByRole("button", { name: "Your own data" }).click();
      const dialog = page.getByRole("dialog", { name: "Your own data" });
      await dialog.waitFor();
      await page.evaluate(() => (globalThis.longest = 0));
      let began = performance.now();
      await dialog.getByLabel("Choose files").setInputFiles(join(folder, name));
      await dialog.getByRole("button", { name: "Use", exact: true }).waitFor({ timeout: 120_000 });
      const read = performance.now() - began;
      began = performance.now();
      await dialog.getByRole("button", { name: "Use", exact: true }).click();
      await dialog.waitFor({ state: "detached", timeout: 120_000 });
      const opened = performance.now() - began;
      const longest = await page.evaluate(() => globalThis.longest);
      console.log(`    | ${name} | ${(read / 1000).toFixed(1)} | ${(opened / 1000).toFixed(1)} | ${Math.round(longest)} |`);
      assert.ok(longest <= HELD_UP, `${name}: the page was held up for ${longest} ms`);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
