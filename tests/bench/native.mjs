// Contenders outside the browser: programs of `native/`, where Python has what they import.

import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { top } from "../browser/serving.mjs";

const own = join(top, ".venv", "bin", "python3");
/** `PYTHON`, the project's own environment, or the system's. */
export const python = process.env.PYTHON || (existsSync(own) ? own : "python3");

const MODULES = { torch: "torch", keras: "tensorflow" };
const installed = {};

/** Whether Python has the library. */
export const isInstalled = (of) => (installed[of] ??= spawnSync(python, ["-c", `import importlib.util as u; exit(u.find_spec("${MODULES[of]}") is None)`]).status === 0);

/** A contender with the methods of those in pages; `given` is the folder of what it is given. */
export function program({ of, threads }, given) {
  const child = spawn(python, [join(top, "tests", "bench", "native", `with_${of}.py`), String(threads)], {
    stdio: ["pipe", "pipe", "ignore"],
    env: { ...process.env, OMP_NUM_THREADS: String(threads), CUDA_VISIBLE_DEVICES: "-1" },
  });
  const waiting = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    const { ok, error } = JSON.parse(line);
    const { resolve, reject } = waiting.shift();
    if (error === undefined) resolve(ok);
    else reject(new Error(error));
  });
  child.on("exit", (code) => waiting.splice(0).forEach(({ reject }) => reject(new Error(`it ended with ${code}`))));
  const ask = (ask, rest = {}) => new Promise((resolve, reject) => {
    waiting.push({ resolve, reject });
    child.stdin.write(`${JSON.stringify({ ask, ...rest })}\n`);
  });
  return {
    open: (workload, name) => ask("open", { workload, given: join(given, name) }),
    shown: (count) => ask("shown", { count }),
    time: (times) => ask("time", { times }),
    facts: () => ask("facts"),
    counted: async () => undefined,
    close: async () => void child.kill(),
  };
}
