// The page as a visitor uses it: by what is written on it, by mouse and by keyboard.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { reachEngine } from "./stepping.mjs";
import { npm, pageTest } from "./support.mjs";

const axe = await readFile(npm.resolve("axe-core/axe.min.js"), "utf8");

/** Waits until the page has a network to show. */
const ready = (page) => page.locator(".card-in, .tensor-card").first().waitFor({ timeout: 60_000 });

const open = async (page, address) => {
  await page.goto(address);
  await ready(page);
};

pageTest("the opening page shows a trained network and checks one of its cells", {}, async ({ page, url }) => {
  await open(page, url);
  await page.getByRole("heading", { name: "A small network that has learned to read digits" }).waitFor();
  await page.locator(".equation .check.good").waitFor();
  const before = await page.locator(".equation").innerText();
  await page.locator("gs-window-input canvas").focus();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowLeft");
  assert.notEqual(await page.locator(".equation").innerText(), before);
  await page.locator(".equation .check.good").waitFor();
  await page.getByRole("button", { name: "Open mnist-cnn" }).click();
  await page.getByRole("button", { name: "Train", exact: true }).waitFor();
});

pageTest("the page says how long training takes on this device, and learns it from runs", {}, async ({ page, url }) => {
  const seconds = async () => {
    const [, time] = (await page.locator(".lesson .caption").innerText()).match(/^5 epochs of 1,500 steps take about (\S+)(?: s)? on this device\.$/);
    return time.split(":").reduce((sum, part) => 60 * sum + Number(part), 0);
  };
  await open(page, `${url}/#/mnist-cnn-small?backend=cpu&epochs=5`);
  assert.ok((await seconds()) > 0);
  await page.keyboard.press("Space");
  await page.getByText(/^Epoch 1 · batch \d{2,}/).waitFor({ timeout: 60_000 });
  await page.waitForTimeout(1500);
  const left = (await page.locator(".stats dd").last().innerText()).match(/[\d:]+/)[0].split(":").reduce((sum, part) => 60 * sum + Number(part), 0);
  await page.keyboard.press("Space");
  await page.getByRole("button", { name: "Train on" }).waitFor();
  const learned = await seconds();
  assert.ok(learned > 0.6 * left && learned < 1.6 * left, `${learned} s, ${left} s were left while it trained`);
  await page.reload();
  await ready(page);
  assert.equal(await seconds(), learned, "it is remembered");
});

pageTest("one batch of mnist-cnn, by keyboard", {}, async ({ page, url }) => {
  await open(page, `${url}/#/mnist-cnn`);
  await page.getByText("93,322 parameters", { exact: true }).waitFor();
  await page.keyboard.press("Alt+ArrowRight");
  await page.getByText("Epoch 1 · batch 1 of 938").waitFor({ timeout: 60_000 });
  assert.match(await page.locator(".stats dd").first().innerText(), /^[0-9]+\.[0-9]{4}$/);
  await page.getByRole("button", { name: "Reset" }).click();
  await page.getByText("New weights", { exact: true }).waitFor();
});

pageTest("a small network trains to the end, and every weight is there", {}, async ({ page, url }) => {
  await open(page, `${url}/#/sigmoid-2-2-1?learning_rate=0.1&seed=1`);
  await page.locator(".grid-numbers td").nth(8).waitFor();
  assert.equal(await page.locator(".grid-numbers td").count(), 9);
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await page.getByText("1,000 of 1,000 epochs done").waitFor({ timeout: 90_000 });
  assert.equal(await page.locator("gs-plane-canvas.hatch").count(), 0);
});

pageTest("a table of weights that was left does not go on to those of the next network", {}, async ({ page, url }) => {
  await open(page, `${url}/#/sigmoid-2-2-1`);
  await page.locator(".grid-numbers td").nth(8).waitFor();
  const weights = await page.locator("gs-weights").elementHandle();
  await page.evaluate(() => (location.hash = "#/mnist-cnn"));
  await page.getByText("93,322 parameters", { exact: true }).waitFor();
  await ready(page);
  assert.ok((await weights.evaluate((element) => element.querySelectorAll("td").length)) <= 9);
});

