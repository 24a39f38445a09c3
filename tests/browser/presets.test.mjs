// The presets that take seconds. All the others, and WebGPU for those that are heavy: presets.long.test.mjs.

import { presetTest, QUICK } from "./every-preset.mjs";

for (const [backend, names] of Object.entries(QUICK)) {
  for (const name of names) presetTest(name, backend);
}
