// The arithmetic of the panels that look into models of texts, against examples worked out by hand.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { npm } from "./support.mjs";

const module = (name) => JSON.stringify(fileURLToPath(new URL(`../../www/src/${name}.ts`, import.meta.url)));
const { outputFiles } = await npm("esbuild").build({
  stdin: {
    contents: ["lib/pca", "lib/nearest", "lib/top", "lib/likeliest", "lib/rollout", "lib/scores", "lib/transformer", "projecting/umap"].map((name) => `export * from ${module(name)};`).join("\n"),
    resolveDir: fileURLToPath(new URL("../../www", import.meta.url)),
  },
  bundle: true, format: "esm", write: false, platform: "browser",
});
const { attentionsOf, eigen, firstPosition, likeliest, meanOfHeads, meanScore, nearest, principalPlane, rollOut, scoresOf, streamOf, top, umap, wired } = await import(
  `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`
);

const near = (a, b, what, tolerance = 1e-6) => assert.ok(a.length === b.length && a.every((value, k) => Math.abs(value - b[k]) <= tolerance), `${what}: ${a} and ${b}`);
/** Numbers that are the same each time. */
const numbers = (count, seed = 1) => Float32Array.from({ length: count }, (_, k) => Math.sin(12.9898 * (k + 1) * seed) * 43758.5453 % 1);

test("principal components of points that lie along two directions", () => {
  // ±2 along (0.6, 0.8, 0) and ±1 along (0, 0, 1), around (5, 6, 7): variances 2 and 0.5.
  const rows = Float32Array.of(6.2, 7.6, 7, 3.8, 4.4, 7, 5, 6, 8, 5, 6, 6);
  const { at, shares } = principalPlane(rows, 3);
  near([...at], [2, 0, -2, 0, 0, 1, 0, -1], "points");
  near(shares, [0.8, 0.2], "shares of the variance");
  const same = principalPlane(new Float32Array(6).fill(3), 2);
  assert.deepEqual([[...same.at], same.shares], [[0, 0, 0, 0, 0, 0], [0, 0]], "points that are one have no directions");
  assert.deepEqual([...principalPlane(Float32Array.of(1, 3), 1).at], [-1, 0, 1, 0], "one number has one axis");
});

test("eigenvectors are ones, and all that a matrix is", () => {
  const width = 24;
  const half = numbers(width * width);
  const matrix = Float64Array.from(half, (_, k) => half[k] + half[(k % width) * width + Math.floor(k / width)]);
  const { values, vectors } = eigen(matrix, width);
  for (let i = 0; i < width; i++) {
    const v = vectors.subarray(i * width, (i + 1) * width);
    const product = Array.from({ length: width }, (_, row) => v.reduce((sum, part, k) => sum + matrix[row * width + k] * part, 0));
    near(product, [...v].map((part) => part * values[i]), `A v of eigenvalue ${i}`, 1e-9);
    for (let j = 0; j <= i; j++) near([v.reduce((sum, part, k) => sum + part * vectors[j * width + k], 0)], [Number(i === j)], `v${i} · v${j}`, 1e-9);
  }
});

test("the largest, the nearest and the likeliest", () => {
  assert.deepEqual(top([3, NaN, 5, 1, 5, 4], 4), [2, 4, 5, 0]);
  assert.deepEqual([top([1, 2], 5), top([1], 0), top([], 3)], [[1, 0], [], []]);
  const rows = Float32Array.of(1, 0, 2, 2, 0, 0, -1, 0, 3, 0);
  const found = nearest(rows, 2, 0, 3);
  assert.deepEqual(found.map(({ row }) => row), [4, 1, 3], "without itself and the row of zeros");
  near(found.map(({ cosine }) => cosine), [1, Math.SQRT1_2, -1], "cosines");
  assert.deepEqual(nearest(rows, 2, 2, 3), [], "a row of zeros points nowhere");
  const total = Math.E + 1 + Math.exp(-1000);
  const logits = likeliest(Float32Array.of(-999, 1, 0), 2, false);
  assert.deepEqual(logits.map(({ token }) => token), [1, 2]);
  near(logits.map(({ probability }) => probability), [Math.E / total, 1 / total], "softmax");
  near(likeliest(Float32Array.of(0.25, 0.75), 2, true).map(({ probability }) => probability), [0.75, 0.25], "as they are");
});

