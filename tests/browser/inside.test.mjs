// The panels that look into models of texts, on the page: beside the same numbers from the package, in plain JavaScript.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { serveReviews } from "./reviews.mjs";
import { reachEngine } from "./stepping.mjs";
import { npm, pageTest } from "./support.mjs";

const axe = await readFile(npm.resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

const share = (text) => Number(text.replace(/[^\d.]/g, "")) / 100;

/** A page with a network and its panels. */
async function open(page, address) {
  await page.goto(address);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  await page.locator("gs-words .tokens button").first().waitFor();
}

/** Brings a panel into sight: only what is seen is asked for. */
async function see(page, panel, what) {
  await page.locator(panel).scrollIntoViewIfNeeded();
  await page.locator(panel).locator(what).first().waitFor();
}

async function accessible(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate((runOnly) => globalThis.axe.run("gs-inside", { runOnly }), TAGS);
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`), []);
  const across = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.querySelector(".pane-network");
    return Math.max(scrollWidth - clientWidth, document.documentElement.scrollWidth - innerWidth);
  });
  assert.ok(across <= 0, `${across} px of sideways scrolling`);
}

const oneBatch = async (page) => {
  await page.keyboard.press("Alt+ArrowRight");
  await page.getByText(/Epoch 1 · batch 1 of/).waitFor({ timeout: 60_000 });
  await page.getByRole("button", { name: "Train on" }).waitFor();
};

/** Every token of the list with its count, page by page. */
async function listed(page) {
  const all = [];
  for (;;) {
    all.push(...(await page.locator("gs-words .tokens button").evaluateAll((rows) => rows.map((row) => [...row.children].map((part) => part.textContent)))));
    const on = page.locator("gs-words .pages button").last();
    if (!(await on.count()) || (await on.isDisabled())) return all;
    await on.click();
  }
}

pageTest("a small GPT: heads, roll-out, logit lens and vocabulary", { context: { viewport: { width: 1440, height: 1000 } }, timeout: 240_000 }, async ({ page, url }) => {
  await reachEngine(page);
  await open(page, `${url}/#/gpt-char?seed=7&backend=cpu&batch_size=2`);
  await see(page, "gs-attention-maps", "gs-attention-head canvas");
  assert.equal(await page.locator("gs-attention-head").count(), 16);
  await see(page, "gs-lens", "tbody td button");
  await oneBatch(page);
  const expected = await page.evaluate(async () => {
    const { session } = globalThis.engine;
    const { x, labels } = await session.examples("test", [0]);
    const layers = [1, 2, 3, 4].map((k) => `block_${k}_attention/attention_weights`);
    const [output, ...shares] = [await session.predict(x), ...(await session.activations(layers, x))];
    const vocabulary = await session.vocabulary();
    return { x: [...x], labels, output: [...output], shares: shares.map((values) => [...values]), tokens: vocabulary.tokens, counts: [...vocabulary.counts], classes: session.info.classes };
  });
  const length = 64;

  await page.locator("gs-attention-maps").getByRole("button", { name: "roll-out" }).click();
  const identity = (k) => Number(k % length === Math.floor(k / length));
  let rolled = Array.from({ length: length * length }, (_, k) => identity(k));
  for (const heads of expected.shares) {
    const mixed = rolled.map((_, k) => ([0, 1, 2, 3].reduce((sum, head) => sum + heads[head * length * length + k], 0) / 4 + identity(k)) / 2);
    rolled = rolled.map((_, k) => Array.from({ length }, (_, i) => mixed[Math.floor(k / length) * length + i] * rolled[i * length + (k % length)]).reduce((a, b) => a + b));
  }
  // A row of the map, by the pointer; then the next, by the keyboard.
  const map = page.locator("gs-attention-maps gs-token-map canvas");
  await map.scrollIntoViewIfNeeded();
  const cell = Math.min(26, Math.floor((await map.evaluate((canvas) => canvas.clientWidth) - 24) / length));
  await map.hover({ position: { x: 24 + 3 * cell, y: 24 + 40.5 * cell } });
  await page.locator("gs-attention-maps").getByText(/^Position 41, /).waitFor();
  const row = () => page.locator("gs-attention-maps .attention-row button").evaluateAll((all) => all.map((button) => button.title));
  for (const [position, press] of [[40, undefined], [41, "ArrowRight"]]) {
    if (press) {
      await page.locator("gs-attention-maps .attention-row button").nth(40).focus();
      await page.keyboard.press(press);
      await page.locator("gs-attention-maps").getByText(`Position ${position + 1}, `).waitFor();
    }
    const shown = (await row()).map(share);
    assert.equal(shown.length, length);
    assert.ok(Math.abs(shown.reduce((a, b) => a + b) - 1) < 5e-3, `the row adds up to ${shown.reduce((a, b) => a + b)}`);
    shown.forEach((value, k) => assert.ok(Math.abs(value - rolled[position * length + k]) < 1e-4, `row ${position}, column ${k}: ${value}, apart ${rolled[position * length + k]}`));
  }

  // The last column is the network's own answer.
  await see(page, "gs-lens", "tbody td button");
  assert.deepEqual(await page.locator("gs-lens thead th").allInnerTexts().then((all) => [all.length, all[1], all[9]]), [10, "embedded", "block_4_out"]);
  const visible = (text) => ({ "\n": "⏎", " ": "␣", "\t": "⇥" })[text] ?? text;
  const rows = await page.locator("gs-lens tbody tr").evaluateAll((all) => all.map((row) => {
    const last = row.querySelector("td:last-child button");
    return [row.querySelector("th").textContent, last.querySelector("span").textContent, last.title, last.classList.contains("right")];
  }));
  assert.equal(rows.length, length);
  const size = expected.classes.length;
  rows.forEach(([token, guess, probability, right], k) => {
    const logits = expected.output.slice(k * size, (k + 1) * size);
    const best = logits.indexOf(Math.max(...logits));
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit - logits[best]), 0);
    assert.deepEqual([token, guess, right], [visible(expected.classes[expected.x[k]]), visible(expected.classes[best]), best === expected.labels[k]], `position ${k}`);
    assert.ok(Math.abs(share(probability) - 1 / total) < 1e-4, `position ${k}: ${probability}, apart ${1 / total}`);
  });
  await page.locator("gs-lens tbody tr").nth(3).locator("button").nth(2).click();
  await page.locator("gs-lens .lens-place").getByText("Position 4 after block_1_out").waitFor();
  assert.equal(await page.locator("gs-lens .candidates li").count(), 6);

  // Every character is listed; one that is searched is marked in the plane, with its neighbours.
  await see(page, "gs-words", "gs-word-plane:not(.hatch) canvas");
  await page.locator("gs-words").getByText(/^After step 1\. The axes show \d+\.\d% and \d+\.\d% of the variance\.$/).waitFor();
  const all = await listed(page);
  assert.deepEqual(all, expected.tokens.map((text, k) => [String(k), visible(text), `${expected.counts[k].toLocaleString("en")}×`]));
  await page.locator("gs-words input[type=search]").fill("q");
  await page.locator("gs-words").getByText("2 of 75 tokens").waitFor();
  await page.keyboard.press("Enter");
  await page.locator("gs-words").getByText(/^q · token \d+ · [\d,]+ times$/).waitFor();
  assert.equal(await page.locator("gs-words .near li").count(), 8);
  await page.locator("gs-word-plane").focus();
  await page.keyboard.press("ArrowLeft");
  await page.locator("gs-words").getByText(/^q · token/).waitFor({ state: "detached" });
  await page.locator("gs-words").getByRole("button", { name: "UMAP" }).click();
  await page.locator("gs-words").getByText(/^After step 1\. UMAP keeps/).waitFor({ timeout: 30_000 });
  await page.locator("gs-words").getByRole("button", { name: "Cancel" }).waitFor({ state: "detached", timeout: 30_000 });
  await accessible(page);

  // A layout that does not come is given up; one that cannot come says why.
  const instead = (says) => page.route("**/build/projecting.js", (route) => route.fulfill({
    contentType: "text/javascript", headers: { "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" }, body: `onmessage = () => postMessage(${JSON.stringify(says)})`,
  }));
  await instead({ type: "underway", share: 0.4 });
  await page.locator("gs-words select").selectOption("200");
  await page.locator('gs-words [role="progressbar"][aria-valuenow="40"]').waitFor();
  await page.locator("gs-words").getByRole("button", { name: "Cancel" }).click();
  await page.locator('gs-words [role="progressbar"]').waitFor({ state: "detached" });
  await instead({ type: "failed", reason: "no room" });
  await page.locator("gs-words").getByRole("button", { name: "Lay out anew" }).click();
  await page.locator("gs-words").getByRole("alert").getByText("no room").waitFor();
  assert.equal(await page.locator("gs-word-plane.hatch").count(), 0, "what there was stays");
});

