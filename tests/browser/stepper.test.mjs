// The stepper as a visitor uses it, by keyboard; every number that it shows beside the same number computed here, in plain JavaScript.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { npm, pageTest } from "./support.mjs";

const axe = await readFile(npm.resolve("axe-core/axe.min.js"), "utf8");

const sigmoid = (z) => 1 / (1 + Math.exp(-z));

/** Opens a preset and the walk through its first step. */
async function openWalk(page, address) {
  await page.goto(address);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  await page.keyboard.press("ArrowRight");
  await page.locator(".walk-head").waitFor();
  await page.getByText(/^Nothing is computed yet/).waitFor();
}

/** The parameters that the page begins with, and its data: from a session of the same seed. */
const beginning = (page) =>
  page.evaluate(async () => {
    const { createSession } = await import(new URL("pkg/gradscope.js", document.baseURI).href);
    const session = await createSession({ model: "sigmoid-2-2-1", backend: "cpu", seed: 7 });
    const of = async (name) => Array.from(await session.getParameter(name));
    const { x, labels } = await session.examples("train", [0, 1, 2, 3]);
    const parameters = { w1: await of("dense.kernel"), b1: await of("dense.bias"), w2: await of("dense_1.kernel"), b2: await of("dense_1.bias") };
    await session.dispose();
    return { ...parameters, x: Array.from(x), y: labels };
  });

/** One step of the network by hand: every value of every example, by the name that the page gives it; and the gradients of the weights. */
function byHand({ w1, b1, w2, b2, x, y }, rows) {
  const examples = rows.map((row) => {
    const input = [x[2 * row], x[2 * row + 1]];
    const sum = [0, 1].map((j) => input[0] * w1[j] + input[1] * w1[2 + j]);
    const z = sum.map((s, j) => s + b1[j]);
    const h = z.map(sigmoid);
    const out = h[0] * w2[0] + h[1] * w2[1];
    const logit = out + b2[0];
    const loss = Math.log(1 + Math.exp(logit)) - y[row] * logit;
    const delta = (sigmoid(logit) - y[row]) / rows.length;
    const dh = w2.map((w) => w * delta);
    const dz = dh.map((d, j) => d * h[j] * (1 - h[j]));
    return {
      input, h, dz, delta, loss,
      values: {
        x: input, "dense/matmul": sum, "dense/add": z, dense: h, "dense_1/matmul": [out], "dense_1/add": [logit], dense_1: [sigmoid(logit)],
        binary_cross_entropy_with_logits: [loss], loss_of_each_example: [loss],
        "∂L/∂dense_1/add": [delta], "∂L/∂dense": dh, "∂L/∂dense/add": dz,
      },
    };
  });
  const sum = (of) => examples.reduce((total, example) => total + of(example), 0);
  const shared = {
    loss: [sum(({ loss }) => loss) / rows.length],
    "∂L/∂dense_1.kernel": [0, 1].map((j) => sum(({ h, delta }) => h[j] * delta)),
    "∂L/∂dense_1.bias": [sum(({ delta }) => delta)],
    "∂L/∂dense.kernel": [0, 1, 2, 3].map((k) => sum(({ input, dz }) => input[k >> 1] * dz[k & 1])),
    "∂L/∂dense.bias": [0, 1].map((j) => sum(({ dz }) => dz[j])),
  };
  return { examples, shared };
}

const number = (text) => Number(text.replace("−", "-").replaceAll(",", ""));
const close = (shown, expected, what) => {
  const wrong = Math.abs(shown - expected);
  // The page writes four significant digits.
  assert.ok(wrong <= 6e-4 * Math.abs(expected) + 1e-7, `${what}: ${shown} on the page, ${expected} by hand`);
};

