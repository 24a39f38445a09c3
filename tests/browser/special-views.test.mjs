// The views that single ops have of their own in the stepper; what they show beside the same numbers computed here, in plain JavaScript.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { npm, pageTest } from "./support.mjs";

const axe = await readFile(npm.resolve("axe-core/axe.min.js"), "utf8");

const number = (text) => Number(text.trim().replaceAll("−", "-").replaceAll(",", "").replace("×", "").trim());
const close = (shown, expected, what, scale = 0) =>
  assert.ok(Math.abs(shown - expected) <= 6e-4 * Math.abs(expected) + 6e-4 * scale + 1e-7, `${what}: ${shown} on the page, ${expected} computed apart`);

/** Opens a preset and the walk through its first step. */
async function openWalk(page, url, preset, query = "seed=7&backend=cpu") {
  await page.goto(`${url}/#/${preset}?${query}`);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  await startWalk(page);
}

async function startWalk(page) {
  await page.keyboard.press("ArrowRight");
  await page.getByText(/^Nothing is computed yet/).waitFor();
}

/** Steps on until the op of that name is done, and zooms in. */
async function standAt(page, name, zoom) {
  for (let op = 0; op < 90; op++) {
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction((at) => document.querySelector(".position").textContent.includes(` ${at} `), op + 1);
    if ((await page.locator(".position b").innerText()).trim() === name) break;
  }
  assert.equal((await page.locator(".position b").innerText()).trim(), name);
  await page.waitForFunction((of) => document.querySelector(".cell-head h2")?.textContent.startsWith(of) && document.querySelector(".equations[aria-busy=false]"), name);
  for (let k = 0; k < zoom; k++) await page.keyboard.press("Enter");
}

