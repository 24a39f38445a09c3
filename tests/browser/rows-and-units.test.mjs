// Views that follow a row of a sequence's loss, and the units of a network over the plane; beside the same numbers computed here, in plain JavaScript.

import assert from "node:assert/strict";
import { pageTest } from "./support.mjs";

const number = (text) => Number(text.trim().replaceAll("−", "-").replaceAll(",", ""));
const close = (shown, expected, what) => assert.ok(Math.abs(shown - expected) <= 6e-4 * Math.abs(expected) + 1e-4, `${what}: ${shown} on the page, ${expected} computed apart`);

pageTest("the loss of each position of a text has its own row of logits", { context: { viewport: { width: 1440, height: 1100 } }, timeout: 300_000 }, async ({ page, url }) => {
  await page.goto(`${url}/#/gpt-char?seed=7&backend=cpu`);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  await page.keyboard.press("ArrowRight");
  await page.getByText(/^Nothing is computed yet/).waitFor();
  await page.keyboard.press("f");
  await page.locator(".position b").getByText("correct").waitFor({ timeout: 60_000 });
  await page.locator('[data-node="softmax_cross_entropy"] .tensor-head').click({ timeout: 60_000 });
  await page.locator(".crumbs button").nth(1).click();
  await page.locator(".cross-entropy").waitFor();
  const { logits, y, classes } = await page.evaluate(async () => {
    const { createSession } = await import(new URL("pkg/gradscope.js", document.baseURI).href);
    const session = await createSession({ model: "gpt-char", backend: "cpu", seed: 7 });
    const walk = await session.walk();
    await walk.to(walk.info.forwardEnd);
    const loss = walk.info.nodes.find(({ op }) => op === "softmax_cross_entropy");
    const values = await walk.read(loss.inputs.map((node) => ({ node, example: 0 })));
    const { classes } = session.info;
    await session.dispose();
    return { logits: Array.from(values[0].data), y: Array.from(values[1].data), classes };
  });
  const expected = (row) => {
    const z = logits.slice(row * classes.length, (row + 1) * classes.length);
    return Math.log(z.reduce((sum, value) => sum + Math.exp(value), 0)) - z[y[row]];
  };
  const shown = async (row) => {
    await page.locator(".cross-entropy .which").getByText(`Row ${row + 1} of 64`).waitFor();
    const fused = await page.locator(".cross-entropy .fused dd").allInnerTexts();
    close(number(fused[2]), expected(row), `loss of row ${row}`);
    close(number(fused[3].replace(/[✓✗].*/s, "")), expected(row), `the engine's loss of row ${row}`);
    assert.equal(await page.locator(".cross-entropy .check.bad").count(), 0, `row ${row}`);
  };
  // One goes to the strongest cell, so the row of the largest loss.
  const losses = y.map((_, row) => expected(row));
  const strongest = losses.indexOf(Math.max(...losses));
  await shown(strongest);
  const [previous, next] = ["Previous row", "Next row"].map((name) => page.locator(".cross-entropy").getByRole("button", { name }));
  for (let row = strongest - 1; row >= 0; row--) {
    await previous.click();
    await page.locator(".cross-entropy .which").getByText(`Row ${row + 1} of 64`).waitFor();
  }
  await shown(0);
  assert.ok(await previous.isDisabled());
  for (const row of [1, 2, 3]) {
    await next.click();
    await shown(row);
  }
  // A class of that row is an element of the logits.
  await page.locator(".cross-entropy tbody th button").first().click();
  await page.locator(".cross-entropy .which").getByText("Row 4 of 64").waitFor();
  await page.locator(".crumbs").getByText(/^\[3, \d+\]$/).waitFor();
});