test("attention is rolled out as on paper", () => {
  // A' of the layers: [[1, 0], [1/4, 3/4]] and [[1, 0], [1/8, 7/8]]; the second times the first.
  const two = [{ heads: 1, shares: Float32Array.of(1, 0, 0.5, 0.5) }, { heads: 2, shares: Float32Array.of(1, 0, 0.5, 0.5, 1, 0, 0, 1) }];
  near([...meanOfHeads(two[1])], [1, 0, 0.25, 0.75], "the mean of two heads");
  near([...rollOut(two, 2)], [1, 0, 0.34375, 0.65625], "two layers");
  const length = 7;
  const layers = [1, 2, 3].map((seed) => {
    const powers = numbers(2 * length * length, seed).map(Math.exp);
    return { heads: 2, shares: powers.map((power, k) => power / powers.subarray(k - (k % length), k - (k % length) + length).reduce((a, b) => a + b)) };
  });
  const identity = (k) => Number(k % length === Math.floor(k / length));
  let plain = Array.from({ length: length * length }, (_, k) => identity(k));
  for (const { shares } of layers) {
    const mixed = Array.from({ length: length * length }, (_, k) => ((shares[k] + shares[k + length * length]) / 2 + identity(k)) / 2);
    plain = plain.map((_, k) => Array.from({ length }, (_, i) => mixed[Math.floor(k / length) * length + i] * plain[i * length + (k % length)]).reduce((a, b) => a + b));
  }
  const rolled = rollOut(layers, length);
  near([...rolled], plain, "three layers of two heads");
  for (let row = 0; row < length; row++) near([rolled.subarray(row * length, (row + 1) * length).reduce((a, b) => a + b)], [1], `row ${row}`);
});

const model = (layers) => wired(layers.map(([, layer]) => layer), layers.map(([name]) => name));
const attention = (inputs) => ({ type: "MultiHeadAttention", num_heads: 2, key_dim: 4, ...(inputs ? { inputs } : {}) });
const add = (...inputs) => ({ type: "Add", inputs });
const norm = { type: "LayerNormalization" };
const dense = { type: "Dense", units: 8 };

test("the path around the layers is found, with norms before them and behind", () => {
  const before = model([
    ["table", { type: "Embedding", input_dim: 8, output_dim: 8 }], ["places", { type: "PositionEmbedding", sequence_length: 4 }], ["begin", add("table", "places")],
    ["norm_1", norm], ["looks", attention()], ["attended", add("begin", "looks")], ["norm_2", norm], ["wide", dense], ["narrow", dense], ["out", add("narrow", "attended")],
    ["norm", norm], ["logits", dense],
  ]);
  assert.deepEqual(streamOf(before), { sums: ["begin", "attended", "out"], output: "logits" });
  assert.deepEqual(attentionsOf(before), [{ name: "looks", heads: 2, self: true, query: "norm_1", key: "norm_1" }]);
  const behind = model([
    ["table", { type: "Embedding", input_dim: 8, output_dim: 8 }], ["looks", attention()], ["sum_1", add("table", "looks")], ["norm_1", norm], ["drop", { type: "Dropout", rate: 0.1 }], ["wide", dense],
    ["sum_2", add("norm_1", "wide")], ["norm_2", norm], ["logits", { type: "ReversibleEmbedding", input_dim: 8, output_dim: 8, reverse: true, shares: "table" }],
  ]);
  assert.deepEqual(streamOf(behind), { sums: ["sum_1", "sum_2"], output: "logits" });
  assert.equal(streamOf(model([["table", { type: "Embedding", input_dim: 8, output_dim: 8 }], ["state", { type: "LSTM", units: 4 }], ["opinion", dense]])), undefined);
});

