// What a visitor does in the middle of a step: edits the layers, trains, looks at the loss's landscape, fills the memory for snapshots.

import assert from "node:assert/strict";
import { pageTest } from "./support.mjs";

const open = async (page, address) => {
  await page.goto(address);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  await page.keyboard.press("ArrowRight");
  await page.locator(".walk-head").waitFor();
};

/** Changes the units of the layer of that number. */
const setUnits = async (page, k, units) => {
  const layer = page.locator(".layer").nth(k);
  if ((await layer.locator(".layer-name").getAttribute("aria-expanded")) === "false") await layer.locator(".layer-name").click();
  await layer.getByLabel("units").fill(String(units));
  await layer.getByLabel("units").press("Tab");
};

pageTest("layers edited in mid-step: the walk goes on through the network as it was built, and the page says so", {}, async ({ page, url }) => {
  await open(page, `${url}/#/sigmoid-2-2-1?seed=7&backend=cpu`);
  await page.keyboard.press("f");
  await page.locator(".position").getByText(/^forward pass/).waitFor();
  const loss = await page.locator(".walk-side dd").first().innerText();
  await setUnits(page, 0, 3);
  await page.getByText("This step is of the network as it was built.").waitFor();
  await page.locator(".walk-head .position").click();
  // Op by op, to another sample and to another batch it is still the old one.
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("f");
  await page.waitForFunction((of) => document.querySelector(".walk-side dd").textContent === of, loss);
  await page.getByRole("button", { name: "This sample" }).click();
  await page.getByText("one sample; nothing is learned from it").waitFor();
  await page.getByRole("button", { name: "Batch of" }).click();
  await page.locator(".which").getByText(/^example 1 of 4/).waitFor();
  await page.keyboard.press("Alt+ArrowRight");
  await page.locator(".outer-text b").getByText("Epoch 2 · batch 1 of 1", { exact: true }).waitFor();
  assert.match(await page.locator(".layer-view, .tensors, gs-chain").first().innerText(), /dense/);
  // Undone it is as if nothing had been; built, the walk is over and the next one has three units.
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByText("This step is of the network as it was built.").waitFor({ state: "detached" });
  await setUnits(page, 0, 3);
  await page.getByRole("button", { name: "Build it", exact: true }).click();
  await page.locator(".walking").waitFor({ state: "detached" });
  await page.getByText("This step is of the network as it was built.").waitFor({ state: "detached" });
  await page.locator(".card-in").first().waitFor();
  await page.locator(".pane-network").click({ position: { x: 4, y: 4 } });
  await page.keyboard.press("ArrowRight");
  await page.locator(".walk-head").waitFor();
  await page.keyboard.press("f");
  await page.locator(".position").getByText(/^forward pass/).waitFor();
  assert.equal(await page.getByRole("alert").innerText(), "");
});

pageTest("the loss's landscape notices weights that are edited and taken on by walking", {}, async ({ page, url }) => {
  await page.goto(`${url}/#/sigmoid-2-2-1?seed=7&backend=cpu`);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  const old = page.getByText(/they have changed since/);
  const draw = async () => {
    await page.getByRole("tab", { name: "Evaluate" }).click();
    await page.getByRole("button", { name: "Along a line" }).click();
    await page.locator("gs-landscape dl.facts").waitFor();
    await page.getByRole("button", { name: "Along a line" }).waitFor();
    assert.equal(await old.count(), 0);
  };
  const here = () => page.locator("gs-landscape dl.facts dd").first().innerText();
  await draw();
  const before = await here();
  await page.locator(".walk-head, .pane-network").first().click({ position: { x: 4, y: 4 } });
  await page.keyboard.press("ArrowRight");
  await page.locator(".walk-head").waitFor();
  assert.equal(await old.count(), 0, "a walk alone changes nothing");
  await page.keyboard.press("ArrowRight");
  // What is chosen moves on with the op: only then is another cell chosen.
  await page.locator(".position b").waitFor();
  await page.locator('.tensor-cards [data-node="dense.kernel"] .grid-cell').first().focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("e");
  const field = page.getByLabel("New value");
  await field.fill("4");
  await field.press("Enter");
  await page.waitForFunction(() => document.querySelector(".ops").getAttribute("aria-valuenow") === "0");
  await page.getByRole("tab", { name: "Evaluate" }).click();
  await old.waitFor();
  await draw();
  assert.notEqual(await here(), before, "another centre");
  await page.locator(".walk-head .position").click();
  await page.keyboard.press("Alt+ArrowRight");
  await page.locator(".outer-text b").getByText("Epoch 2 · batch 1 of 1", { exact: true }).waitFor();
  await old.waitFor();
});

for (const [locale, tells, why, left] of [
  ["en", /^snapshots: \d+; older ones were thinned out for memory$/, /used up their memory/, "Cancel"],
  ["zh-CN", /^快照：\d+；为节省内存，较早的已疏减$/, /快照已用完可用的内存/, "取消"],
]) {
  pageTest(`snapshots that outgrow their memory are thinned, and the page says so, ${locale}`, { timeout: 400_000, context: { locale } }, async ({ page, url }) => {
    await page.goto(`${url}/#/mnist-cnn-small?seed=4&backend=cpu&batch_size=8&optimizer=adam`);
    await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
    await page.keyboard.press("ArrowRight");
    const snapshots = page.locator(".outer-text small");
    const loss = page.locator(".walk-side dd").first();
    const lossOf = async () => {
      await page.keyboard.press("f");
      await page.waitForFunction(() => /^\d/.test(document.querySelector(".walk-side dd").textContent));
      return loss.innerText();
    };
    const at = (n) => page.waitForFunction((step) => document.querySelectorAll(".walk-side dd")[1]?.textContent === String(step), n);
    await at(0);
    // With Adam's memory a snapshot takes 8 MB: eight of them fit into 64 MiB.
    const losses = [];
    for (let n = 0; n < 9; n++) {
      losses.push(await lossOf());
      await page.keyboard.press("Alt+ArrowRight");
      await at(n + 1);
    }
    await snapshots.getByText(tells).waitFor();
    assert.match(await snapshots.getAttribute("title"), why);
    for (let n = 8; n >= 4; n--) {
      await page.keyboard.press("Alt+ArrowLeft");
      await at(n);
      assert.equal(await lossOf(), losses[n], `batch ${n + 1} is another one than before`);
    }
    assert.equal(await page.getByRole("button", { name: left }).count(), 0);
  });
}
