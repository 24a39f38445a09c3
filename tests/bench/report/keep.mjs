// What was measured, written where it stays: the section of BENCHMARKS.md between its marks, charts, and the table that `bench.html` compares with.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { top } from "../../browser/serving.mjs";
import { bars, lines } from "./svg.mjs";
import { markdown, number, titleOf } from "./table.mjs";

const CHARTS = "docs/bench";
const SHIPPED = "www/assets/bench.json";

/** Keeps what stands between the marks of that name, and puts `content` there. */
function between(text, name, content) {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`BENCHMARKS.md lacks the marks of ${name}`);
  return `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
}

const boundText = ({ cpu1, cpu2, gpu }) => [
  `One thread ${number(cpu1.gflops)} GFLOP/s${cpu1.relaxed ? "" : " (multiply and add)"} and ${number(cpu1.bandwidth)} GB/s, two ${number(cpu2.gflops)} and ${number(cpu2.bandwidth)}`,
  gpu?.gflops ? `; WebGPU (${gpu.adapter}) ${number(gpu.gflops)} GFLOP/s, ${number(gpu.bandwidth)} GB/s, ${number(gpu.dispatch)} µs an empty dispatch, ${number(gpu.submit)} µs a submission of one.` : ".",
].join("");

/** What a contender's first step needed. */
function opening(workload) {
  const rows = workload.rows.filter(({ ms, download, counted }) => ms && (download || counted));
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const kilobytes = (bytes) => (bytes ? number(bytes / 1e3) : "");
  return [
    line(["contender", "download, KB gzipped", "opened, ms", "first step, ms", "submissions a step", "KB written, copied, read a step", "pipelines", "compiling, ms"]), line(Array(8).fill("---")),
    ...rows.map(({ contender, download, openMs, firstMs, counted: c, facts }) => line([
      titleOf(contender), kilobytes(download), number(openMs), number(firstMs), c?.submits || "", c?.submits ? [c.written, c.copied, c.read].map((bytes) => number(bytes / 1e3) || "0").join(", ") : "",
      facts?.pipelines || "", facts?.compileMs ? number(facts.compileMs) : "",
    ])),
  ].join("\n");
}

async function write(path, content) {
  await mkdir(join(top, path, ".."), { recursive: true });
  await writeFile(join(top, path), content);
  return path;
}

async function keepWorkloads(report, text) {
  const written = [];
  const parts = [`Measured on ${report.date}: ${report.browser}, ${report.cores} cores (${report.cpu}). Bounds: ${boundText(report.bounds)}`];
  for (const workload of report.workloads) {
    const rows = workload.rows.filter(({ ms }) => ms);
    if (rows.length > 1) {
      const chart = `${CHARTS}/${workload.name}.svg`;
      written.push(await write(chart, bars(workload.title, rows.map(({ contender, ms }) => ({ label: titleOf(contender), ms, ours: contender.startsWith("gradscope") })))));
      parts.push(`### ${workload.title}`, `![${workload.title}](${chart})`);
    } else parts.push(`### ${workload.title}`);
    parts.push(markdown(workload));
    if (workload.rows.some(({ download }) => download) && workload.kind === "train" && rows.length > 1) parts.push("What the first step needs:", opening(workload));
  }
  return { written, text: between(text, "side by side", parts.join("\n\n")) };
}

async function keepGrowth(report, text) {
  const written = [];
  const parts = [`Measured on ${report.date}: ${report.browser}, ${report.cores} cores.`];
  for (const series of new Set(report.growth.map(({ series }) => series))) {
    const of = report.growth.filter((line) => line.series === series);
    const chart = `${CHARTS}/growth-${series}.svg`;
    const [{ title, axis }] = of;
    written.push(await write(chart, lines(`${title}: ms a step`, axis, of.map(({ backend, points }) => ({ label: backend, points })))));
    const at = [...new Set(of.flatMap(({ points }) => points.map(({ at }) => at)))];
    const rows = of.map(({ backend, points }) => `| ${backend} | ${at.map((value) => number(points.find((point) => point.at === value)?.ms)).join(" | ")} |`);
    parts.push(`![${title}](${chart})`, [`| ms a step, ${axis} | ${at.join(" | ")} |`, `|${" --- |".repeat(at.length + 1)}`, ...rows].join("\n"));
  }
  return { written, text: between(text, "growth", parts.join("\n\n")) };
}

/** What `bench.html` needs of it. */
const shipped = ({ date, browser, cores, cpu, bounds, workloads }) => ({
  date, browser, cores, cpu, bounds,
  workloads: workloads.filter(({ name }) => name === "cnn" || name === "gpt").map(({ name, flops, rows }) => ({
    name, flops, rows: rows.filter(({ ms }) => ms).map(({ contender, ms, share, firstMs, openMs }) => ({ contender: titleOf(contender), ms: ms.median, share, first: openMs + firstMs })),
  })),
});

/** Writes all of it; gives the paths. */
export async function keep(report) {
  const path = join(top, "BENCHMARKS.md");
  let text = await readFile(path, "utf8");
  const written = ["BENCHMARKS.md"];
  for (const [wanted, part] of [[report.workloads.length, keepWorkloads], [report.growth, keepGrowth]]) {
    if (!wanted) continue;
    const kept = await part(report, text);
    text = kept.text;
    written.push(...kept.written);
  }
  await writeFile(path, text);
  if (["cnn", "gpt"].every((name) => report.workloads.some((workload) => workload.name === name))) written.push(await write(SHIPPED, `${JSON.stringify(shipped(report), undefined, 1)}\n`));
  return written;
}