/** A view is there, nothing in the page is hard to use, and nothing sticks out sideways. */
async function accessible(page, selector, what) {
  await page.locator(selector).first().waitFor();
  await page.waitForTimeout(300);
  await page.evaluate(axe);
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const { violations } = await page.evaluate((runOnly) => globalThis.axe.run(document, { runOnly }), tags);
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`), [], what);
  const across = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(across <= 0, `${what}: ${across} px of sideways scrolling`);
}

/** The chosen cell's index, as its heading says. */
const place = async (page) => ((await page.locator(".cell-head h2").innerText()).match(/\[([\d, ]*)\]$/)?.[1] ?? "").split(", ").filter(Boolean).map(Number);

/** Moves the cell of the grid of that name, which has the focus, by its keys: to a row, a column and a channel. */
async function moveTo(page, name, [row, column, channel]) {
  const heading = page.locator(".cell-head h2");
  const press = async (key) => {
    const before = await heading.innerText();
    await page.keyboard.press(key);
    await page.waitForFunction((old) => document.querySelector(".cell-head h2").textContent !== old, before);
  };
  await press("PageDown");
  await heading.getByText(`${name}[`).waitFor();
  for (;;) {
    const [r, c, k] = await place(page);
    const key = k < channel ? "PageDown" : k > channel ? "PageUp" : r < row ? "ArrowDown" : r > row ? "ArrowUp" : c < column ? "ArrowRight" : c > column ? "ArrowLeft" : "";
    if (!key) return;
    await press(key);
  }
}

/** Values of the page's walk, by name, for the example that it shows; from a session of the same seed that stands at the same op. */
const beside = (page, model, names, row, layers) =>
  page.evaluate(async ({ model, names, row, layers }) => {
    const { createSession, presets } = await import(new URL("pkg/gradscope.js", document.baseURI).href);
    const preset = (await presets()).find(({ name }) => name === model);
    const own = layers ? { ...preset.model, layers: [...preset.model.layers.slice(0, -1), ...layers, preset.model.layers.at(-1)] } : preset.model;
    const { data, loss, optimizer, batchSize, validationSplit } = preset;
    const session = await createSession({ model: own, data, loss, optimizer, batchSize, validationSplit, backend: "cpu", seed: 7 });
    const walk = await session.walk({ type: "batch" });
    await walk.to(walk.info.ops.length);
    const at = names.map((name) => walk.info.nodes.findIndex((node) => node.name === name));
    const example = row === undefined ? undefined : walk.info.rows.indexOf(row);
    const values = await walk.read(at.map((node) => (walk.info.nodes[node].batched && example !== undefined ? { node, example } : { node })));
    await session.dispose();
    return Object.fromEntries(names.map((name, k) => [name, { shape: values[k].shape, data: Array.from(values[k].data) }]));
  }, { model, names, row, layers });

const rowShown = async (page) => number((await page.locator(".which small").innerText()).match(/[\d,]+$/)[0]);

pageTest("a convolution's window: products in place, the running sum, bias and relu", { context: { viewport: { width: 1440, height: 1100 } }, timeout: 180_000 }, async ({ page, url }) => {
  await openWalk(page, url, "mnist-cnn");
  await standAt(page, "conv2d_1", 2);
  await page.locator(".products").waitFor();
  const values = await beside(page, "mnist-cnn", ["max_pooling2d/max_pool2d", "conv2d_1.kernel", "conv2d_1.bias", "conv2d_1/relu"], await rowShown(page));
  const [x, w] = [values["max_pooling2d/max_pool2d"].data, values["conv2d_1.kernel"].data];
  const [i, j, o] = await place(page);
  const product = (p, q, c) => x[((i + p) * 13 + j + q) * 32 + c] * w[((p * 3 + q) * 32 + c) * 64 + o];

  // The one channel that is large: its nine products, each in its place.
  const large = number((await page.locator(".strip button[aria-pressed=true] small").innerText()));
  const cells = await page.locator(".window-channels .product").evaluateAll((all) => all.map((cell) => [cell.style.gridRowStart, cell.style.gridColumnStart, cell.querySelector("b").textContent]));
  assert.equal(cells.length, 9);
  for (const [row, column, text] of cells) close(number(text), product(row - 1, column - 1, large), `product ${row}, ${column} of channel ${large}`, 1e-2);
  assert.equal(await page.locator(".strip button").count(), 32);

  // The running sum, by keyboard: term by term, channel after channel.
  const order = [];
  for (let c = 0; c < 32; c++) for (let p = 0; p < 3; p++) for (let q = 0; q < 3; q++) order.push(product(p, q, c));
  const slider = page.getByRole("slider", { name: "Terms that are in the sum" });
  assert.equal(await slider.getAttribute("max"), "288");
  await slider.focus();
  await page.keyboard.press("Home");
  let sum = 0;
  for (let k = 0; k < 12; k++) {
    await page.keyboard.press("ArrowRight");
    sum += order[k];
    await page.locator(".run-sum small").getByText(`${k + 1} of 288 terms`, { exact: true }).waitFor();
    close(number(await page.locator(".run-sum b").innerText()), sum, `sum of ${k + 1} terms`, 1e-3);
  }
  assert.equal(await page.locator(".ops").getAttribute("aria-valuenow"), "7", "the arrows moved the sum, not the walk");
  await page.keyboard.press("End");
  const whole = order.reduce((total, term) => total + term, 0);
  await page.locator(".run-sum small").getByText("288 of 288 terms", { exact: true }).waitFor();
  close(number(await page.locator(".run-sum b").innerText()), whole, "whole sum");
  const results = await page.locator(".equation .result").allInnerTexts();
  close(number(results[0]), whole + values["conv2d_1.bias"].data[o], "with the bias");
  close(number(results[1]), values["conv2d_1/relu"].data[(i * 11 + j) * 64 + o], "after the relu");
  assert.equal(await page.locator(".equation .check.good").count(), 1);

  // Space adds, and holds; the walk does not move.
  await page.keyboard.press("Space");
  await page.getByRole("button", { name: "Hold" }).waitFor();
  // It waits while the pointer is on a picture, and goes on behind it.
  const termsIn = async () => Number((await page.locator(".run-sum small").innerText()).split(" ")[0]);
  await page.locator("gs-marked").first().hover();
  await page.waitForTimeout(100);
  const waiting = await termsIn();
  await page.waitForTimeout(400);
  assert.equal(await termsIn(), waiting);
  await page.mouse.move(5, 5);
  await page.waitForFunction((before) => Number(document.querySelector(".run-sum small").textContent.split(" ")[0]) > before, waiting);
  await page.keyboard.press("Space");
  await page.getByRole("button", { name: "Add up" }).waitFor();
  assert.ok((await termsIn()) < 288, "it was held");

  // Another channel beside it.
  await page.locator(".strip button[aria-pressed=true]").focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelectorAll(".window-channels .products").length === 2);

  // The sweep moves the window; the pointer on a picture holds it.
  await page.getByRole("button", { name: "Slide over the picture" }).click();
  await page.waitForFunction((before) => document.querySelector(".cell-head h2").textContent !== before, await page.locator(".cell-head h2").innerText());
  await page.locator("gs-marked").first().hover();
  await page.waitForTimeout(400);
  const resting = await page.locator(".cell-head h2").innerText();
  await page.waitForTimeout(700);
  assert.equal(await page.locator(".cell-head h2").innerText(), resting);
});

pageTest("back through a convolution: a weight's sweep, a pixel's windows and the kernel turned", { context: { reducedMotion: "reduce", viewport: { width: 1440, height: 1100 } }, timeout: 180_000 }, async ({ page, url }) => {
  await openWalk(page, url, "mnist-cnn");
  await page.keyboard.press("b");
  await page.locator(".position b").getByText("∂L/∂conv2d.kernel", { exact: true }).waitFor();
  const row = await rowShown(page);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  await page.locator(".run-sum b").waitFor();
  const whole = await beside(page, "mnist-cnn", ["x", "conv2d/∂mul"]);
  const own = await beside(page, "mnist-cnn", ["x", "conv2d/∂mul", "conv2d.kernel"], row);
  const [p, q, , o] = await place(page);
  const term = (x, d, i, j, n = 0) => x[n * 784 + (i + p) * 28 + j + q] * d[((n * 26 + i) * 26 + j) * 32 + o];
  const terms = (x, d, n = 0) => Array.from({ length: 676 }, (_, k) => term(x, d, Math.floor(k / 26), k % 26, n));
  const total = (list) => list.reduce((a, b) => a + b, 0);
  const mine = total(terms(own.x.data, own["conv2d/∂mul"].data));
  const all = total(Array.from({ length: 64 }, (_, n) => total(terms(whole.x.data, whole["conv2d/∂mul"].data, n))));
  const [shownOwn, shownOthers, shownAll] = (await page.locator(".equation b").allInnerTexts()).map(number);
  close(shownOwn, mine, "this example's positions", Math.abs(all));
  close(shownOthers, all - mine, "the other examples", Math.abs(all));
  close(shownAll, all, "the weight's gradient");
  assert.equal(await page.locator(".equation .check.good").count(), 1);
  // In the middle of the sweep: the first 350 positions. Without motion "add up" is there at once.
  const slider = page.getByRole("slider", { name: "Terms that are in the sum" });
  await slider.evaluate((input) => { input.value = "350"; input.dispatchEvent(new Event("input", { bubbles: true })); });
  close(number(await page.locator(".run-sum b").innerText()), total(terms(own.x.data, own["conv2d/∂mul"].data).slice(0, 350)), "350 positions", Math.abs(mine));
  await page.getByRole("button", { name: "Add up" }).click();
  await page.locator(".run-sum small").getByText("739 of 739 terms", { exact: true }).waitFor();

  // To a pixel: every window that saw it, with the tap that met it.
  await page.locator(".position").click();
  await page.keyboard.press("ArrowLeft");
  await page.locator(".position b").getByText("∂L/∂x", { exact: true }).waitFor();
  await page.locator(".turned").waitFor();
  const [r, c] = await place(page);
  const d = own["conv2d/∂mul"].data;
  const kernel = own["conv2d.kernel"].data;
  const channel = number(await page.locator(".strip button[aria-pressed=true] small").innerText());
  const products = await page.locator(".window-channels .product").evaluateAll((cells) => cells.map((cell) => [cell.querySelector(".tap").textContent.match(/\d+/g).map(Number), cell.querySelector("b").textContent, cell.style.gridRowStart, cell.style.gridColumnStart]));
  const seen = [];
  for (let a = 0; a < 3; a++) for (let b = 0; b < 3; b++) if (r - a >= 0 && r - a < 26 && c - b >= 0 && c - b < 26) seen.push([a, b]);
  assert.deepEqual(products.map(([tap]) => tap.join()).sort(), seen.map(String).sort(), "the taps that meet the pixel");
  for (const [[a, b], text] of products) close(number(text), d[((r - a) * 26 + c - b) * 32 + channel] * kernel[(a * 3 + b) * 32 + channel], `tap ${a}, ${b}`, 1e-5);
  // Laid over the results, a later tap stands above and to the left of an earlier one: the kernel is turned.
  for (const [[a, b], , row1, column1] of products) {
    for (const [[a2, b2], , row2, column2] of products) if (a > a2 && b > b2) assert.ok(row1 < row2 && column1 < column2);
  }
  let gradient = 0;
  for (const [a, b] of seen) for (let o = 0; o < 32; o++) gradient += d[((r - a) * 26 + c - b) * 32 + o] * kernel[(a * 3 + b) * 32 + o];
  close(number(await page.locator(".run-sum b").innerText()), gradient, "the pixel's gradient", 1e-5);
  await page.getByText("the kernel, turned by 180°").waitFor();
});

pageTest("max-pool: every window's winner, forward and back", { context: { viewport: { width: 1440, height: 1100 } }, timeout: 180_000 }, async ({ page, url }) => {
  await openWalk(page, url, "mnist-cnn");
  await standAt(page, "max_pooling2d_1", 0);
  await page.getByRole("button", { name: "How this op works" }).click();
  await page.locator(".pool-text .link").waitFor();
  const row = await rowShown(page);
  const values = await beside(page, "mnist-cnn", ["conv2d_1/relu", "max_pooling2d_1/∂max_pool2d_grad", "conv2d_2/∂conv2d_input_grad"], row);
  const x = values["conv2d_1/relu"].data;
  const winner = (i, j, c) => [[0, 0], [0, 1], [1, 0], [1, 1]].map(([a, b]) => [2 * i + a, 2 * j + b]).reduce((best, at) => (x[(at[0] * 11 + at[1]) * 64 + c] > x[(best[0] * 11 + best[1]) * 64 + c] ? at : best));
  const [i, j, c] = await place(page);
  const [wi, wj] = winner(i, j, c);
  assert.equal(await page.locator(".pool-text .link").innerText(), `conv2d_1[${wi}, ${wj}, ${c}]`);
  close(number(await page.locator(".pool-text b").first().innerText()), x[(wi * 11 + wj) * 64 + c], "the winner");
  close(number(await page.locator(".product.last b").innerText()), x[(wi * 11 + wj) * 64 + c], "the winner in its window");
  const distinct = new Set(Array.from({ length: 25 }, (_, k) => winner(Math.floor(k / 5), k % 5, c).join())).size;
  await page.getByText(`${distinct} winners`).first().waitFor();

  // Back: the winner has the window's gradient, a loser has none.
  await page.keyboard.press("b");
  await page.locator(".position b").getByText("∂L/∂conv2d.kernel", { exact: true }).waitFor();
  const { "max_pooling2d_1/∂max_pool2d_grad": { data: dx }, "conv2d_2/∂conv2d_input_grad": { data: dy } } = values;
  for (const [at, won] of [[[wi, wj], true], [[wi ^ 1, wj], false]]) {
    await page.locator(".crumbs button").first().click();
    await page.locator(".chain li").nth(3).locator(".tensor-head").click();
    await page.locator(".crumbs button").nth(1).click();
    await page.keyboard.press("g");
    await page.locator(".layer-view h2").getByText("∂L/∂conv2d_1", { exact: true }).waitFor();
    await page.locator(".layer-view .grid-cell").focus();
    await moveTo(page, "∂L/∂conv2d_1", [...at, c]);
    await page.locator(".crumbs button").nth(2).click();
    await page.locator(".pool-text .link").waitFor();
    assert.deepEqual(await place(page), [...at, c]);
    const shown = number(await page.locator(".cell-head .result").innerText());
    close(shown, dx[(at[0] * 11 + at[1]) * 64 + c], `the gradient at ${at}`);
    close(shown, won ? dy[(i * 5 + j) * 64 + c] : 0, won ? "the winner's is its window's" : "a loser's");
    const text = await page.locator(".pool-text p").first().innerText();
    assert.match(text, won ? /It won a window/ : /It lost a window/);
    if (won) close(number(await page.locator(".pool-text b").first().innerText()), dy[(i * 5 + j) * 64 + c], "the window's gradient");
    else assert.equal(await page.locator(".pool-text .link").first().innerText(), `conv2d_1[${wi}, ${wj}, ${c}]`);
  }
});

pageTest("softmax and cross-entropy: written out and in one, forward and back", { context: { viewport: { width: 1440, height: 1100 } }, timeout: 180_000 }, async ({ page, url }) => {
  await openWalk(page, url, "mnist-cnn-small");
  await standAt(page, "dense_1/add", 1);
  await page.locator(".cross-entropy").waitFor();
  await page.getByText("As soon as the loss is computed.").waitFor();
  await page.keyboard.press("b");
  await page.locator(".position").getByText(/^backward pass/).waitFor();
  await page.locator(".chain li").nth(5).locator(".tensor-head").click();
  await page.locator('.cross-entropy [data-class="9"]').waitFor();
  const row = await rowShown(page);
  const values = await beside(page, "mnist-cnn-small", ["dense_1/add", "y", "loss_of_each_example", "∂softmax_cross_entropy_grad"], row);
  const z = values["dense_1/add"].data;
  const [label] = values.y.data;
  const most = Math.max(...z);
  const powers = z.map((z) => Math.exp(z - most));
  const total = powers.reduce((a, b) => a + b, 0);
  const p = powers.map((power) => power / total);
  // Forward, written out.
  const forward = await page.locator(".cross-entropy .chain-table").first().locator("tbody tr").evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent)));
  assert.equal(forward.length, 10);
  forward.forEach((cells, k) => {
    const expected = [z[k], z[k] - most, powers[k], p[k], Number(k === label), k === label ? -Math.log(p[k]) : 0];
    cells.forEach((text, column) => close(number(text), expected[column], `class ${k}, column ${column}`, 0.1));
  });
  const fused = (await page.locator(".cross-entropy .fused dd").allInnerTexts()).map((text) => number(text.replace(/[✓✗].*/s, "")));
  close(fused[0], most + Math.log(total), "ln Σ e^z");
  close(fused[2], values.loss_of_each_example.data[0], "the loss in one");
  // Backward: both ways, and the engine's.
  const back = await page.locator(".cross-entropy tr[data-class]").evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent)));
  assert.equal(back.length, 10);
  back.forEach((cells, k) => {
    const expected = p[k] - Number(k === label);
    close(number(cells[0]), expected, `class ${k} written out`, 0.1);
    close(number(cells[1]), expected, `class ${k}, p − t`, 0.1);
    assert.match(cells[2], /✓/);
    close(number(cells[3]), expected / 32, `class ${k} times δ`);
    close(number(cells[4]), values["∂softmax_cross_entropy_grad"].data[k], `class ${k} of the engine`);
    assert.match(cells[5], /✓/);
  });
  assert.equal(await page.locator(".cross-entropy .check.bad").count(), 0);
  // Another class, by keyboard; its chain through p.
  await page.locator('.cross-entropy [data-class="3"] button').focus();
  await page.keyboard.press("Enter");
  await page.locator('.cross-entropy [data-class="3"].on').waitFor();
  const [toP, slope, product] = (await page.locator(".two-sides.through .chain-table").first().locator("tbody tr").first().locator("td").allInnerTexts()).map(number);
  close(toP, -1 / p[label], "∂L/∂p");
  close(slope, p[label] * (Number(label === 3) - p[3]), "∂p/∂z", 1e-2);
  close(product, p[3] - Number(label === 3), "their product", 0.1);
});

pageTest("links between dense layers: a weight opened by keyboard, nudged, edited", { context: { viewport: { width: 1440, height: 1000 } } }, async ({ page, url }) => {
  await openWalk(page, url, "sigmoid-2-2-1");
  await page.keyboard.press("b");
  await page.locator(".position").getByText(/^backward pass/).waitFor();
  await page.locator(".chain li").nth(1).locator(".tensor-head").click();
  await page.locator(".crumbs button").nth(1).click();
  await page.locator(".links").waitFor();
  const { "dense.kernel": kernel, "dense/∂matmul_1": gradient } = await beside(page, "sigmoid-2-2-1", ["dense.kernel", "dense/∂matmul_1"]);
  const links = await page.locator("[data-link]").evaluateAll((all) => all.map((link) => ({ element: Number(link.dataset.link), width: Number(link.querySelector("path:last-child").getAttribute("stroke-width")), label: link.getAttribute("aria-label") })));
  assert.equal(links.length, 4);
  const largest = Math.max(...kernel.data.map(Math.abs));
  for (const { element, width, label } of links) {
    close(width, Math.max(0.6, (9 * Math.abs(kernel.data[element])) / largest), `width of ${element}`, 1e-2);
    close(number(label.split(": ")[1]), kernel.data[element], label);
  }
  const ops = await page.locator(".ops").getAttribute("aria-valuenow");
  await page.locator('[data-link][tabindex="0"]').focus();
  for (let k = 0; k < 4 && !(await page.evaluate(() => document.activeElement.dataset.link === "2")); k++) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.locator(".weight-open h4").getByText("dense.kernel[1, 0]", { exact: true }).waitFor();
  assert.equal(await page.locator(".ops").getAttribute("aria-valuenow"), ops);
  const facts = await page.locator(".weight-open dd").allInnerTexts();
  close(number(facts[0]), kernel.data[2], "the weight");
  close(number(facts[2]), gradient.data[2], "its gradient");
  await page.locator(".weight-open").getByRole("button", { name: /Nudge/ }).click();
  await page.locator(".weight-open").getByText("The slope is the gradient").waitFor();
  const field = page.locator(".weight-open input");
  await field.fill("Infinity");
  await field.press("Enter");
  await page.locator(".weight-open [role=alert]").getByText("is not a finite number").waitFor();
  await field.fill("0.5");
  await field.press("Enter");
  await page.locator(".weight-open dd b").getByText("0.5", { exact: true }).waitFor();
  await page.waitForFunction(() => document.querySelector(".ops").getAttribute("aria-valuenow") === "0");
  await page.locator(".weight-open header").getByRole("button", { name: "Close" }).click();
  await page.waitForFunction(() => document.activeElement.dataset.link === "2");
});

for (const layer of ["BatchNormalization", "LayerNormalization"]) {
  pageTest(`${layer}: the statistics of the group`, { context: { reducedMotion: "reduce", viewport: { width: 1440, height: 1100 } } }, async ({ page, url }) => {
    await page.goto(`${url}/#/sigmoid-2-2-1?seed=7&backend=cpu`);
    await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
    await page.locator("label.add select").selectOption(layer);
    await page.locator(".pending .primary").first().click();
    await page.locator(".card-in").nth(3).waitFor();
    await page.locator(".pending").first().waitFor({ state: "detached" });
    await page.locator("h2.title").click();
    await startWalk(page);
    await page.keyboard.press("u");
    await page.locator(".position").getByText(/^update pass/).waitFor();
    await page.locator('.chain .tensor-head[title*="normalization"]').click();
    await page.locator(".crumbs button").nth(1).click();
    await page.locator("gs-group-histogram canvas").waitFor();
    const name = layer === "BatchNormalization" ? "batch_normalization" : "layer_normalization";
    const whole = await beside(page, "sigmoid-2-2-1", ["dense/sigmoid"], undefined, [{ type: layer }]);
    const own = await beside(page, "sigmoid-2-2-1", ["dense/sigmoid"], await rowShown(page), [{ type: layer }]);
    const [k] = await place(page);
    const group = layer === "BatchNormalization" ? [0, 1, 2, 3].map((n) => whole["dense/sigmoid"].data[2 * n + k]) : own["dense/sigmoid"].data;
    const mean = group.reduce((a, b) => a + b, 0) / group.length;
    const variance = group.reduce((sum, x) => sum + (x - mean) ** 2, 0) / group.length;
    const x = own["dense/sigmoid"].data[k];
    const normalised = (x - mean) / Math.sqrt(variance + 1e-3);
    const shown = (await page.locator(".norm .fused dd").allInnerTexts()).map(number);
    [x, mean, variance, 1e-3, Math.sqrt(variance + 1e-3), normalised, normalised, normalised].forEach((expected, at) => close(shown[at], expected, `${name}, fact ${at}`));
    const moving = await page.locator(".norm tbody tr").evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent)));
    if (layer === "LayerNormalization") assert.equal(moving.length, 0);
    else {
      const [[before, keeps, after], [beforeV, , afterV]] = moving.map((row) => row.map(number));
      assert.deepEqual([before, keeps, beforeV], [0, 0.99, 1]);
      close(after, 0.01 * mean, "the moving mean");
      close(afterV, 0.99 + 0.01 * variance, "the moving variance");
    }
    await accessible(page, "gs-group-histogram", layer);
  });
}

