// Rows of a workload as text, for the terminal and for Markdown.

/** Three significant digits at least, thousands with commas. */
export const number = (value) => {
  if (value === undefined || value === null || Number.isNaN(value)) return "";
  if (value >= 1000) return Math.round(value).toLocaleString("en");
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value >= 1 ? value.toFixed(2) : Number(value.toPrecision(2)).toString();
};

const TITLES = {
  "gradscope cpu 1": "Gradscope, CPU, 1 worker", "gradscope cpu 2": "Gradscope, CPU, 2 workers", "gradscope webgpu": "Gradscope, WebGPU",
  "jax-js wasm 2": "jax-js, wasm, 2 threads", "jax-js webgpu": "jax-js, WebGPU",
  "tfjs wasm 2": "TensorFlow.js, wasm, 2 threads", "tfjs webgl": "TensorFlow.js, WebGL", "tfjs cpu": "TensorFlow.js, cpu", "tfjs webgpu": "TensorFlow.js, WebGPU",
  "pytorch 1": "PyTorch, native, 1 thread", "pytorch 2": "PyTorch, native, 2 threads", "keras 1": "Keras, native, 1 thread", "keras 2": "Keras, native, 2 threads",
};
export const titleOf = (contender) => TITLES[contender] ?? contender;

const percent = (share) => (share === undefined ? "" : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`);

/** How well it agrees: the relative difference of losses or outputs, and whether that is too much. */
const agreement = ({ difference, off, steps, loss }) => {
  if (difference === undefined) return "";
  const of = loss === undefined ? "" : `${loss.toFixed(4)} after ${steps}: `;
  return `${of}${difference.toExponential(0)}${off ? " OFF" : ""}`;
};

export const COLUMNS = ["contender", "ms (least to most)", "of Gradscope", "of the bound", "GFLOP/s", "dispatches", "first, ms", "agrees"];

/** A row as texts. */
export function cells(row) {
  const name = titleOf(row.contender);
  if (!row.ms) return [name, row.error ?? "not measured", "", "", "", "", "", ""];
  const { median, min, max, rounds } = row.ms;
  const few = row.slow ? `, ${rounds} steps` : "";
  return [
    name, `${number(median)} (${number(min)} to ${number(max)}${few})`, row.ratio === undefined ? "" : `${number(row.ratio)}x`, percent(row.share), number(row.gflops),
    row.counted ? String(row.counted.dispatches || row.counted.draws) : "", number(row.openMs + row.firstMs), agreement(row),
  ];
}

/** For the terminal. */
export function table({ title, rows }) {
  const lines = [COLUMNS, ...rows.map(cells)];
  const widths = COLUMNS.map((_, k) => Math.max(...lines.map((line) => (line[1] && !line[2] && k === 1 ? 0 : line[k].length))));
  const line = (cells) => cells.map((cell, k) => (k ? cell.padStart(widths[k]) : cell.padEnd(widths[k]))).join("  ").trimEnd();
  return `\n${title}\n${lines.map(line).join("\n")}`;
}

/** For BENCHMARKS.md. */
export function markdown({ rows }) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(COLUMNS), line(COLUMNS.map(() => "---")), ...rows.map((row) => line(cells(row)))].join("\n");
}