pageTest("a recurrent network: padding, its mask, and words", { timeout: 120_000 }, async ({ page, url }) => {
  await reachEngine(page);
  await serveReviews(page);
  await open(page, `${url}/#/sentiment-lstm?backend=cpu&batch_size=4`);
  const { x, tokens, counts } = await page.evaluate(async () => {
    const { session } = globalThis.engine;
    const { x } = await session.examples("test", [0]);
    const { tokens, counts } = await session.vocabulary();
    return { x: [...x], tokens, counts: [...counts] };
  });
  const padding = x.filter((token) => token === 0).length;
  const unknown = x.filter((token) => token === 1).length;
  assert.ok(padding > 0 && unknown > 0, `${padding} of padding, ${unknown} unknown`);
  await page.locator("gs-token-row").getByText(`100 positions, one token each: ${100 - padding - unknown} known, ${unknown} unknown, ${padding} of padding.`).waitFor();
  const cells = await page.locator("gs-token-row li").evaluateAll((all) => all.map((cell) => [cell.querySelector("span").textContent, Number(cell.querySelector("small").textContent.replaceAll(",", "")), cell.classList.contains("hatch")]));
  assert.deepEqual(cells, x.map((token) => [token === 0 ? "padding" : token === 1 ? "unknown" : tokens[token], token, token === 0]));
  await page.locator("gs-token-row").getByText(/keeps its state over them/).waitFor();
  assert.equal(await page.locator("gs-attention-maps, gs-lens").count(), 0, "a network without attention");

  const all = await listed(page);
  assert.deepEqual(all.map(([number, , times]) => [Number(number), Number(times.replace(/\D/g, ""))]), counts.map((count, k) => [k, count]));
  assert.deepEqual(all.slice(2).map(([, name]) => name), tokens.slice(2));
  assert.deepEqual(all.slice(0, 2).map(([, name]) => name), ["padding", "unknown"]);
  // A word of the row is one of the list and of the plane.
  await page.locator("gs-token-row li button").nth(x.findIndex((token) => token > 1)).click();
  const word = x.find((token) => token > 1);
  await page.locator("gs-words").getByText(`${tokens[word]} · token ${word} · ${counts[word].toLocaleString("en")} times`).waitFor();
  await see(page, "gs-words", "gs-word-plane:not(.hatch) canvas");
  await page.locator("gs-words .near li").first().waitFor();
  await page.getByLabel("Language").selectOption("zh");
  await page.locator("gs-words").getByRole("heading", { name: "词表" }).waitFor();
  await accessible(page);
});

