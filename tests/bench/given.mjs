// What all contenders are given: batches of real data and, from Gradscope, the weights to begin with, as one safetensors file a workload.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { top } from "../browser/serving.mjs";
import { BATCHES, GPT } from "./workloads.mjs";

const data = async (...path) => gunzipSync(await readFile(join(top, "data", ...path)));

/** The first images of MNIST's training part. */
async function digits(count) {
  const [images, labels] = await Promise.all(["train-x.idx.gz", "train-y.idx.gz"].map((name) => data("mnist", name)));
  return {
    x: { shape: [count, 28, 28, 1], values: Float32Array.from(images.subarray(16, 16 + count * 784), (byte) => byte / 255) },
    y: { shape: [count], values: Float32Array.from(labels.subarray(8, 8 + count)) },
  };
}

/** Windows of Shakespeare, far apart; the rarest characters share the last token, so that there are `GPT.vocabulary` of them. */
async function windows(count) {
  const text = (await data("shakespeare", "text.txt.gz")).toString("utf8");
  const times = new Map();
  for (const character of text) times.set(character, (times.get(character) ?? 0) + 1);
  const known = [...times].sort((a, b) => b[1] - a[1]).slice(0, GPT.vocabulary - 1);
  const number = new Map(known.map(([character], k) => [character, k]));
  const token = (at) => number.get(text[at]) ?? GPT.vocabulary - 1;
  const { context } = GPT;
  const apart = Math.floor((text.length - context - 1) / count);
  const cells = (offset) => Float32Array.from({ length: count * context }, (_, k) => token(Math.floor(k / context) * apart + (k % context) + offset));
  return { x: { shape: [count, context], values: cells(0) }, y: { shape: [count, context], values: cells(1) } };
}

/** Numbers of a fixed sequence in [0, 1): only their amount matters. */
export function noise(length, seed = 1) {
  let state = seed;
  return Float32Array.from({ length }, () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32);
}

/** Pictures and reviews that are noise: what they cost does not depend on what they show. */
const made = {
  "cifar10-cnn": (count) => ({ x: { shape: [count, 32, 32, 3], values: noise(count * 3072) }, y: { shape: [count], values: noise(count, 2).map((v) => Math.floor(v * 10)) } }),
  "sentiment-lstm": (count) => ({ x: { shape: [count, 100], values: noise(count * 100).map((v) => 1 + Math.floor(v * 4998)) }, y: { shape: [count], values: noise(count, 2).map((v) => Math.floor(v * 2)) } }),
};

/** Factors so small that a chain of products neither grows nor vanishes. */
function chain({ op, size }) {
  const around = (shape, fan) => {
    const values = noise(shape.reduce((a, b) => a * b), fan).map((v) => (2 * v - 1) * Math.sqrt(3 / fan));
    return { shape, values };
  };
  const width = size.at(-1);
  return { x: around(size, 3), kernel: op === "product" ? around([width, width], width) : around([3, 3, width, width], 9 * width) };
}

/** Inputs and targets of a workload, without weights. */
export async function batchesOf({ kind, model, batch, ...rest }) {
  if (kind === "chain") return chain(rest);
  const count = kind === "predict" ? batch : batch * BATCHES;
  if (model === "cnn") return digits(count);
  if (model === "gpt") return windows(count);
  return made[model](count);
}

/** Tensors as a safetensors file. */
export function safetensors(tensors) {
  let end = 0;
  const header = JSON.stringify(Object.fromEntries(Object.entries(tensors).map(([name, { shape, values }]) => {
    const begin = end;
    end += 4 * values.length;
    return [name, { dtype: "F32", shape, data_offsets: [begin, end] }];
  })));
  const words = Buffer.from(header.padEnd(Math.ceil(header.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(words.length));
  return Buffer.concat([length, words, ...Object.values(tensors).map(({ values }) => Buffer.from(values.buffer, values.byteOffset, values.byteLength))]);
}