pageTest("a whole step of sigmoid-2-2-1, op by op, forward and back, beside plain JavaScript", {}, async ({ page, url }) => {
  await openWalk(page, `${url}/#/sigmoid-2-2-1?seed=7&backend=cpu`);
  const given = await beginning(page);
  const row = number((await page.locator(".which small").innerText()).match(/\d+$/)[0]);
  const { examples, shared } = byHand(given, [row, ...[0, 1, 2, 3].filter((k) => k !== row)]);
  const expected = { ...examples[0].values, ...shared };
  const ops = Number(await page.locator(".ops").getAttribute("aria-valuemax"));
  const compared = new Set();

  /** Looks at the cell that the Explain tab shows. */
  const look = async (cursor) => {
    await page.waitForFunction((at) => document.querySelector(".ops").getAttribute("aria-valuenow") === String(at) && document.querySelector(".position").textContent.includes(` ${at} `), cursor);
    const heading = page.locator(".cell-head h2");
    const name = (await page.locator(".position b").innerText()).trim();
    await page.waitForFunction((of) => document.querySelector(".cell-head h2").textContent.startsWith(of) && document.querySelector(".equations[aria-busy=false]"), name);
    assert.equal(await page.locator(".check.bad").count(), 0, `${name}: the sum that was added again disagrees`);
    const [, place = ""] = (await heading.innerText()).match(/\[([\d, ]*)\]$/) ?? [];
    const index = place.split(", ").filter(Boolean).map(Number);
    const of = expected[name];
    if (!of) return;
    const element = name.endsWith("dense.kernel") ? index[0] * 2 + index[1] : (index[0] ?? 0);
    close(number(await page.locator(".equations .result").innerText()), of[element], `${name}[${place}]`);
    compared.add(name);
  };

  for (let cursor = 1; cursor <= ops; cursor++) {
    await page.keyboard.press("ArrowRight");
    await look(cursor);
  }
  assert.deepEqual(Object.keys(expected).filter((name) => name !== "x" && !compared.has(name)), [], "compared on the way forward");
  compared.clear();
  for (let cursor = ops - 1; cursor >= 1; cursor--) {
    await page.keyboard.press("ArrowLeft");
    await look(cursor);
  }
  assert.deepEqual(Object.keys(expected).filter((name) => name !== "x" && !compared.has(name)), [], "compared on the way back");
  await page.keyboard.press("ArrowLeft");
  await page.getByText(/^Nothing is computed yet/).waitFor();
});

pageTest("cells speak, by keyboard; NaN is refused in words, a number is taken", {}, async ({ page, url }) => {
  await openWalk(page, `${url}/#/sigmoid-2-2-1?seed=7&backend=cpu`);
  await page.keyboard.press("b");
  await page.locator(".position").getByText(/^backward pass/).waitFor();
  // The kernel of the first layer: the layer's tensors are those of the op done last, which is one of its gradients.
  const kernel = page.locator('.tensor-cards [data-node="dense.kernel"] .grid-cell').first();
  await kernel.focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowRight");
  await page.locator(".cell-head h2").getByText("dense.kernel[1, 1]").waitFor();
  await page.waitForFunction(() => /^dense\.kernel, row 1, column 1: [−\d.e]+, gradient [−\d.e]+$/.test(document.activeElement.textContent.trim()));
  const cursorBefore = await page.locator(".ops").getAttribute("aria-valuenow");
  await page.keyboard.press("n");
  await page.locator(".nudge").getByText("The slope is the gradient").waitFor();

  await page.keyboard.press("e");
  const field = page.getByLabel("New value");
  await field.fill("NaN");
  await field.press("Enter");
  await page.getByRole("alert").getByText("“NaN” is not a finite number.").waitFor();
  assert.equal(await page.locator(".ops").getAttribute("aria-valuenow"), cursorBefore, "nothing happened");
  await field.fill("0.25");
  await field.press("Enter");
  await page.locator(".cell-head .result").getByText("0.25", { exact: true }).waitFor();
  await page.waitForFunction(() => document.querySelector(".ops").getAttribute("aria-valuenow") === "0");
});

