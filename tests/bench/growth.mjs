// What a step costs as batch, width and depth grow: Gradscope alone, on the CPU with one worker and with two, and on WebGPU where that is quick enough.

import { batchesOf, noise, safetensors } from "./given.mjs";
import { median } from "./measure.mjs";
import { BATCHES, GPT, WORKLOADS } from "./workloads.mjs";

const BACKENDS = {
  "cpu 1": { of: "gradscope", backend: "cpu", threads: 1 },
  "cpu 2": { of: "gradscope", backend: "cpu", threads: 2 },
  webgpu: { of: "gradscope", backend: "webgpu" },
};

/** A point that takes longer than so many ms ends its line. */
const MOST = 4000;

const cnn = (change) => ({ ...WORKLOADS.cnn, ...change });
const gpt = (change) => ({ ...WORKLOADS.gpt, gpt: { ...GPT, ...change } });

const SERIES = {
  batch: { title: "mnist-cnn as the batch grows", axis: "examples a batch", at: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512], workload: (batch) => cnn({ batch }), per: (batch) => batch },
  width: { title: "GPT as the width grows", axis: "width", at: [32, 64, 128, 256, 512], workload: (width) => gpt({ width }), per: () => 1 },
  depth: { title: "GPT as the depth grows", axis: "blocks", at: [1, 2, 4, 8, 16], workload: (blocks) => gpt({ blocks }), per: () => 1 },
  filters: { title: "mnist-cnn as the filters grow", axis: "times as many filters and units", at: [1, 2, 4, 8], workload: (scale) => cnn({ scale, batch: 16 }), per: () => 1 },
};

async function point(browser, variant, name, workload) {
  // Steps cost the same whatever is learned from; batches of real data are not worth their time here.
  const count = workload.batch * Math.min(BATCHES, 2);
  const given = workload.model === "cnn"
    ? { x: { shape: [count, 28, 28, 1], values: noise(count * 784) }, y: { shape: [count], values: noise(count, 2).map((v) => Math.floor(10 * v)) } }
    : await batchesOf(workload);
  browser.give(name, safetensors(given));
  const opened = await browser.contender(variant);
  try {
    const { firstMs } = await opened.open(workload, name);
    if (firstMs > MOST) return { ms: firstMs, flops: (await opened.facts()).flopsPerStep };
    const warm = await opened.time(3);
    const steps = Math.max(1, Math.min(100, Math.round(500 / warm)));
    const turns = [];
    for (let k = 0; k < 3; k++) turns.push(await opened.time(steps));
    return { ms: median(turns), flops: (await opened.facts()).flopsPerStep };
  } finally {
    await opened.close();
  }
}

/** Lines of points `{ at, ms, flops }` by series and backend. */
export async function growth(browser, say) {
  const lines = [];
  for (const [name, { title, axis, at, workload, per }] of Object.entries(SERIES)) {
    for (const [backend, variant] of Object.entries(BACKENDS)) {
      const points = [];
      for (const value of at) {
        const of = await point(browser, variant, `growth-${name}-${value}`, workload(value)).catch(({ message }) => ({ error: message }));
        say(`growth: ${name} ${value}, ${backend}: ${of.error ?? `${of.ms.toFixed(2)} ms`}`);
        if (of.error) break;
        points.push({ at: value, ...of, perItem: of.ms / per(value) });
        if (of.ms > MOST) break;
      }
      lines.push({ series: name, title, axis, backend, points });
    }
  }
  return lines;
}
