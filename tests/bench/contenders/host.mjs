// The frame of every contender that runs in a page. `open(workload, variant, given)` brings `{ run(times, links), close(), facts? }`: `run` does its work so many
// times, waits until it is done, and gives losses of steps, or outputs.

/** Tensors of a safetensors file by name. */
export async function read(address) {
  const bytes = await (await fetch(address)).arrayBuffer();
  const length = Number(new DataView(bytes).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, length)));
  const tensor = ({ shape, data_offsets: [begin, end] }) => ({ shape, values: new Float32Array(bytes.slice(8 + length + begin, 8 + length + end)) });
  return Object.fromEntries(Object.entries(header).map(([name, of]) => [name, tensor(of)]));
}

/** Batch `k` of given inputs or targets. */
export const batchOf = ({ shape, values }, batch, k) => {
  const size = (values.length / shape[0]) * batch;
  return values.subarray(k * size, (k + 1) * size);
};

const elapsed = async (work) => {
  const began = performance.now();
  const result = await work();
  return { ms: performance.now() - began, result };
};

export function host(open) {
  let workload;
  let opened;
  let first;
  globalThis.bench = {
    /** Opens, and does it once: the first time compiles. */
    async open(of, variant) {
      workload = of;
      const given = await read(of.given);
      const opening = await elapsed(() => open(of, variant, given));
      opened = opening.result;
      const doing = await elapsed(() => opened.run(1, 0));
      first = [...doing.result];
      return { openMs: opening.ms, firstMs: doing.ms };
    },
    /** Losses of the first `count` steps, of which those are taken that were not yet; or the first outputs. */
    async shown(count) {
      if (workload.kind === "train") first.push(...(await opened.run(count - first.length)));
      if (workload.kind === "chain") return [...(await opened.run(1, workload.links))].slice(0, count);
      return first.slice(0, count);
    },
    /** Milliseconds of one step, prediction or link. */
    async time(times) {
      if (workload.kind !== "chain") return (await elapsed(() => opened.run(times))).ms / times;
      const short = await elapsed(() => opened.run(times, 0));
      const long = await elapsed(() => opened.run(times, workload.links));
      return (long.ms - short.ms) / times / workload.links;
    },
    /** What it says of itself, and what it compiled until now. */
    async facts() {
      const { pipelines, compileMs } = (await globalThis.counts?.read()) ?? {};
      return { ...(await opened.facts?.()), pipelines, compileMs };
    },
    /** What a step asks of the GPU. */
    async counted() {
      await globalThis.counts?.reset();
      await opened.run(1, 0);
      return globalThis.counts?.read();
    },
    /** The weights that Gradscope begins with. */
    async initial(of, variant) {
      opened = await open(of, variant, await read(of.given));
      return opened.weights();
    },
    close: () => opened?.close(),
  };
}
