// The scratchpad: what it shows is held against plain JavaScript; mistakes have their place; a program travels in the address.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { npm, pageTest } from "./support.mjs";

const axe = await readFile(npm.resolve("axe-core/axe.min.js"), "utf8");

const address = (url, program) => `${url}/#/scratch?${new URLSearchParams({ program })}`;

/** The numbers of the box of that name: its value, then its gradient. */
const box = async (page, name) => {
  const node = page.locator(".node", { has: page.locator(`b:text-is("${name}")`) });
  const read = async (kind) => (await node.locator(`.cells.${kind} span`).allInnerTexts()).map((text) => Number(text.replace("−", "-").replace("e−", "e-")));
  return { value: await read("value"), gradient: await read("gradient") };
};

const close = (got, expected, what) => {
  assert.equal(got.length, expected.length, what);
  got.forEach((number, k) => assert.ok(Math.abs(number - expected[k]) <= 0.006 * Math.abs(expected[k]) + 1e-9, `${what}: ${got}, expected ${expected}`));
};

pageTest("a program's graph shows value and gradient of every node, as plain arithmetic has them", {}, async ({ page, url }) => {
  await page.goto(address(url, "x = data([0.5, -1.2, 2])\nw = [0.4, 0.1, -0.3]\nb = 0.2\nz = sum(w * x) + b\na = tanh(z)\nloss = (a - 1)^2"));
  await page.locator(".node").first().waitFor();
  const x = [0.5, -1.2, 2];
  const z = 0.4 * x[0] + 0.1 * x[1] - 0.3 * x[2] + 0.2;
  const a = Math.tanh(z);
  const toA = 2 * (a - 1);
  const toZ = toA * (1 - a * a);
  close((await box(page, "z")).value, [z], "z");
  close((await box(page, "z")).gradient, [toZ], "dz");
  close((await box(page, "a")).gradient, [toA], "da");
  close((await box(page, "w")).gradient, x.map((value) => value * toZ), "dw");
  close((await box(page, "loss")).value, [(a - 1) ** 2], "loss");
  await page.getByText("All numbers as a table").click();
  assert.equal(await page.locator(".scratch-program table.numbers tbody tr").count(), 6);
});

pageTest("backprop-by-hand stands beside the article's numbers", {}, async ({ page, url }) => {
  await page.goto(`${url}/#scratch`);
  await page.getByLabel("Example").selectOption("hand");
  await page.locator(".claims").getByText("[0.59, 0.82]").waitFor();
  await page.locator(".node b", { hasText: "J" }).waitFor();
  close((await box(page, "h")).value, [0.587, 0.679], "h");
  close((await box(page, "z")).gradient, [0.142, -0.0699], "delta");
  close((await box(page, "W")).gradient, [0.0711, 0.142, -0.035, -0.0699], "dW");
});

pageTest("every example runs, by the model menu and the keyboard", {}, async ({ page, url }) => {
  await page.goto(`${url}/#/sigmoid-2-2-1`);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  await page.getByRole("combobox", { name: "Model" }).selectOption("scratch");
  await page.getByRole("heading", { name: "Scratchpad" }).waitFor();
  const examples = await page.getByLabel("Example").locator("option").evaluateAll((options) => options.map(({ value }) => value));
  assert.equal(examples.length, 5);
  for (const example of examples) {
    await page.getByLabel("Example").selectOption(example);
    await page.waitForFunction(() => !document.querySelector(".mistake") && document.querySelectorAll(".node").length >= 4);
  }
  const editor = page.getByRole("textbox", { name: "The program" });
  await editor.fill("a = 3\nb = a * a");
  await editor.press("Control+Enter");
  await page.locator(".node b", { hasText: "b" }).waitFor();
  close((await box(page, "a")).gradient, [6], "da");
  await page.goBack();
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
});

pageTest("a mistake is marked where it stands, with what helps, and goes away", {}, async ({ page, url }) => {
  await page.goto(address(url, "x = ones(2, 3)\nw = randn(2, 3)\nloss = sum(x @ w)"));
  await page.locator(".mistake").waitFor();
  assert.match(await page.locator(".mistake").innerText(), /Line 3, column 12:.*matmul cannot take shapes \[2, 3\] and \[2, 3\]/s);
  assert.match(await page.locator(".mistake").innerText(), /the last extent on the left must be the last but one on the right/);
  assert.equal(await page.locator(".sheet mark").innerText(), "x @ w");
  assert.equal(await page.locator(".editor li.wrong").innerText(), "3");
  const editor = page.getByRole("textbox", { name: "The program" });
  assert.equal(await editor.getAttribute("aria-invalid"), "true");
  await editor.fill("x = ones(2, 3)\nw = randn(2, 3)\nloss = sum(x @ w.T)");
  await page.locator(".mistake").waitFor({ state: "detached" });
  await page.locator(".node b", { hasText: "loss" }).waitFor();
  // What was typed is in the address, and comes back from it.
  await page.waitForFunction(() => location.hash.includes("w.T"));
  await page.reload();
  await page.locator(".node b", { hasText: "loss" }).waitFor();
  assert.match(await page.getByRole("textbox", { name: "The program" }).inputValue(), /w\.T/);
});

pageTest("a program in the query opens; mistakes are told in Chinese", { context: { locale: "zh-CN" } }, async ({ page, url }) => {
  await page.goto(`${url}/?${new URLSearchParams({ scratch: "y = tahn(2)" })}`);
  await page.getByText("没有名为 tahn 的 函数。").waitFor();
  await page.getByText("是否想写 tanh？").waitFor();
});

