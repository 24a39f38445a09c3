// What a second worker gains, on a machine that has nothing else to do.

import assert from "node:assert/strict";
import { engineTest, median } from "./engine.mjs";

engineTest(
  "two workers against one: milliseconds a step, in turn",
  { timeout: 240_000 },
  {},
  async ({ gradscope }) => {
    const sessions = await Promise.all([1, 2].map((workers) => gradscope.createSession({ model: "mnist-cnn", backend: "cpu", workers })));
    const times = [[], []];
    for (let round = 0; round < 7; round++) {
      for (const [k, session] of sessions.entries()) {
        const { msPerStep } = await session.train({ steps: 40 });
        if (round > 0) times[k].push(msPerStep);
      }
    }
    await Promise.all(sessions.map((session) => session.dispose()));
    return times;
  },
  ([one, two]) => {
    const ratios = one.map((ms, k) => ms / two[k]);
    console.log(`    one ${median(one).toFixed(1)} ms, two ${median(two).toFixed(1)} ms, ${median(ratios).toFixed(2)} times as fast`);
    // Beside other work a second worker may gain nothing; it must not cost.
    assert.ok(median(ratios) > 0.8, `${median(ratios)}`);
  },
);
