// What every browser test stands on: pages that fail their test on any error in the console, any uncaptured GPU error and any request to another origin.
//
// Run by `cargo xtask test`; alone: node --test tests/browser/page.test.mjs, after `trunk build`. CHROMIUM names another browser.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { launch, npm, serve, top } from "./serving.mjs";

export { npm };

/** What the server shows: the self-test binary, helpers of the tests, the page as Trunk built it. */
const ROOTS = [
  ["/selftest/", process.env.GRADSCOPE_SELFTEST ?? join(top, "target", "selftest-pkg")],
  ["/tests/", join(top, "tests", "browser")],
  ["/", join(top, "www", "dist")],
];

let browser;
after(async () => (await browser)?.close());

/** What a page did that no page may do. */
function watch(page, origin) {
  const problems = [];
  page.on("pageerror", (error) => problems.push(`uncaught: ${error.stack ?? error}`));
  page.on("console", (message) => {
    const uncapturedGpuError = message.type() === "warning" && /\[Invalid |uncaptured|WebGPU: too many/i.test(message.text());
    if (message.type() === "error" || uncapturedGpuError) problems.push(`console: ${message.text()} (${message.location().url})`);
  });
  page.on("request", (request) => {
    const { protocol } = new URL(request.url());
    if (!request.url().startsWith(origin) && !["blob:", "data:"].includes(protocol)) problems.push(`another origin: ${request.url()}`);
  });
  return problems;
}

/**
 * A test on a fresh page of a fresh profile. The body gets `{ page, url, problems }`; the page stands at `about:blank`. A body that
 * provokes errors on purpose empties `problems` when it has looked at them.
 *
 * Options: `isolated` (default true), `made` (files that lie nowhere, see `serve`), `flags` (of a browser of its own), `context` (Playwright's options of
 * a context: viewport, colorScheme, locale...), `timeout` in ms.
 */
export function pageTest(name, options, body) {
  const { isolated = true, made, flags, context: settings = {}, timeout = 120_000 } = options;
  test(name, { timeout }, async () => {
    const server = await serve(ROOTS, { isolated, made });
    const own = flags && launch({ flags });
    let context;
    try {
      context = await (await (own ?? (browser ??= launch()))).newContext(settings);
      const page = await context.newPage();
      const problems = watch(page, server.url);
      await body({ page, url: server.url, problems });
      assert.deepEqual(problems, [], "the page reported errors");
    } finally {
      await context?.close();
      await (await own)?.close();
      server.close();
    }
  });
}