pageTest("the package reads a program without a session, and rejects a mistake with its place", {}, async ({ page, url }) => {
  await page.goto(`${url}/tests/blank.html`);
  const { report, error, again } = await page.evaluate(async () => {
    const { readScratch } = await import("/pkg/gradscope.js");
    const report = await readScratch("x = 3; loss = x^2");
    const error = await readScratch("x = 3\ny = x +").catch(({ code, where, args }) => ({ code, where, args }));
    const random = async (seed) => (await readScratch("x = randn(2); loss = sum(x)", seed)).nodes[0].value;
    const again = [await random(1), await random(1), await random(2)];
    return { report, error, again };
  });
  assert.deepEqual(report.statements.map(({ name, variable, line }) => [name, variable, line]), [["x", true, 1], ["loss", false, 1]]);
  assert.equal(report.nodes[report.loss].value[0], 9);
  assert.equal(report.nodes[report.statements[0].node].gradient[0], 6);
  assert.deepEqual([error.code, error.where, error.args.line, error.args.column], ["unexpected", "2:8", "2", "8"]);
  assert.deepEqual(again[0], again[1]);
  assert.notDeepEqual(again[0], again[2]);
});

pageTest("the package walks through a program op by op, and every number is what plain JavaScript computes", {}, async ({ page, url }) => {
  await page.goto(`${url}/tests/blank.html`);
  const { values, steps, closed } = await page.evaluate(async () => {
    const { scratch } = await import("/pkg/gradscope.js");
    const walk = await scratch("x = data([0.5, -1.2]); w = [0.4, 0.1]; z = sum(w * x); loss = tanh(z)^2; learning_rate = 0.1");
    const { nodes, ops, forwardEnd } = walk.info;
    const values = {};
    for (let cursor = 1; cursor <= ops.length; cursor++) {
      await walk.to(cursor);
      const [{ data }] = await walk.read([{ node: ops[cursor - 1] }]);
      values[nodes[ops[cursor - 1]].name] = [...data];
    }
    const node = (name) => nodes.findIndex((of) => of.name === name);
    const [gradient] = await walk.read([{ node: nodes[node("w")].gradient }]);
    values.dw = [...gradient.data];
    const { slope } = await walk.nudge(node("w"), 1);
    values.slope = slope;
    for (let cursor = ops.length; cursor >= 0; cursor--) await walk.to(cursor);
    const losses = [];
    for (let step = 0; step < 3; step++) {
      losses.push((await walk.to(forwardEnd)).loss);
      await walk.batches(1);
    }
    await walk.batches(-3);
    const again = (await walk.to(forwardEnd)).loss;
    const undone = await walk.read([{ node: ops.at(-1) }]).then(() => "read", ({ code }) => code);
    await walk.close();
    const closed = await walk.to(1).then(() => "open", ({ code }) => code);
    return { values, steps: { losses, again, undone }, closed };
  });
  const z = 0.4 * 0.5 - 0.1 * 1.2;
  const h = Math.tanh(z);
  const dz = 2 * h * (1 - h * h);
  close(values.z, [z], "z");
  close(values.tanh, [h], "tanh");
  close(values.loss, [h * h], "loss");
  close(values.dw, [0.5 * dz, -1.2 * dz], "dw");
  assert.ok(Math.abs(values.slope - -1.2 * dz) < 1e-4);
  assert.ok(steps.losses[0] > steps.losses[1] && steps.losses[1] > steps.losses[2], `${steps.losses}`);
  assert.deepEqual([steps.again, steps.undone, closed], [steps.losses[0], "wrong_state", "wrong_state"]);
});

pageTest("a program opens in the stepper, by keyboard forward, backward and update, and closes again", {}, async ({ page, url }) => {
  await page.goto(address(url, "x = data([0.5, -1.2])\nw = [0.4, 0.1]\nz = sum(w * x)\nloss = tanh(z)^2"));
  await page.locator(".node").first().waitFor();
  await page.getByRole("button", { name: "Step", exact: true }).click();
  await page.locator(".walking").waitFor();
  await page.locator("gs-stepper").waitFor();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("f");
  const loss = Math.tanh(0.4 * 0.5 - 0.1 * 1.2) ** 2;
  await page.locator(".walking .stats dd").first().getByText(loss.toFixed(4), { exact: true }).waitFor();
  await page.keyboard.press("b");
  await page.keyboard.press("u");
  await page.locator(".tensor-card", { hasText: "w" }).first().waitFor();
  await page.keyboard.press("Alt+ArrowRight");
  await page.locator(".walking .stats dd").nth(1).getByText("1", { exact: true }).waitFor();
  await page.getByRole("textbox", { name: "The program" }).fill("a = 2; b = a^3");
  await page.locator(".walking").waitFor({ state: "detached" });
  await page.locator(".node b", { hasText: "b" }).waitFor();
});

for (const colorScheme of ["light", "dark"]) {
  for (const viewport of [{ width: 1440, height: 900 }, { width: 390, height: 844 }]) {
    for (const [what, program] of [["a graph", "x = [[1, 2], [3, 4]]; loss = mean(tanh(x)^2)"], ["a mistake", "x = (1"]]) {
      pageTest(`accessible, ${colorScheme}, ${viewport.width} px: ${what}`, { context: { colorScheme, viewport } }, async ({ page, url }) => {
        await page.goto(address(url, program));
        await page.locator(".node, .mistake").first().waitFor();
        await page.evaluate(axe);
        const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
        const { violations } = await page.evaluate((runOnly) => globalThis.axe.run(document, { runOnly }), tags);
        assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`), []);
        const across = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(across <= 0, `${across} px of sideways scrolling`);
      });
    }
  }
}
