// The stepper as a visitor uses it, by keyboard. Its numbers are judged in steps.test.mjs.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { npm, pageTest } from "./support.mjs";

const axe = await readFile(npm.resolve("axe-core/axe.min.js"), "utf8");

/** Opens a preset and the walk through its first step. */
async function openWalk(page, address) {
  await page.goto(address);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  await page.keyboard.press("ArrowRight");
  await page.locator(".walk-head").waitFor();
  await page.getByText(/^Nothing is computed yet/).waitFor();
}

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

pageTest("a scalar's place is called by its name", {}, async ({ page, url }) => {
  await openWalk(page, `${url}/#/sigmoid-2-2-1`);
  await page.locator("gs-chain .tensor-head").last().click();
  await page.locator(".crumbs").getByText("scalar", { exact: true }).waitFor();
});