test("attention to another sequence is told, and where its tokens begin", () => {
  const crossed = model([
    ["table", { type: "Embedding", input_dim: 8, output_dim: 8 }], ["source", { type: "Cropping1D", cropping: [0, 5], inputs: ["table"] }], ["encoded", norm],
    ["target", { type: "Cropping1D", cropping: [4, 0], inputs: ["table"] }], ["asks", norm], ["cross", attention(["asks", "encoded"])], ["sum", add("target", "cross")], ["logits", dense],
  ]);
  const [cross] = attentionsOf(crossed);
  assert.deepEqual(cross, { name: "cross", heads: 2, self: false, query: "asks", key: "encoded" });
  assert.deepEqual([firstPosition(crossed, cross.query), firstPosition(crossed, cross.key), firstPosition(crossed, "table")], [4, 0, 0]);
});

test("UMAP keeps groups together, the same way for a seed", () => {
  // Two bundles of directions in eight dimensions.
  const [count, width] = [60, 8];
  const rows = numbers(count * width).map((value, k) => 0.2 * value + Number(k % width === (Math.floor(k / width) < count / 2 ? 0 : 1)));
  const told = [];
  const at = umap(rows, width, 3, (share) => told.push(share));
  assert.deepEqual([...umap(rows, width, 3, () => undefined)], [...at], "the same seed");
  assert.notDeepEqual([...umap(rows, width, 4, () => undefined)], [...at], "another seed");
  assert.ok(told.every((share, k) => share >= (told[k - 1] ?? 0)) && told.at(-1) === 1, "progress");
  const middle = (from) => [0, 1].map((axis) => Array.from({ length: count / 2 }, (_, k) => at[2 * (from + k) + axis]).reduce((a, b) => a + b) / (count / 2));
  const [left, right] = [middle(0), middle(count / 2)];
  const far = (k, [x, y]) => Math.hypot(at[2 * k] - x, at[2 * k + 1] - y);
  for (let k = 0; k < count; k++) assert.ok(k < count / 2 === far(k, left) < far(k, right), `point ${k}`);
  assert.deepEqual([...umap(Float32Array.of(1, 2), 2, 1, () => undefined)], [0, 0], "a single point");
});

test("precision, recall and F1 as in the examples of scikit-learn", () => {
  const confusion = (truth, guesses, classes) => {
    const cells = Array.from({ length: classes }, () => Array(classes).fill(0));
    truth.forEach((of, k) => cells[of][guesses[k]]++);
    return cells;
  };
  const row = ({ precision, recall, f1, support }) => [precision, recall, f1, support];
  // classification_report's.
  const report = scoresOf(confusion([0, 1, 2, 2, 2], [0, 0, 2, 2, 1], 3));
  [[1 / 2, 1, 2 / 3, 1], [0, 0, 0, 1], [1, 2 / 3, 0.8, 3]].forEach((expected, k) => near(row(report[k]), expected, `class ${k}`, 1e-12));
  near(row(meanScore(report, false)), [0.5, 5 / 9, 22 / 45, 5], "mean", 1e-12);
  near(row(meanScore(report, true)), [0.7, 0.6, (2 / 3 + 2.4) / 5, 5], "weighted", 1e-12);
  // precision_score's, recall_score's and f1_score's.
  const mean = meanScore(scoresOf(confusion([0, 1, 2, 0, 1, 2], [0, 2, 1, 0, 0, 1], 3)), false);
  near(row(mean), [2 / 9, 1 / 3, 0.8 / 3, 6], "mean", 1e-12);
  // Class 1 is never predicted, class 2 never there, class 3 neither.
  const [first, unpredicted, unseen, nothing] = scoresOf(confusion([0, 0, 0, 1], [0, 0, 2, 0], 4));
  near(row(first), [2 / 3, 2 / 3, 2 / 3, 3], "class 0", 1e-12);
  assert.deepEqual([unpredicted, unseen, nothing].map(row), [[undefined, 0, 0, 1], [0, undefined, 0, 0], [undefined, undefined, undefined, 0]]);
  near(row(meanScore([first, unpredicted, nothing], false)), [1 / 3, 1 / 3, 1 / 3, 4], "a class that is never predicted counts as 0, one that is not there not at all", 1e-12);
});
