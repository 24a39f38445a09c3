// A static server with the headers of the real one, and Chromium with a software WebGPU adapter: for tests and benchmarks.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

export const top = fileURLToPath(new URL("../../", import.meta.url));
/** Packages live with the page: `npm("axe-core")`. */
export const npm = createRequire(join(top, "www", "package.json"));

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

/**
 * Serves folders on a free port, each below the prefix that is written beside it, longest prefix first. `isolated: false` leaves out the headers, as a plain static host
 * would. `made(path)` may give a file that lies nowhere, as text or bytes.
 */
export async function serve(roots, { isolated = true, made = () => undefined } = {}) {
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
    const [prefix, root] = roots.find(([prefix]) => path.startsWith(prefix));
    let file = join(root, path.slice(prefix.length));
    if (path.endsWith("/")) file = join(file, "index.html");
    const headers = { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream", ...(isolated ? ISOLATION : {}) };
    const content = await made(path);
    if (content !== undefined) {
      response.writeHead(200, headers).end(content);
      return;
    }
    const found = await stat(file).catch(() => undefined);
    if (!found?.isFile()) {
      response.writeHead(404).end(`no ${path}`);
      return;
    }
    response.writeHead(200, { ...headers, "Content-Length": found.size });
    createReadStream(file).pipe(response);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, close };
}

/** Chromium, on a software WebGPU adapter unless it is told to take the machine's own; `flags` are further ones. */
export const launch = ({ software = true, flags = [] } = {}) =>
  npm("playwright-core").chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: [
      "--enable-unsafe-webgpu", ...(software ? ["--use-webgpu-adapter=swiftshader"] : ["--enable-features=Vulkan", "--use-angle=vulkan"]),
      "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync",
      ...flags,
    ],
  });
