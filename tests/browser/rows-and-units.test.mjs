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
  await shown(0);
  const next = page.locator(".cross-entropy").getByRole("button", { name: "Next row" });
  assert.ok(await page.locator(".cross-entropy").getByRole("button", { name: "Previous row" }).isDisabled());
  for (const row of [1, 2, 3]) {
    await next.click();
    await shown(row);
  }
  // A class of that row is an element of the logits.
  await page.locator(".cross-entropy tbody th button").first().click();
  await page.locator(".cross-entropy .which").getByText("Row 4 of 64").waitFor();
  await page.locator(".crumbs").getByText(/^\[3, \d+\]$/).waitFor();
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
