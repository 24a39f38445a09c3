// `cargo xtask bench`: times of Gradscope and its peers in one run, side by side. See BENCHMARKS.md.
//
//   node tests/bench/bench.mjs [--rounds N] [--only WORKLOAD,...] [--with TEXT,...] [--growth] [--hardware] [--keep]
//
// --only   those workloads (`workloads.mjs`) alone; --with: those contenders whose names contain one of the texts
// --growth Gradscope's step as batch, width and depth grow
// --hardware the machine's own WebGPU adapter instead of the software one
// --keep   writes what was measured to BENCHMARKS.md, its charts and the page `bench.html`

import { mkdir, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { top } from "../browser/serving.mjs";
import { growth } from "./growth.mjs";
import { measure } from "./measure.mjs";
import { browser as openBrowser, pinned } from "./pages.mjs";
import { keep } from "./report/keep.mjs";
import { table } from "./report/table.mjs";
import { CONTENDERS, WORKLOADS } from "./workloads.mjs";

const results = join(top, "tests", "bench", "results");

function options() {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "5" }, only: { type: "string" }, with: { type: "string" },
      growth: { type: "boolean", default: false }, hardware: { type: "boolean", default: false }, keep: { type: "boolean", default: false },
    },
  });
  const names = values.only?.split(",") ?? (values.growth ? [] : Object.keys(WORKLOADS));
  const unknown = names.find((name) => !WORKLOADS[name]);
  if (unknown) throw new Error(`there is no workload ${unknown}; there are ${Object.keys(WORKLOADS).join(", ")}`);
  const wanted = values.with?.split(",") ?? [""];
  const contenders = Object.keys(CONTENDERS).filter((name) => wanted.some((text) => name.includes(text)));
  if (contenders.length === 0) throw new Error(`there is no contender ${values.with}; there are ${Object.keys(CONTENDERS).join(", ")}`);
  const rounds = Number(values.rounds);
  if (!(rounds >= 1)) throw new Error(`--rounds ${values.rounds} is no number of rounds`);
  return { ...values, names, contenders, rounds };
}

async function main() {
  const { names, contenders, rounds, hardware, ...asked } = options();
  const browser = await openBrowser({ hardware });
  const say = (line) => process.stderr.write(`${line}\n`);
  try {
    const calibrator = await browser.calibrator();
    const report = {
      date: new Date().toISOString().slice(0, 10), browser: `Chromium ${browser.version}`, cores: cpus().length, cpu: cpus()[0]?.model.trim(), memory: Math.round(totalmem() / 2 ** 30),
      peers: pinned(), bounds: { cpu1: await calibrator.cpu(1), cpu2: await calibrator.cpu(2), gpu: await calibrator.gpu().catch(({ message }) => ({ error: message })) },
      workloads: [],
    };
    for (const name of names) {
      const measured = await measure(name, { browser, calibrator, contenders, folder: join(results, "given"), rounds, say });
      report.workloads.push(measured);
      console.log(table(measured));
    }
    if (asked.growth) report.growth = await growth(browser, say);
    await mkdir(results, { recursive: true });
    const file = join(results, `${new Date().toISOString().replace(/[:.]/g, "-")}.json`);
    await writeFile(file, `${JSON.stringify(report, undefined, 1)}\n`);
    console.log(`\nwritten to ${file}`);
    if (asked.keep) console.log(`kept in ${(await keep(report)).join(", ")}`);
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
});
