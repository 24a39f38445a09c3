// What this device can do at most: the bounds that times are compared with. Runs in a worker.

import { HALF, loops } from "./wasm.js";

/** One thread of the CPU. */
export interface CpuBound {
  /** 10⁹ floating-point operations a second, of 128-bit vectors. */
  gflops: number;
  /** Whether multiply-adds are fused. */
  relaxed: boolean;
  /** 10⁹ bytes a second, read and written, of a copy larger than caches. */
  bandwidth: number;
}

export interface GpuBound {
  adapter: string;
  gflops: number;
  bandwidth: number;
  /** Microseconds of a dispatch that does nothing, one of many in a pass. */
  dispatch: number;
  /** Microseconds of a submission of one such dispatch. */
  submit: number;
}

/** Runs `work` again and again for `ms`; the least time of one run, in seconds, since everything that disturbs makes it longer. */
function least(ms: number, work: () => void): number {
  let best = Infinity;
  for (const end = performance.now() + ms; performance.now() < end; ) {
    const began = performance.now();
    work();
    best = Math.min(best, performance.now() - began);
  }
  return best / 1e3;
}

let module: ReturnType<typeof loops> | undefined;

export async function cpuBound(ms: number): Promise<CpuBound> {
  const { relaxed, flopsOfATurn, loops: { multiplyAdds, copy } } = await (module ??= loops());
  const turns = 1 << 18;
  copy(); // memory is there from its first use on
  return {
    relaxed,
    gflops: (turns * flopsOfATurn) / least(ms * 0.6, () => multiplyAdds(turns)) / 1e9,
    bandwidth: (2 * HALF) / least(ms * 0.4, copy) / 1e9,
  };
}

const GROUPS = 4096;
const GROUP = 64;
/** Numbers, not vectors: compilers for GPUs take these apart anyway, and software adapters have as few registers as the CPU. */
const SUMS = 12;
const UNROLLED = 4;
const COPIED = 32 << 20;

/** As many multiply-adds that wait for nothing, a thread, as `turns` times `SUMS` times `UNROLLED`, written as `term`. */
const multiplyAdds = (term: (acc: string) => string): string => {
  const sums = Array.from({ length: SUMS }, (_, k) => `a${k}`);
  const turn = sums.map((acc) => `${acc} = ${term(acc)};`).join(" ");
  return `
@group(0) @binding(0) var<storage, read_write> result: array<f32>;
@group(0) @binding(1) var<uniform> turns: u32;
@compute @workgroup_size(${GROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let x = 0.999 + f32(turns) * 1e-12;
  let y = f32(id.x) * 1e-9;
  ${sums.map((acc, k) => `var ${acc} = ${k}.0;`).join(" ")}
  for (var k = 0u; k < turns; k++) {
    ${Array(UNROLLED).fill(turn).join("\n    ")}
  }
  result[id.x] = ${sums.join(" + ")};
}`;
};

/** `GPUBufferUsage`, which TypeScript's library lacks. */
const USAGE = { COPY_SRC: 4, COPY_DST: 8, UNIFORM: 64, STORAGE: 128 };

const NOTHING = "@compute @workgroup_size(1) fn main() {}";

export async function gpuBound(ms: number): Promise<GpuBound> {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new Error("there is no WebGPU adapter");
  const device = await adapter.requestDevice();
  try {
    return await boundOf(device, [adapter.info.vendor, adapter.info.architecture].filter(Boolean).join(" "), ms);
  } finally {
    device.destroy();
  }
}

async function boundOf(device: GPUDevice, adapter: string, ms: number): Promise<GpuBound> {
  const { queue } = device;
  const pipeline = (code: string) => device.createComputePipelineAsync({ layout: "auto", compute: { module: device.createShaderModule({ code }) } });
  /** Milliseconds from the submission of what `encode` writes until it is done. */
  const time = async (encode: (encoder: GPUCommandEncoder) => void, times = 1): Promise<number> => {
    await queue.onSubmittedWorkDone();
    const began = performance.now();
    for (let k = 0; k < times; k++) {
      const encoder = device.createCommandEncoder();
      encode(encoder);
      queue.submit([encoder.finish()]);
    }
    await queue.onSubmittedWorkDone();
    return performance.now() - began;
  };
  const dispatches = (count: number, of: GPUComputePipeline, groups: number, bind?: GPUBindGroup) => (encoder: GPUCommandEncoder): void => {
    const pass = encoder.beginComputePass();
    pass.setPipeline(of);
    if (bind) pass.setBindGroup(0, bind);
    for (let k = 0; k < count; k++) pass.dispatchWorkgroups(groups);
    pass.end();
  };
  /** The amount of work, doubled until it takes `ms` / 8, and its time. */
  const grown = async (amount: number, most: number, run: (amount: number) => Promise<number>): Promise<{ amount: number; ms: number }> => {
    for (;;) {
      const took = Math.min(await run(amount), await run(amount));
      if (took >= ms / 8 || amount >= most) return { amount, ms: took };
      amount *= 2;
    }
  };

  const result = device.createBuffer({ size: GROUPS * GROUP * 4, usage: USAGE.STORAGE });
  const turns = device.createBuffer({ size: 4, usage: USAGE.UNIFORM | USAGE.COPY_DST });
  // Some drivers make one instruction of the first form alone, some of the second, and a software adapter calls a function for the first.
  const rates = [];
  for (const term of [(acc: string) => `fma(${acc}, x, y)`, (acc: string) => `${acc} * x + y`]) {
    const of = await pipeline(multiplyAdds(term));
    const bind = device.createBindGroup({ layout: of.getBindGroupLayout(0), entries: [result, turns].map((buffer, binding) => ({ binding, resource: { buffer } })) });
    const { amount, ms: took } = await grown(8, 1 << 17, (n) => {
      queue.writeBuffer(turns, 0, new Uint32Array([n]));
      return time(dispatches(1, of, GROUPS, bind));
    });
    rates.push((amount * GROUPS * GROUP * SUMS * UNROLLED * 2) / took / 1e6);
  }

  const [from, to] = [0, 1].map(() => device.createBuffer({ size: COPIED, usage: USAGE.COPY_SRC | USAGE.COPY_DST })) as [GPUBuffer, GPUBuffer];
  const copies = await grown(1, 1 << 12, (n) => time((encoder) => {
    for (let k = 0; k < n; k++) encoder.copyBufferToBuffer(from, 0, to, 0, COPIED);
  }));

  const nothing = await pipeline(NOTHING);
  await time(dispatches(1, nothing, 1));
  const one = await time(dispatches(1, nothing, 1));
  const many = await grown(256, 1 << 14, (n) => time(dispatches(n, nothing, 1)));
  const submits = 32;
  const submitted = await time(dispatches(1, nothing, 1), submits);
  return {
    adapter,
    gflops: Math.max(...rates),
    bandwidth: (2 * COPIED * copies.amount) / copies.ms / 1e6,
    dispatch: (Math.max(0, many.ms - one) / (many.amount - 1)) * 1e3,
    submit: (submitted / submits) * 1e3,
  };
}
