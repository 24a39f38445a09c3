// One workload: every contender opened, shown to compute the same, and then timed in turns.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { batchesOf, safetensors } from "./given.mjs";
import { isInstalled, program } from "./native.mjs";
import { CONTENDERS, takesPart, WORKLOADS } from "./workloads.mjs";

/** Steps whose losses are compared, where a step is quick. */
const SHOWN = 20;
/** What takes longer than so many ms counts as slow: it gets one step a turn, in two turns. */
const SLOW = 1500;
const SLOW_ROUNDS = 2;
/** About how many ms a turn takes. */
const TURN = 800;
/** Seconds after which a contender is given up. */
const PATIENCE = 240;
/** Relative difference from which something computes another thing. */
const OFF = 2e-3;

export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};

const spread = (values) => ({ median: median(values), min: Math.min(...values), max: Math.max(...values), rounds: values.length });

/** How far two rows of numbers are apart, of the larger's size. */
function apart(ours, theirs) {
  const count = Math.min(ours.length, theirs.length);
  const norm = (of) => Math.hypot(...of);
  const difference = Array.from({ length: count }, (_, k) => ours[k] - theirs[k]);
  return norm(difference) / Math.max(norm(ours.slice(0, count)), 1e-30);
}

/** Batches, and the weights that Gradscope begins with, in the file that all are given. */
async function give(browser, folder, name) {
  const workload = WORKLOADS[name];
  const given = await batchesOf(workload);
  browser.give(name, safetensors(given));
  if (workload.kind !== "chain") {
    const reference = await browser.contender({ of: "gradscope", backend: "cpu", threads: 1 });
    const weights = await reference.initial(workload, name);
    await reference.close();
    browser.give(name, safetensors({ ...given, ...tensorsOf(weights) }));
  }
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), browser.given(name));
}

/** What a contender answers, unless it takes too long. */
async function within(promise) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`it took more than ${PATIENCE} s`)), PATIENCE * 1e3)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function timed(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

const tensorsOf = (weights) => Object.fromEntries(Object.entries(weights).map(([name, { shape, values }]) => [name, { shape, values: Float32Array.from(Object.values(values)) }]));

/** Opens a contender, unless something stands in its way: then the row says what. */
async function enter(browser, folder, name, contender) {
  const of = CONTENDERS[contender];
  const row = { contender, threads: of.threads, gpu: of.gpu ?? false };
  if (of.native && !isInstalled(of.of)) return { row: { ...row, error: "not installed" } };
  const workload = WORKLOADS[name];
  let opened;
  try {
    opened = of.native ? program(of, folder) : await browser.contender(of);
    Object.assign(row, await within(opened.open(workload, name)));
    // The first step compiles; the second tells whether there is time for more.
    row.estimate = workload.kind === "train" ? await within(timed(() => opened.shown(2))) : await within(opened.time(1));
    row.shown = await opened.shown(workload.kind !== "train" ? 64 : row.estimate > SLOW ? 2 : SHOWN);
    // The first calls are not the fastest: compilers still work.
    if (row.estimate <= SLOW) row.estimate = await opened.time(3);
    row.slow = row.estimate > SLOW;
    row.facts = await opened.facts();
    if (of.gpu) row.counted = await opened.counted();
    return { row, opened };
  } catch (error) {
    await opened?.close();
    return { row: { ...row, error: error.message } };
  }
}

/** Times of a workload: rows of contenders, and the device's bounds in the same minutes. */
export async function measure(name, { browser, calibrator, contenders, folder, rounds, say }) {
  await give(browser, folder, name);
  const entered = [];
  for (const contender of contenders) {
    if (!takesPart(contender, name)) continue;
    const entry = await enter(browser, folder, name, contender);
    entered.push(entry);
    say(`${name}: ${contender} ${entry.row.error ?? `opened, ${entry.row.estimate.toFixed(2)} ms`}`);
  }
  const bounds = { cpu1: [], cpu2: [], gpu: [] };
  for (let round = 0; round < rounds; round++) {
    bounds.cpu1.push(await calibrator.cpu(1));
    bounds.cpu2.push(await calibrator.cpu(2));
    if (entered.some(({ row }) => row.gpu)) bounds.gpu.push(await calibrator.gpu());
    for (const { row, opened } of entered) {
      if (!opened || row.error || (row.slow && round >= SLOW_ROUNDS)) continue;
      try {
        const ms = await within(opened.time(row.slow ? 1 : Math.max(1, Math.min(200, Math.round(TURN / Math.max(row.estimate, 0.05))))));
        (row.turns ??= []).push(ms);
      } catch (error) {
        row.error = error.message;
      }
    }
    say(`${name}: round ${round + 1} of ${rounds}`);
  }
  await Promise.all(entered.map(({ opened }) => opened?.close()));
  return { name, ...summary(name, entered.map(({ row }) => row), bounds) };
}

/** Medians, ratios and what is off. */
function summary(name, rows, bounds) {
  const { flops, kind, title } = WORKLOADS[name];
  const middle = (list, key) => (list[0]?.[key] === undefined ? undefined : median(list.map((bound) => bound[key])));
  const bound = Object.fromEntries(Object.entries(bounds).map(([of, list]) => [of, Object.fromEntries(["gflops", "bandwidth", "dispatch", "submit"].map((key) => [key, middle(list, key)]))]));
  const ours = rows.find(({ contender, error }) => contender.startsWith("gradscope") && !error);
  for (const row of rows) {
    if (!row.turns) continue;
    row.ms = spread(row.turns);
    row.difference = ours && apart(ours.shown, row.shown);
    row.off = !(row.difference <= OFF);
    row.steps = row.shown.length;
    if (kind === "train") row.loss = row.shown.at(-1);
    // What the device could do at most in that time: arithmetic on all its threads, or the dispatches that it was asked for.
    const { gflops, dispatch = 0 } = row.gpu ? bound.gpu : row.threads === 1 ? bound.cpu1 : bound.cpu2;
    const work = flops ?? row.facts?.flopsPerStep;
    if (work && gflops) row.bound = Math.max(work / gflops / 1e6, ((row.counted?.dispatches ?? 0) * dispatch) / 1e3);
    row.share = row.bound && row.bound / row.ms.median;
    row.gflops = work && work / row.ms.median / 1e6;
  }
  const medianOf = (contender) => rows.find((row) => row.contender === contender)?.ms?.median;
  for (const row of rows) {
    const like = medianOf(row.gpu ? "gradscope webgpu" : `gradscope cpu ${row.threads ?? 2}`);
    if (row.ms && like) row.ratio = row.ms.median / like;
  }
  for (const row of rows) for (const key of ["turns", "shown", "estimate"]) delete row[key];
  return { title, kind, flops, bound, rows };
}
