// Counts what is asked of the GPU, by wrapping the few methods that ask it. A plain script: it runs first in a contender's page, and in front of an engine's worker,
// whose counts come over a channel.
(() => {
  const fresh = () => ({ dispatches: 0, submits: 0, written: 0, copied: 0, read: 0, draws: 0, pipelines: 0, compileMs: 0 });
  let counts = fresh();
  const wrap = (type, method, before) => {
    const original = globalThis[type]?.prototype[method];
    if (!original) return;
    globalThis[type].prototype[method] = function (...given) {
      before.apply(this, given);
      return original.apply(this, given);
    };
  };
  wrap("GPUComputePassEncoder", "dispatchWorkgroups", () => counts.dispatches++);
  wrap("GPUComputePassEncoder", "dispatchWorkgroupsIndirect", () => counts.dispatches++);
  wrap("GPUQueue", "submit", () => counts.submits++);
  wrap("GPUQueue", "writeBuffer", (buffer, offset, data, from = 0, size) => (counts.written += size === undefined ? data.byteLength - from : size * (data.BYTES_PER_ELEMENT ?? 1)));
  wrap("GPUCommandEncoder", "copyBufferToBuffer", (...given) => (counts.copied += given.at(-1)));
  wrap("GPUBuffer", "mapAsync", function (mode) {
    if (mode === 1) counts.read += this.size;
  });
  wrap("GPUDevice", "createComputePipeline", () => counts.pipelines++);
  for (const type of ["WebGLRenderingContext", "WebGL2RenderingContext"]) for (const method of ["drawArrays", "drawElements"]) wrap(type, method, () => counts.draws++);

  // How long at least one pipeline was being compiled: only what is compiled asynchronously can be seen.
  let compiling = 0;
  let since = 0;
  const original = globalThis.GPUDevice?.prototype.createComputePipelineAsync;
  if (original) {
    globalThis.GPUDevice.prototype.createComputePipelineAsync = function (...given) {
      counts.pipelines++;
      if (compiling++ === 0) since = performance.now();
      const end = () => {
        if (--compiling === 0) counts.compileMs += performance.now() - since;
      };
      const promise = original.apply(this, given);
      promise.then(end, end);
      return promise;
    };
  }

  const channel = new BroadcastChannel("counts");
  const inWorker = typeof document === "undefined";
  const add = (a, b) => Object.fromEntries(Object.keys(a).map((key) => [key, a[key] + b[key]]));
  let heard = [];
  channel.onmessage = ({ data }) => {
    if (!inWorker) return void (data.counts && heard.push(data.counts));
    if (data === "read") channel.postMessage({ counts });
    if (data === "reset") counts = fresh();
  };
  const moment = () => new Promise((resolve) => setTimeout(resolve, 50));
  globalThis.counts = {
    async reset() {
      counts = fresh();
      channel.postMessage("reset");
      await moment();
    },
    /** The page's own and its workers'. */
    async read() {
      heard = [];
      channel.postMessage("read");
      await moment();
      return heard.reduce(add, { ...counts });
    },
  };
})();
