// What every browser test stands on: a static server with the headers of the real one, Chromium with a software WebGPU adapter, and pages
// that fail their test on any error in the console, any uncaptured GPU error and any request to another origin.
//
// Run by `cargo xtask test`; alone: node --test tests/browser/page.test.mjs, after `trunk build`. CHROMIUM names another browser.

import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, normalize } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const top = fileURLToPath(new URL("../../", import.meta.url));
/** Packages live with the page: `npm("axe-core")`. */
export const npm = createRequire(join(top, "www", "package.json"));

/** What the server shows, longest prefix first: the self-test binary, helpers of the tests, the page as Trunk built it. */
const ROOTS = [
  ["/selftest/", process.env.GRADSCOPE_SELFTEST ?? join(top, "target", "selftest-pkg")],
  ["/tests/", join(top, "tests", "browser")],
  ["/", join(top, "www", "dist")],
];

const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript",
  ".json": "application/json",
  ".mjs": "text/javascript",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
};

const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

/** Serves {@link ROOTS} on a free port. `isolated: false` leaves out the headers, as a plain static host would. */
async function serve(isolated) {
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
    const [prefix, root] = ROOTS.find(([prefix]) => path.startsWith(prefix));
    let file = join(root, path.slice(prefix.length));
    if (path.endsWith("/")) file = join(file, "index.html");
    const found = await stat(file).catch(() => undefined);
    if (!found?.isFile()) {
      response.writeHead(404).end(`no ${path}`);
      return;
    }
    const type = TYPES[extname(file)] ?? "application/octet-stream";
    response.writeHead(200, { "Content-Type": type, "Content-Length": found.size, ...(isolated ? ISOLATION : {}) });
    createReadStream(file).pipe(response);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, close };
}

const launch = () =>
  npm("playwright-core").chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });

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
 * Options: `isolated` (default true), `context` (Playwright's options of a context: viewport, colorScheme, locale...), `timeout` in ms.
 */
export function pageTest(name, options, body) {
  const { isolated = true, context: settings = {}, timeout = 120_000 } = options;
  test(name, { timeout }, async () => {
    const server = await serve(isolated);
    browser ??= launch();
    const context = await (await browser).newContext(settings);
    try {
      const page = await context.newPage();
      const problems = watch(page, server.url);
      await body({ page, url: server.url, problems });
      assert.deepEqual(problems, [], "the page reported errors");
    } finally {
      await context.close();
      server.close();
    }
  });
}
