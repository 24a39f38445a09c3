// Every preset on every backend, where presets.test.mjs leaves it out. An op of a text's recurrent layer is one of thousands, and a software GPU takes
// seconds for a batch of pictures: there the batches are small. PRESETS, a list with commas, chooses some.

import assert from "node:assert/strict";
import { engineTest } from "./engine.mjs";
import { presetTest, QUICK } from "./every-preset.mjs";

const HEAVY = [
  "mnist-cnn", "mnist-cnn-small", "autoencoder", "cifar10-cnn", "gpt-char", "newsgroups-tfidf", "newsgroups-cnn", "sentiment-rnn", "sentiment-lstm", "sentiment-gru",
  "seq2seq", "bert-mini", "bert-mini-sentiment", "gan-mnist", "gan-2d",
];
/** Examples of a batch on a software GPU, where a batch as the preset has it takes seconds. */
const SMALL = 4;
const timeout = 3_600_000;
const chosen = process.env.PRESETS?.split(",") ?? HEAVY;

for (const backend of ["cpu", "webgpu"]) {
  for (const name of HEAVY) {
    if (chosen.includes(name) && !QUICK[backend].includes(name)) presetTest(name, backend, { timeout, batch: backend === "webgpu" ? SMALL : undefined });
  }
}
presetTest("sentiment-lstm", "cpu", { timeout, data: "reviews-zh" });

engineTest(
  "no preset is left out",
  {},
  {},
  async ({ gradscope }) => (await gradscope.presets()).map(({ name }) => name),
  (names) => assert.deepEqual([...new Set([...QUICK.cpu, ...HEAVY])].sort(), names.sort()),
);
