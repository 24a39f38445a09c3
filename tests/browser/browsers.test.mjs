// Browsers and hosts that lack what the fastest engine wants: each gets one that it can run, trains with it, and comes to the same losses.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { worst } from "./engine.mjs";
import { pageTest } from "./support.mjs";
import { top } from "./serving.mjs";

const STEPS = 20;
/** The curve of the newest browser, by which the others are judged. */
let newest;

/** No flag takes relaxed SIMD from a browser that has SIMD: its validator is made to say no to the instruction's number. */
const withoutRelaxed = async (path) => {
  if (!path.endsWith("/pkg/worker.js")) return undefined;
  const worker = await readFile(join(top, "www", "dist", "pkg", "worker.js"), "utf8");
  return `const validate = WebAssembly.validate;
WebAssembly.validate = (bytes) => !bytes.some((byte, i) => byte === 0xfd && bytes[i + 1] === 0x85 && bytes[i + 2] === 0x02) && validate(bytes);
${worker}`;
};

const browsers = [
  ["with all that there is", "relaxed-simd", {}],
  ["without relaxed SIMD", "simd128", { made: withoutRelaxed }],
  // V8 has WebAssembly's SIMD only on processors with SSE 4.1.
  ["without SIMD", "scalar", { flags: ["--js-flags=--no-enable-sse4-1"] }],
  ["that no header isolates", "relaxed-simd", { isolated: false }],
];

for (const [name, kind, options] of browsers) {
  pageTest(`a browser ${name} trains on the CPU`, { timeout: 180_000, ...options }, async ({ page, url }) => {
    await page.goto(`${url}/#/mnist-cnn-small?backend=cpu&seed=3`);
    const badge = page.locator(".badge").first();
    await badge.getByText(kind).waitFor({ timeout: 60_000 });
    const losses = await page.evaluate(async (steps) => {
      const gradscope = await import("/pkg/gradscope.js");
      gradscope.configure({ data: new URL("/data/", location.href) });
      const session = await gradscope.createSession({ model: "mnist-cnn", backend: "cpu", seed: 4 });
      const { losses } = await session.train({ steps });
      await session.dispose();
      return [...losses];
    }, STEPS);
    if (kind === "relaxed-simd") newest ??= losses;
    assert.ok(newest, "the newest browser comes first");
    const apart = worst(newest, losses);
    console.log(`    ${kind}: loss ${losses[0].toFixed(4)} to ${losses.at(-1).toFixed(4)}, ${apart.toExponential(1)} apart from relaxed SIMD's`);
    assert.equal(losses.length, STEPS);
    assert.ok(losses.at(-1) < losses[0] && apart < 1e-3, `losses ${losses}`);
  });
}