pageTest("zoom, gradients, pins, predictions and breakpoints by keyboard", {}, async ({ page, url }) => {
  await openWalk(page, `${url}/#/sigmoid-2-2-1?seed=7&backend=cpu`);
  await page.keyboard.press("Shift+ArrowRight");
  await page.locator(".position b").getByText("dense", { exact: true }).waitFor();
  await page.keyboard.press("Enter");
  await page.locator(".layer-view").waitFor();
  await page.keyboard.press("g");
  await page.locator(".layer-view h2").getByText("∂L/∂dense", { exact: true }).waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("Enter");
  await page.locator(".cell-view").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await page.locator(".tensors").waitFor();
  await page.keyboard.press("p");
  await page.locator(".pins dt").waitFor();
  await page.keyboard.press(".");
  assert.equal(await page.locator(".tick.stop").count(), 1);
  await page.keyboard.press("h");
  await page.keyboard.press("ArrowRight");
  await page.locator(".predict").waitFor();
  assert.equal(await page.locator(".equations .result").innerText(), "?");
  await page.getByRole("button", { name: "Positive", exact: true }).click();
  await page.locator(".predicted").waitFor();
  await page.keyboard.press("h");
  await page.keyboard.press("Home");
});

pageTest("batches on and back show the same numbers again; the timeline is pressed; a step asked for while training ends the run", {}, async ({ page, url }) => {
  await openWalk(page, `${url}/#/sigmoid-2-2-1?seed=7&learning_rate=0.1&backend=cpu`);
  const where = (epoch) => page.locator(".outer-text b").getByText(`Epoch ${epoch} · batch 1 of 1`, { exact: true }).waitFor();
  const lossShown = async () => {
    await page.keyboard.press("f");
    await page.waitForFunction(() => /^\d/.test(document.querySelector(".walk-side dd").textContent));
    return page.locator(".walk-side dd").first().innerText();
  };
  await page.keyboard.press("Alt+ArrowRight");
  await where(2);
  const before = await lossShown();
  for (const epoch of [3, 4]) {
    await page.keyboard.press("Alt+ArrowRight");
    await where(epoch);
  }
  const later = await lossShown();
  assert.notEqual(later, before);
  for (const epoch of [3, 2]) {
    await page.keyboard.press("Alt+ArrowLeft");
    await where(epoch);
  }
  assert.equal(await lossShown(), before);

  const box = await page.locator(".ops").boundingBox();
  const ops = Number(await page.locator(".ops").getAttribute("aria-valuemax"));
  await page.mouse.click(box.x + (2.5 / ops) * box.width, box.y + 10);
  await page.locator(".position b").getByText("dense", { exact: true }).waitFor();
  assert.equal(await page.locator(".ops").getAttribute("aria-valuenow"), "3");

  await page.mouse.move(10, 10);
  await page.getByRole("button", { name: "Leave" }).click();
  await page.getByText("1 of 1 epochs done").waitFor();
  await page.keyboard.press("Space");
  await page.getByRole("button", { name: "Pause" }).waitFor();
  await page.keyboard.press("ArrowRight");
  await page.locator(".walk-head").waitFor();
});

for (const colorScheme of ["light", "dark"]) {
  // Without motion: in the middle of a fade any text is pale.
  pageTest(`the stepper is accessible, ${colorScheme}`, { context: { colorScheme, reducedMotion: "reduce", viewport: { width: 1440, height: 900 } } }, async ({ page, url }) => {
    await openWalk(page, `${url}/#/sigmoid-2-2-1?seed=7&backend=cpu`);
    await page.keyboard.press("f");
    for (const key of [undefined, "b", "Enter", "Enter"]) {
      if (key) await page.keyboard.press(key);
      await page.locator(".equations[aria-busy=false]").waitFor();
      await page.evaluate(axe);
      const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
      const { violations } = await page.evaluate((runOnly) => globalThis.axe.run(document, { runOnly }), tags);
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`), [], `after ${key}`);
    }
    const across = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(across <= 0, `${across} px of sideways scrolling`);
  });
}
