// The model as text: what the forms have no field for is written in it, and what is wrong with it is explained.

import assert from "node:assert/strict";
import { reachEngine } from "./stepping.mjs";
import { pageTest } from "./support.mjs";

/** Opens the text of a preset's model; `apply` gets what is to be made of it. */
async function openText(page, address) {
  await reachEngine(page);
  await page.goto(address);
  await page.locator(".card-in, .tensor-card").first().waitFor({ timeout: 60_000 });
  await page.locator(".model-text summary").click();
  const area = page.locator(".model-text textarea");
  return {
    model: async () => JSON.parse(await area.inputValue()),
    apply: async (model) => {
      await area.fill(typeof model === "string" ? model : JSON.stringify(model));
      await page.locator(".model-text button").click();
    },
    why: page.locator("#model-refused"),
  };
}

/** The second block's dense layers as SwiGLU, and a table that is read in both directions. */
function variant({ input, layers }) {
  const [embedding, ...rest] = layers;
  const gated = rest.slice(0, -1).flatMap((layer) => layer.name !== "block_2_expand" ? [layer] : [
    { type: "Dense", name: "block_2_gate", units: 512, activation: "silu" },
    { type: "Dense", name: "block_2_up", units: 512, inputs: ["block_2_norm_2"] },
    { type: "Multiply", name: "block_2_expand", inputs: ["block_2_gate", "block_2_up"] },
  ]);
  const table = { type: "ReversibleEmbedding", input_dim: embedding.input_dim, output_dim: embedding.output_dim };
  return { input, layers: [{ ...table, name: "embedding" }, ...gated, { ...table, reverse: true, shares: "embedding" }] };
}

pageTest("a transformer with tied embeddings and a gate is pasted as text, and trains", { timeout: 240_000 }, async ({ page, url }) => {
  const { model, apply, why } = await openText(page, `${url}/#/gpt-char?backend=cpu`);
  await page.getByRole("textbox", { name: "Edit as text (JSON)" }).waitFor();
  const plain = await model();
  const parameters = await page.evaluate(() => globalThis.engine.session.info.parameterCount);
  await apply(variant(plain));
  await page.getByText("Changed. It starts again with new weights.").waitFor();
  assert.equal(await why.innerText(), "");
  assert.equal((await model()).layers.at(-1).shares, "embedding");
  await page.getByRole("button", { name: "Build it", exact: true }).click();
  // The output has no kernel of its own; the gate has.
  const [{ input_dim: tokens }, width] = [plain.layers[0], 128];
  const expected = parameters - tokens * width + (width + 1) * 4 * width;
  await page.waitForFunction((count) => globalThis.engine.session.info.parameterCount === count, expected, { timeout: 60_000 });
  const losses = await page.evaluate(async () => [...(await globalThis.engine.session.train({ steps: 2 })).losses]);
  assert.equal(losses.length, 2);
  for (const loss of losses) assert.ok(loss > 1 && loss < 10, `a loss of ${loss}`);
});

pageTest("a text that is no model is explained, and changes nothing", {}, async ({ page, url }) => {
  const { model, apply, why } = await openText(page, `${url}/#/sigmoid-2-2-1?backend=cpu`);
  const before = await model();
  const [hidden, output] = before.layers;
  const wrong = [
    ['{\n  "input": [2],\n  "layers": [}', /^This is not JSON: .*\[\}/],
    ["", /^This is not JSON: /],
    [{ ...before, layers: [{ ...hidden, unit: 2 }, output] }, /layers\[0\].*Dense takes no unit/],
    [{ ...before, layers: [{ ...hidden, units: "two" }, output] }, /layers\[0\]\.units/],
    [{ ...before, layers: [hidden, { type: "Conv2D", filters: 2, kernel_size: 3 }] }, /conv2d/],
    ["5", /must be an object/],
  ];
  for (const [text, says] of wrong) {
    await apply(text);
    await why.getByText(says).waitFor();
    assert.equal(await page.locator(".pending").count(), 0);
    assert.equal(await page.locator(".layer-name").count(), 2);
  }
  await page.getByLabel("Language").selectOption("zh");
  await apply("{");
  await why.getByText(/^这不是 JSON：/).waitFor();
  // A phrase of the engine's with a value in it.
  await apply({ input: [6, 6, 4], layers: [{ type: "Conv2D", filters: 3, kernel_size: 3, groups: 2 }] });
  await why.getByText(/组数 2 的倍数/).waitFor();
  // What is chosen in the list is what the text says then, and nothing is wrong with it.
  await page.locator(".layer-name").first().press("Delete");
  await page.locator(".layer-name").nth(1).waitFor({ state: "detached" });
  assert.deepEqual((await model()).layers, [output]);
  assert.equal(await why.innerText(), "");
});