for (const { colorScheme, width, locale } of [
  { colorScheme: "light", width: 1440, locale: "en-US" }, { colorScheme: "dark", width: 1024, locale: "zh-CN" }, { colorScheme: "light", width: 390, locale: "zh-CN" },
]) {
  pageTest(`the views are accessible, ${colorScheme}, ${width} px, ${locale}`, { context: { colorScheme, locale, reducedMotion: "reduce", viewport: { width, height: 1000 } }, timeout: 240_000 }, async ({ page, url }) => {
    await page.goto(`${url}/#/mnist-cnn-small?seed=7&backend=cpu`);
    await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
    await page.keyboard.press("ArrowRight");
    await page.locator(".walk-head").waitFor();
    await page.keyboard.press("b");
    await page.waitForFunction(() => document.querySelector(".position b")?.textContent === "∂L/∂conv2d.kernel");
    const check = (selector, what) => accessible(page, selector, what);
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await check(".run", "a weight");
    await page.keyboard.press("ArrowLeft");
    await check(".turned", "a pixel");
    const look = async (card, selector) => {
      // On a phone the view has the room: one goes out to the cards, and in again.
      const [whole, , cell] = await page.locator(".crumbs button").all();
      if (width < 700) await whole.click();
      await page.locator(".chain li").nth(card).locator(".tensor-head").click();
      if (width < 700) await cell.click();
      await check(selector, `card ${card}`);
    };
    await look(1, ".run");
    await look(2, ".pool");
    await look(4, ".dense");
    await page.locator("[data-link]").first().dispatchEvent("click");
    await check(".weight-open", "an open weight");
    await look(5, ".cross-entropy .two-sides.through");
  });
}