pageTest("an impossible layer is explained where it stands, and undone", {}, async ({ page, url }) => {
  await open(page, `${url}/#/mnist-cnn`);
  await page.locator(".layer-name").nth(4).click();
  const size = page.getByLabel("kernel_size");
  await size.fill("9");
  await size.press("Enter");
  await page.locator(".layer.wrong .why").getByText(/does not fit/).waitFor();
  assert.equal(await page.getByRole("button", { name: "Build it", exact: true }).isDisabled(), true);
  await page.getByRole("button", { name: "Undo" }).click();
  await page.locator(".layer.wrong").waitFor({ state: "detached" });
});

pageTest("layers are added, moved and removed by keyboard, and the network built anew", {}, async ({ page, url }) => {
  await open(page, `${url}/#/sigmoid-2-2-1`);
  await page.locator(".add select").selectOption("Dense");
  await page.getByText("Changed. It starts again with new weights.").waitFor();
  const names = () => page.locator(".layer-name").allInnerTexts();
  assert.equal((await names()).length, 3);
  await page.locator(".layer-name").nth(1).focus();
  await page.keyboard.press("Alt+ArrowUp");
  assert.match((await names())[0], /64/);
  await page.keyboard.press("Delete");
  assert.equal((await names()).length, 2);
});

pageTest("a penalty on a kernel is chosen, trained with and taken away again", {}, async ({ page, url }) => {
  await reachEngine(page);
  await open(page, `${url}/#/sigmoid-2-2-1?backend=cpu`);
  const losses = () => page.evaluate(async () => [...(await globalThis.engine.session.train({ steps: 3 })).losses]);
  const penalties = () => page.evaluate(() => globalThis.engine.session.info.model.layers.map((layer) => layer.kernel_regularizer));
  const choose = async (term, weight) => {
    await page.getByLabel(term, { exact: true }).fill(weight);
    await page.getByLabel(term, { exact: true }).press("Enter");
    await page.getByRole("button", { name: "Build it", exact: true }).click();
    await page.locator(".pending").waitFor({ state: "detached" });
    await ready(page);
  };
  const plain = await losses();
  await page.locator(".layer-name").first().click();
  await choose("L2", "0.5");
  assert.deepEqual((await penalties())[0], { type: "L1L2", l1: 0, l2: 0.5 });
  const held = await losses();
  assert.equal(held.length, 3);
  assert.ok(held[0] > plain[0], `${held[0]} with a penalty, ${plain[0]} without`);
  await choose("L1", "0.25");
  assert.deepEqual((await penalties())[0], { type: "L1L2", l1: 0.25, l2: 0.5 });
  assert.ok((await losses())[0] > held[0]);
  await choose("L2", "");
  assert.deepEqual((await penalties())[0], { type: "L1L2", l1: 0.25, l2: 0 });
  assert.equal(await page.getByLabel("L2", { exact: true }).inputValue(), "");
});

pageTest("SGD that is picked can be given momentum while it trains; the forms offer what the engine takes", {}, async ({ page, url }) => {
  await reachEngine(page);
  await open(page, `${url}/#/mnist-cnn-small?backend=cpu`);
  await page.getByRole("tab", { name: "Optimizer" }).click();
  await page.getByLabel("Kind").selectOption("SGD");
  assert.equal(await page.getByLabel("clipnorm", { exact: true }).count(), 0);
  assert.ok((await page.locator(".form option").allTextContents()).includes("huber"));
  await page.getByRole("button", { name: "Build it", exact: true }).first().click();
  await page.locator(".pending").first().waitFor({ state: "detached" });
  await ready(page);
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await page.getByText(/^Epoch 1 · batch \d/).waitFor({ timeout: 60_000 });
  await page.getByRole("slider", { name: "Momentum" }).fill("0.9");
  await page.locator("gs-hyper output", { hasText: "0.9" }).waitFor();
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  await page.getByRole("button", { name: "Train on" }).waitFor();
  const { hyper } = await page.evaluate(async () => (await globalThis.engine.session.walk()).info.state);
  assert.ok(Math.abs(hyper.momentum - 0.9) < 1e-6, JSON.stringify(hyper));
});

