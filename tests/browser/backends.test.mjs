// Every kernel, every op's samples and gradients, and what plans need of a backend, in a real browser: WebGPU's compiler there is not naga,
// and the SIMD instructions are not the native ones.

import assert from "node:assert/strict";
import { pageTest } from "./support.mjs";

for (const [backend, binary, worker] of [["cpu", "plain", false], ["cpu", "base", false], ["cpu", "relaxed", false], ["webgpu", "base", true]]) {
  pageTest(`kernels and samples on ${backend}, ${binary} SIMD`, { timeout: 900_000 }, async ({ page, url }) => {
    await page.goto(`${url}/tests/blank.html`);
    const { adapter, outcomes } = await page.evaluate(
      ({ backend, worker, address }) => {
        const source = `
          const core = await import("${address}");
          await core.default();
          const adapter = "${backend}" === "webgpu" ? await core.probe_adapter() : undefined;
          const outcomes = await core.run_suite("${backend}");`;
        if (!worker) return new (async () => {}).constructor(`${source} return { adapter, outcomes };`)();
        // As the engine does: in a dedicated worker.
        const script = `(async () => { ${source} return { adapter, outcomes }; })().then(postMessage, (error) => postMessage({ error: String(error.stack ?? error) }));`;
        const thread = new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })), { type: "module" });
        return new Promise((resolve, reject) => {
          thread.onerror = (event) => reject(new Error(event.message));
          thread.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data));
        });
      },
      { backend, worker, address: `${url}/selftest/gradscope_selftest_${binary}.js` },
    );
    const worst = [...outcomes].sort((a, b) => b.difference - a.difference).slice(0, 5);
    console.log(`    ${outcomes.length} checks${adapter ? ` on ${adapter.name}` : ""}, worst ${worst.map((o) => `${o.difference.toExponential(1)} ${o.name}`).join(", ")}`);
    if (adapter) assert.ok(adapter.name && adapter.software, `the adapter is ${JSON.stringify(adapter)}`);
    assert.ok(outcomes.length > 500, `only ${outcomes.length} checks`);
    assert.deepEqual(outcomes.filter((o) => o.failure).map((o) => `${o.name}: ${o.failure}`), []);
  });
}

pageTest("what suits the GPU is found out once and kept by the browser", { timeout: 300_000 }, async ({ page, url }) => {
  await page.goto(`${url}/tests/blank.html`);
  const tuned = () =>
    page.evaluate((address) => {
      const script = `import("${address}").then(async (core) => { await core.default(); return core.tune_adapter(); }).then(postMessage, (error) => postMessage({ error: String(error.stack ?? error) }));`;
      const thread = new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })), { type: "module" });
      return new Promise((resolve, reject) => {
        thread.onerror = (event) => reject(new Error(event.message));
        thread.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data));
      });
    }, `${url}/selftest/gradscope_selftest_base.js`);
  const first = await tuned();
  console.log(`    ${first.products}`);
  // A software adapter emulates workgroup memory, which the others share.
  assert.match(first.products, /^registers-/);
  assert.equal(first.known, false);
  assert.deepEqual(await tuned(), { products: first.products, known: true });
  // What no kernels are named is found out again.
  await page.evaluate(async () => {
    for (const name of await caches.keys()) {
      const store = await caches.open(name);
      for (const request of await store.keys()) await store.put(request, new Response("nonsense"));
    }
  });
  assert.equal((await tuned()).known, false);
});
