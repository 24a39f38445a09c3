// Contenders that run in Chromium: each in a page of its own, all in one browser.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { launch, npm, serve, top } from "../browser/serving.mjs";

const here = join(top, "tests", "bench");
const file = (...path) => join(here, ...path);

/** A script and what it imports, as one file. Names are kept: TensorFlow.js passes functions to its workers as text. */
async function bundle(entry, options = {}) {
  const esbuild = npm("esbuild");
  const { outputFiles } = await esbuild.build({
    entryPoints: [entry], bundle: true, write: false, format: "esm", target: "es2022", platform: "browser", external: ["/pkg/*"], logLevel: "error",
    minifyWhitespace: true, minifySyntax: true, logOverride: { "direct-eval": "silent" }, ...options,
  });
  return outputFiles[0].contents;
}

const gzipped = (bytes) => gzipSync(bytes, { level: 9 }).length;

/** Opens Chromium and a server for `given` files by name. */
export async function browser({ hardware = false } = {}) {
  const given = new Map();
  const counting = await readFile(file("contenders", "counting.js"), "utf8");
  const scripts = {};
  const smallest = {};
  const source = (name) => (name.startsWith("calibrat") ? join(top, "www", "src", "bench", `${name}.ts`) : file("contenders", `${name}.mjs`));
  const script = (name) => (scripts[name] ??= bundle(source(name)));
  const seen = new Set();
  const made = async (path) => {
    seen.add(path);
    if (path === "/blank.html") return "<!doctype html><title>bench</title>";
    // The engine's worker counts before it does anything else.
    if (path === "/pkg/worker.js") return `${counting}\n${await readFile(join(top, "www", "dist", "pkg", "worker.js"), "utf8")}`;
    if (path.startsWith("/given/")) return given.get(path.slice(7));
    const name = /^\/script\/(\w+)\.js$/.exec(path)?.[1];
    return name && script(name);
  };
  const server = await serve([["/peers/", file("node_modules")], ["/", join(top, "www", "dist")]], { made });
  const chromium = await launch({ software: !hardware });

  /** A page with a script, and what it asks the server for. */
  async function page(name, count = false) {
    const context = await chromium.newContext();
    const opened = await context.newPage();
    const problems = [];
    opened.on("pageerror", (error) => problems.push(error.message));
    opened.on("console", (message) => message.type() === "error" && problems.push(message.text()));
    if (count) await opened.addInitScript(counting);
    await opened.goto(`${server.url}/blank.html`);
    seen.clear();
    await opened.evaluate((address) => import(address), `/script/${name}.js`);
    return { page: opened, problems, close: () => context.close() };
  }

  /** Bytes that a visitor would download for what was opened last, gzipped and minified. */
  async function downloaded(name) {
    const files = [...seen].filter((path) => /^\/(pkg|peers)\//.test(path));
    const sizes = await Promise.all(files.map(async (path) => {
      const from = path.startsWith("/peers/") ? file("node_modules", path.slice(7)) : join(top, "www", "dist", path);
      return gzipped(await readFile(from));
    }));
    // Of Gradscope's own page the script is but the harness; of a peer's it is the library, less a little.
    const library = name === "gradscope" ? 0 : await (smallest[name] ??= bundle(source(name), { minify: true }).then(gzipped));
    return sizes.reduce((sum, size) => sum + size, library);
  }

  return {
    give: (name, bytes) => given.set(name, bytes),
    given: (name) => given.get(name),
    version: chromium.version(),

    /** A contender with the methods of `contenders/host.mjs`. */
    async contender({ of, ...variant }) {
      const { page: opened, problems, close } = await page(of, true);
      const ask = async (method, ...args) => {
        try {
          return await opened.evaluate(([method, args]) => globalThis.bench[method](...args), [method, args]);
        } catch (error) {
          throw new Error([error.message.split("\n")[0].replace(/^page\.evaluate: /, ""), ...problems].join("; "));
        }
      };
      return {
        async open(workload, name) {
          const opening = await ask("open", { ...workload, given: `/given/${name}` }, variant);
          return { ...opening, download: await downloaded(of) };
        },
        shown: (count) => ask("shown", count),
        time: (times) => ask("time", times),
        facts: () => ask("facts"),
        counted: () => ask("counted"),
        initial: (workload, name) => ask("initial", { ...workload, given: `/given/${name}` }, variant),
        close,
      };
    },

    /** Measures what the device can do at most. */
    async calibrator() {
      const { page: opened } = await page("calibrator");
      await opened.evaluate(async () => {
        const { Calibrator } = await import("/script/calibrator.js");
        globalThis.calibrator = new Calibrator(new URL("/script/calibrating.js", location.href));
      });
      return {
        cpu: (threads) => opened.evaluate((threads) => globalThis.calibrator.cpu(threads), threads),
        gpu: () => opened.evaluate(() => globalThis.calibrator.gpu()),
      };
    },

    async close() {
      await chromium.close();
      server.close();
    },
  };
}

/** Versions of the peers, as they are pinned. */
export const pinned = () => createRequire(file("package.json"))("./package.json").dependencies;