pageTest("one head of attention, unrolled: products, mask, shares and values", { context: { viewport: { width: 1440, height: 1100 } }, timeout: 300_000 }, async ({ page, url }) => {
  await page.goto(`${url}/#/gpt-char?seed=7&backend=cpu`);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  await page.keyboard.press("ArrowRight");
  await page.getByText(/^Nothing is computed yet/).waitFor();
  await page.keyboard.press("f");
  await page.locator(".position b").getByText("correct").waitFor({ timeout: 60_000 });
  await page.locator('.chain [data-node^="block_2_attention"] .tensor-head').first().click({ timeout: 60_000 });
  await page.locator('.tensor-cards [data-node="block_2_attention/attention_weights"] .tensor-head').click();
  await page.locator(".crumbs button").nth(1).click();
  await page.locator(".attention-tokens button").nth(20).waitFor();
  assert.equal(await page.locator(".layer-view p").first().innerText().then((text) => text.split(" ±")[0]), "4 maps of 64×64");
  await page.locator(".heads button").nth(2).click();
  await page.locator(".attention-tokens button").nth(20).click();
  await page.locator(".attention h3").getByText(/^Head 3 of 4: where position 20/).waitFor();
  const [query, key, value, text] = await page.evaluate(async () => {
    const { createSession } = await import(new URL("pkg/gradscope.js", document.baseURI).href);
    const session = await createSession({ model: "gpt-char", backend: "cpu", seed: 7 });
    const walk = await session.walk();
    await walk.to(walk.info.forwardEnd);
    const at = (name) => ({ node: walk.info.nodes.findIndex((node) => node.name === `block_2_attention/${name}`), example: 0 });
    const values = await walk.read([at("query"), at("key"), at("value"), { node: walk.info.x, example: 0 }]);
    const { classes } = session.info;
    await session.dispose();
    return [...values.slice(0, 3).map(({ data }) => Array.from(data)), Array.from(values[3].data, (token) => classes[token])];
  });
  const of = (values, position) => values.slice((2 * 64 + position) * 32, (2 * 64 + position + 1) * 32);
  const scores = Array.from({ length: 21 }, (_, k) => of(query, 20).reduce((sum, q, i) => sum + q * of(key, k)[i], 0) / Math.sqrt(32));
  const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
  const weight = (k) => Math.exp(scores[k]) / total;
  const rows = await page.locator(".attention tr[data-key]").evaluateAll((all) => all.map((row) => [Number(row.dataset.key), row.querySelector("th").textContent.trim(), ...[...row.querySelectorAll("td")].map((cell) => cell.textContent)]));
  assert.equal(rows.length, 10);
  for (const [k, name, product, scaled, masked, share, first] of rows) {
    assert.ok(k <= 20, `position ${k} is hidden by the mask`);
    if (/\S/.test(text[k])) assert.equal(name, `${text[k]} ${k}`);
    close(number(product), scores[k] * Math.sqrt(32), `q · k of ${k}`);
    close(number(scaled), scores[k], `scaled, ${k}`);
    close(number(masked), scores[k], `the engine's score of ${k}`);
    close(number(share), weight(k), `share of ${k}`);
    close(number(first), weight(k) * of(value, k)[0], `value of ${k}`);
  }
  const [sums, engine] = await page.locator(".attention tfoot tr").evaluateAll((all) => all.map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent)));
  const expected = Array.from({ length: 4 }, (_, i) => scores.reduce((sum, _score, k) => sum + weight(k) * of(value, k)[i], 0));
  close(number(sums[0]), 1, "the shares together");
  expected.forEach((sum, i) => {
    close(number(sums[i + 1]), sum, `sum of feature ${i}`);
    close(number(engine[i]), sum, `the engine's feature ${i}`);
  });
  // A key that the mask hides says so.
  await page.locator(".attention-tokens button").nth(3).click();
  await page.locator(".attention h3").getByText(/where position 3/).waitFor();
  assert.equal(await page.locator(".attention tr[data-key]").count(), 4);
});

pageTest("every unit of a network over the plane is a picture, live and in the stepper", { timeout: 180_000 }, async ({ page, url }) => {
  await page.goto(`${url}/#/sigmoid-2-2-1?seed=7&backend=cpu`);
  const units = page.locator("gs-neurons gs-unit");
  await units.nth(4).waitFor({ timeout: 60_000 });
  assert.equal(await units.count(), 5);
  // The ranges that the pictures tell, from the weights: the least and the most of a sigmoid of a plane lie in the corners of the grid.
  const { kernel, bias, x } = await page.evaluate(async () => {
    const { createSession } = await import(new URL("pkg/gradscope.js", document.baseURI).href);
    const session = await createSession({ model: "sigmoid-2-2-1", backend: "cpu", seed: 7 });
    const [kernel, bias] = await Promise.all([session.getParameter("dense.kernel"), session.getParameter("dense.bias")]);
    const { x } = await session.examples("train", [0, 1, 2, 3]);
    const grid = Float32Array.of(0.5, -1, 2, 0.25);
    const [hidden, output] = await session.activations(["dense", "dense_1"], grid);
    const predicted = await session.predict(grid);
    if (hidden.length !== 4 || output.some((value, k) => Math.abs(value - predicted[k]) > 1e-6)) throw new Error(`${hidden} ${output} ${predicted}`);
    const refused = await session.activations(["nothing"], grid).then(() => "", ({ code }) => code);
    if (refused !== "unknown_name") throw new Error(refused);
    await session.dispose();
    return { kernel: Array.from(kernel), bias: Array.from(bias), x: Array.from(x) };
  });
  const bounds = [0, 1].map((axis) => {
    const values = x.filter((_, k) => k % 2 === axis);
    const [least, most] = [Math.min(...values), Math.max(...values)];
    const [from, to] = [least - 0.15 * (most - least), most + 0.15 * (most - least)];
    return [from + (to - from) / 48, to - (to - from) / 48];
  });
  for (const unit of [0, 1]) {
    const corners = bounds[0].flatMap((a) => bounds[1].map((b) => 1 / (1 + Math.exp(-(a * kernel[unit] + b * kernel[2 + unit] + bias[unit])))));
    const told = (await units.nth(2 + unit).getAttribute("title")).match(/: (\S+) to (\S+)$/).slice(1).map(number);
    close(told[0], Math.min(...corners), `least of unit ${unit}`);
    close(told[1], Math.max(...corners), `most of unit ${unit}`);
  }
  assert.equal(await page.locator("gs-neurons line").count(), 6);
  // Training changes what they say.
  const before = await units.nth(2).getAttribute("title");
  await page.getByRole("button", { name: "One batch" }).click();
  await page.waitForFunction((old) => document.querySelectorAll("gs-neurons gs-unit")[2].title !== old, before);
  // The links of a layer, between the same pictures.
  await page.keyboard.press("ArrowRight");
  await page.getByText(/^Nothing is computed yet/).waitFor();
  for (let op = 1; op <= 3; op++) {
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction((at) => document.querySelector(".position").textContent.includes(` ${at} `), op);
  }
  await page.keyboard.press("Enter");
  await page.locator(".dense gs-unit canvas").nth(3).waitFor();
  assert.equal(await page.locator(".dense gs-unit").count(), 4);
  await page.waitForFunction(() => [...document.querySelectorAll(".dense gs-unit")].every((unit) => !unit.classList.contains("hatch")));
});