pageTest("language and theme are kept; errors of the address are named and the rest is loaded", {}, async ({ page, url }) => {
  await open(page, `${url}/#/sigmoid-2-2-1?seed=x&batch_size=2`);
  await page.getByText("The address asks for seed = “x”").waitFor();
  await page.getByRole("tab", { name: "Optimizer" }).click();
  assert.equal(await page.getByLabel("Batch size").inputValue(), "2");
  await page.getByLabel("Language").selectOption("zh");
  await page.getByLabel("外观").selectOption("dark");
  await page.reload();
  await ready(page);
  await page.getByRole("button", { name: "训练", exact: true }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
});

pageTest("Chinese where the browser is Chinese; keys are off in fields and listed by ?", { context: { locale: "zh-CN" } }, async ({ page, url }) => {
  await open(page, `${url}/#/sigmoid-2-2-1`);
  await page.getByRole("tab", { name: "优化器" }).click();
  await page.getByLabel("随机种子").press("Space");
  await page.getByText("新权重", { exact: true }).waitFor();
  await page.locator("h2.title").click(); // out of the field
  await page.keyboard.press("Shift+?");
  await page.getByRole("dialog", { name: "按键" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
});

pageTest("a drawn digit is centred and predicted", {}, async ({ page, url }) => {
  await open(page, url);
  await page.getByRole("button", { name: "Draw" }).click();
  const box = await page.locator("gs-pad canvas").boundingBox();
  await page.mouse.move(box.x + 40, box.y + 30);
  await page.mouse.down();
  await page.mouse.move(box.x + 44, box.y + 150, { steps: 12 });
  await page.mouse.up();
  await page.getByText("Your drawing").waitFor();
  await page.getByRole("button", { name: "Done" }).click();
  const mass = await page.waitForFunction(() => {
    const canvas = document.querySelector("gs-sample-image canvas");
    if (!canvas?.width) return undefined;
    const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let [sum, x, y] = [0, 0, 0];
    for (let k = 0; k < width * height; k++) [sum, x, y] = [sum + data[4 * k], x + data[4 * k] * (k % width), y + data[4 * k] * Math.floor(k / width)];
    return sum > 0 && [x / sum / width, y / sum / height];
  });
  for (const at of await mass.jsonValue()) assert.ok(Math.abs(at - 0.5) < 0.04, `centre of mass at ${at}`);
});

pageTest("a press on the pad alone draws a dot, and what is drawn moves the prediction", {}, async ({ page, url }) => {
  await open(page, url);
  await page.locator(".bars .value").nth(9).waitFor();
  const bars = async () => (await page.locator(".bars .value").allInnerTexts()).join(" ");
  const before = await bars();
  await page.getByRole("button", { name: "Draw" }).click();
  await page.locator("gs-pad canvas").click({ position: { x: 60, y: 60 } });
  await page.getByText("Your drawing").waitFor();
  const ink = await page.locator("gs-pad canvas").evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.filter((value, k) => k % 4 === 0 && value > 127).length;
  });
  // A disc as wide as the pen, 17.
  assert.ok(ink > 180 && ink < 280, `${ink} pixels of ink`);
  await page.waitForFunction((was) => [...document.querySelectorAll(".bars .value")].map(({ innerText }) => innerText).join(" ") !== was, before);
});

for (const colorScheme of ["light", "dark"]) {
  const states = [
    ["the opening page", "", { width: 1440, height: 900 }, []],
    ["mnist-cnn with a layer and its text open", "/#/mnist-cnn", { width: 1024, height: 768 }, [".layer-name >> nth=0", ".model-text summary", "#tab-optimizer"]],
    ["a small network on a phone", "/#/sigmoid-2-2-1?foo=1", { width: 390, height: 844 }, [".panes-strip button >> nth=1"]],
  ];
  for (const [name, hash, viewport, clicks] of states) {
    pageTest(`accessible, ${colorScheme}: ${name}`, { context: { colorScheme, viewport } }, async ({ page, url }) => {
      await open(page, url + hash);
      for (const selector of clicks) await page.locator(selector).click();
      await page.evaluate(axe);
      const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
      const { violations } = await page.evaluate((runOnly) => globalThis.axe.run(document, { runOnly }), tags);
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`), []);
      const across = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(across <= 0, `${across} px of sideways scrolling`);
      const down = await page.evaluate(() => document.documentElement.scrollHeight - innerHeight);
      assert.ok(down <= 0, `the page itself scrolls, by ${down} px: only its panes may`);
    });
  }
}
