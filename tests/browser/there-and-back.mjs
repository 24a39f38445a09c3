// From batch 30 back to batch 10 and forward again.

import assert from "node:assert/strict";
import { engineTest } from "./engine.mjs";

/** A test that a session of these options has the same bits after going back and forward again. */
export function thereAndBack(options) {
  const { backend, model } = options;
  engineTest(
    `from batch 30 back to batch 10 and forward again, bit for bit: ${typeof model === "string" ? model : "a small network"} on ${backend}`,
    { timeout: 600_000 },
    { options },
    async ({ gradscope, options }) => {
      const session = await gradscope.createSession({ seed: 4, ...options });
      const state = async () => (await session.snapshot()).bytes;
      const same = (a, b) => a.length === b.length && a.every((byte, k) => byte === b[k]);
      await session.train({ steps: 10 });
      const ten = await state();
      await session.train({ steps: 20 });
      const thirty = await state();
      const walk = await session.walk();
      await walk.to(walk.info.forwardEnd);
      const back = (await walk.batches(-20)).state.step;
      const tenAgain = await state();
      const forward = (await walk.batches(20)).state.step;
      const thirtyAgain = await state();
      // A run takes over from a walk.
      await walk.to(3);
      await session.train({ steps: 1 });
      const left = await walk.to(4).then(() => "open", ({ code }) => code);
      const on = session.info.backend;
      await session.dispose();
      return { on, back, forward, moved: !same(ten, thirty), ten: same(ten, tenAgain), thirty: same(thirty, thirtyAgain), left };
    },
    (result) => assert.deepEqual(result, { on: backend, back: 10, forward: 30, moved: true, ten: true, thirty: true, left: "wrong_state" }),
  );
}
