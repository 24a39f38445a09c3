// Every preset on every backend, with what the tab holds. An op of a text's recurrent layer is one of thousands, and a software GPU takes
// seconds for a batch of pictures: there the batches are small. PRESETS, a list with commas, chooses some.

import assert from "node:assert/strict";
import { engineTest } from "./engine.mjs";
import { presetTest, QUICK } from "./every-preset.mjs";

const ALL = [
  "backprop-by-hand", "sigmoid-2-2-1", "linear-regression", "mnist-cnn", "mnist-cnn-small", "autoencoder", "cifar10-cnn", "gpt-char", "newsgroups-tfidf", "newsgroups-cnn",
  "sentiment-rnn", "sentiment-lstm", "sentiment-gru",
  "seq2seq", "bert-mini", "bert-mini-sentiment", "gan-mnist", "gan-2d",
];
/** Examples of a batch on a software GPU, where a batch as the preset has it takes seconds. */
const SMALL = 4;
const timeout = 3_600_000;
const chosen = process.env.PRESETS?.split(",") ?? ALL;

for (const backend of ["cpu", "webgpu"]) {
  for (const name of ALL) {
    const batch = backend === "webgpu" && !QUICK.webgpu.includes(name) ? SMALL : undefined;
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
