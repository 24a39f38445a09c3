// Every preset on every backend, with what the tab holds. An op of a text's recurrent layer is one of thousands, which a software GPU does not get through
// with a whole batch: there the batches are small. PRESETS, a list with commas, chooses some.

import assert from "node:assert/strict";
import { engineTest } from "./engine.mjs";
import { presetTest } from "./every-preset.mjs";

const ALL = [
  "backprop-by-hand", "sigmoid-2-2-1", "linear-regression", "mnist-cnn", "mnist-cnn-small", "autoencoder", "cifar10-cnn", "gpt-char", "newsgroups-tfidf", "newsgroups-cnn",
  "sentiment-rnn", "sentiment-lstm", "sentiment-gru",
  "seq2seq", "bert-mini", "bert-mini-sentiment", "gan-mnist", "gan-2d",
];
/** Unrolled over time: a step of a batch as the preset has it takes a software GPU hours, op by op. */
const UNROLLED = ["sentiment-rnn", "sentiment-lstm", "sentiment-gru", "seq2seq"];
/** Examples of their batches there. */
const SMALL = 4;
const timeout = 3_600_000;
const chosen = process.env.PRESETS?.split(",") ?? ALL;

for (const backend of ["cpu", "webgpu"]) {
  for (const name of ALL) {
    const batch = backend === "webgpu" && UNROLLED.includes(name) ? SMALL : undefined;
    if (chosen.includes(name)) presetTest(name, backend, { timeout, weighed: true, batch });
  }
}
if (chosen.includes("sentiment-lstm")) presetTest("sentiment-lstm", "cpu", { timeout, data: "reviews-zh" });

engineTest(
  "no preset is left out",
  {},
  {},
  async ({ gradscope }) => (await gradscope.presets()).map(({ name }) => name),
  (names) => assert.deepEqual([...ALL].sort(), names.sort()),
);