pageTest("a small BERT: hidden words through the lens, and words along the maps", { context: { colorScheme: "dark", viewport: { width: 390, height: 844 } }, timeout: 120_000 }, async ({ page, url }) => {
  await serveReviews(page);
  await open(page, `${url}/#/bert-mini?backend=cpu&batch_size=2`);
  await see(page, "gs-attention-maps", "gs-attention-head canvas");
  assert.equal(await page.locator("gs-attention-head").count(), 8);
  await see(page, "gs-lens", "tbody td button");
  assert.equal(await page.locator("gs-lens thead th").count(), 6);
  const hidden = await page.locator("gs-guesses .hidden-word").count();
  await page.waitForFunction((n) => [...document.querySelectorAll("gs-lens tbody th")].filter((name) => name.textContent === "[MASK]").length === n, hidden);
  const reads = await page.locator("gs-lens tbody th").allInnerTexts();
  assert.deepEqual(await page.locator("gs-attention-maps .attention-row button").allInnerTexts(), reads, "without the padding");
  await see(page, "gs-words", "gs-word-plane:not(.hatch) canvas");
  await accessible(page);
});

pageTest("where layers look from one sequence to another there is no roll-out", {}, async ({ page, url }) => {
  await open(page, `${url}/#/seq2seq?backend=cpu&batch_size=2`);
  await see(page, "gs-attention-maps", "gs-attention-head canvas");
  await page.locator("gs-attention-maps").getByText(/^There is no roll-out here/).waitFor();
  await page.locator("gs-attention-maps").getByRole("button", { name: "cross_attention, head 1" }).click();
  await page.locator("gs-attention-maps").getByRole("list", { name: "Positions that look" }).getByRole("button").nth(1).click();
  await page.locator("gs-attention-maps").getByText(/^Position 2, /).waitFor();
  const shares = (await page.locator("gs-attention-maps .attention-row").last().locator("button").evaluateAll((all) => all.map((button) => button.title))).map(share);
  assert.ok(Math.abs(shares.reduce((a, b) => a + b) - 1) < 1e-3, "padding of the source has no share");
  await see(page, "gs-lens", "tbody td button");
});

pageTest("panels go over to the next network, while one trains too", { timeout: 120_000 }, async ({ page, url }) => {
  await serveReviews(page);
  await open(page, `${url}/#/bert-mini?backend=cpu&batch_size=2`);
  await see(page, "gs-lens", "tbody td button");
  await page.locator("gs-lens tbody tr").last().locator("button").last().click();
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await page.getByText(/Epoch 1 · batch \d+ of/).waitFor();
  await page.evaluate(() => (location.hash = "#/bert-mini-sentiment?backend=cpu&batch_size=2"));
  await page.locator("gs-lens").waitFor({ state: "detached", timeout: 60_000 });
  await see(page, "gs-attention-maps", "gs-attention-head canvas");
  await page.locator("gs-token-row").getByText(/The mean over positions leaves them out\./).waitFor();
  await page.evaluate(() => (location.hash = "#/seq2seq?backend=cpu&batch_size=2"));
  await page.locator("gs-words").getByText("29 of 29 tokens").waitFor({ timeout: 60_000 });
  await see(page, "gs-lens", "tbody td button");
  assert.equal(await page.locator("gs-lens thead th").count(), 5);
  await see(page, "gs-words", "gs-word-plane:not(.hatch) canvas");
});
