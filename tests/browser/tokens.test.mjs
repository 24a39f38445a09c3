// Texts by character, word and byte pair: chosen on the page and through the package, trained, looked at and gone on with.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { engineTest } from "./engine.mjs";
import { npm, pageTest } from "./support.mjs";

const axe = await readFile(npm.resolve("axe-core/axe.min.js"), "utf8");
const wide = { viewport: { width: 1440, height: 1100 } };

const opened = (page) => page.waitForFunction(() => document.querySelector("gs-tokens h2 + p") && document.querySelector(".transport .play")?.disabled === false, undefined, { timeout: 60_000 });
const pieces = (page) => page.locator(".token-window .piece").allInnerTexts().then((all) => all.map((text) => text.replace("⏎", "")));

/** What the panel says of all tokens: how many, and characters a token. */
const facts = async (page) => (await page.locator("gs-tokens header p").innerText()).match(/\d[\d.,]*/g).map((text) => Number(text.replace(",", "")));

/** Tokens that were written, once writing is over. */
async function write(page) {
  await page.getByRole("button", { name: "Write", exact: true }).click();
  await page.getByRole("button", { name: "Write", exact: true }).waitFor({ timeout: 60_000 });
  return page.locator(".written span:not(.given)").evaluateAll((all) => all.map((span) => span.textContent.replace("⏎", "")));
}

async function batches(page, count) {
  for (let k = 1; k <= count; k++) {
    await page.getByRole("button", { name: "One batch" }).click();
    await page.getByText(new RegExp(`Epoch 1 · batch ${k} of|^1 of [0-9,]+ epochs done`)).waitFor({ timeout: 30_000 });
  }
}

pageTest("byte pairs are chosen, built, trained, looked at and written", { context: wide, timeout: 240_000 }, async ({ page, url }) => {
  await page.goto(`${url}/#/gpt-char?data=names&seed=3&backend=cpu`);
  await opened(page);
  assert.deepEqual((await facts(page))[1], 1, "a character is a token");
  assert.equal((await pieces(page)).length, 64);
  await page.getByRole("tab", { name: "Optimizer" }).click();
  await page.locator("gs-text-options select").selectOption("bpe");
  assert.equal(await page.locator("gs-text-options input").inputValue(), "1024");
  await page.locator("gs-text-options input").fill("256");
  await page.locator("gs-text-options input").press("Enter");
  await page.getByRole("button", { name: "Build it" }).last().click();
  await page.getByText(/^At first, \d+ characters are the tokens/).waitFor({ timeout: 60_000 });
  await opened(page);
  const [all, ratio] = await facts(page);
  assert.equal(all, 256);
  assert.ok(ratio > 1.3 && ratio < 4, `${ratio} characters a token`);
  const shown = await pieces(page);
  assert.ok(shown.length === 64 && shown.join("").length > 80, shown.join("|"));
  assert.equal(await page.getByText("Changed. It starts again").count(), 0, "the model that was built has the vocabulary");
  // The first merge is the first row, and a chosen token tells what it was joined of.
  const row = page.locator("gs-tokens tbody tr").first();
  const [, pair, token, times] = await row.locator("td").allInnerTexts();
  assert.equal(pair.replace(" + ", ""), token);
  assert.ok(Number(times.replace(",", "")) > 100);
  assert.equal(await page.locator("gs-tokens tbody tr").count(), 50);
  await page.locator("gs-tokens .learned button").click();
  assert.equal(await page.locator("gs-tokens tbody tr").count(), 100);
  const place = shown.findIndex((text) => text.trim().length >= 3);
  await page.locator(".token-window .piece").nth(place).click();
  const steps = await page.locator(".made li").allInnerTexts();
  assert.equal(steps.at(-1).split("→")[1].trim(), shown[place].replaceAll("\n", "⏎").replaceAll(" ", "␣"));
  await page.locator(".token-window").press("Home");
  assert.ok(await page.locator(".token-window .piece").first().evaluate((piece) => piece.classList.contains("on")));
  await batches(page, 3);
  assert.match(await page.locator(".stats dd").first().innerText(), /^5\.[0-9]{4}$/, "about the logarithm of 256");
  await page.getByLabel("Tokens", { exact: true }).first().fill("12");
  await page.getByLabel("Go on with").fill("Ann");
  const written = await write(page);
  assert.equal(written.length, 12);
  assert.ok(written.join("").length > 12, written.join("|"));
  await page.getByLabel("Go on with").fill("Ann%");
  await page.getByRole("button", { name: "Write", exact: true }).click();
  await page.locator("[role=alert]").getByText("The character % does not occur in what the model learns from.").waitFor();
  // Bits a character are fewer than bits a token.
  await page.getByRole("tab", { name: "Evaluate" }).click();
  await page.getByRole("button", { name: "Evaluate now" }).click();
  const figure = (name) => page.locator("dl.big div").filter({ hasText: name }).locator("dd").innerText({ timeout: 60_000 }).then(Number);
  const [loss, bits] = [await figure("Loss"), await figure("Bits per character")];
  assert.ok(Math.abs(loss / Math.LN2 / bits - ratio) < 0.1, `${loss}, ${bits} and ${ratio}`);
  // By words, in Chinese, and an address that says so.
  await page.goto(`${url}/#/gpt-char?data=names&tokenizer=word&vocabulary=300&backend=cpu`);
  await page.getByText(/most frequent words are tokens/).waitFor({ timeout: 60_000 });
  await page.getByLabel("Language").selectOption("zh");
  await page.getByText(/个单词各为一个词元/).waitFor();
});

for (const [scheme, width] of [["light", 1440], ["dark", 1024], ["light", 390]]) {
  pageTest(`tokens are legible and within ${width} px, ${scheme}`, { context: { viewport: { width, height: 900 }, colorScheme: scheme }, timeout: 120_000 }, async ({ page, url }) => {
    await page.goto(`${url}/#/gpt-char?data=names&tokenizer=bpe&vocabulary=300&seed=3&backend=cpu`);
    await opened(page);
    await page.locator(".token-window .piece").nth(1).click();
    await page.locator(".made").waitFor();
    await page.evaluate(axe);
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const { violations } = await page.evaluate((runOnly) => globalThis.axe.run(document, { runOnly }), tags);
    assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`), []);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "no sideways scrolling");
  });
}

pageTest("a pasted text in Chinese is read in byte pairs", { context: wide, timeout: 120_000 }, async ({ page, url }) => {
  await page.goto(`${url}/#/`);
  await page.getByRole("button", { name: "Your own data" }).click();
  const dialog = page.getByRole("dialog", { name: "Your own data" });
  await dialog.locator("textarea").fill("天下大势，分久必合，合久必分。\n".repeat(60));
  await dialog.getByRole("button", { name: "Read it" }).click();
  await dialog.getByRole("button", { name: "Use", exact: true }).click();
  await dialog.waitFor({ state: "detached", timeout: 30_000 });
  await opened(page);
  await page.getByRole("tab", { name: "Optimizer" }).click();
  await page.locator("gs-text-options select").selectOption("bpe");
  await page.getByRole("button", { name: "Build it" }).last().click();
  await page.getByText(/^At first, 11 characters are the tokens/).waitFor({ timeout: 60_000 });
  assert.ok((await pieces(page)).some((piece) => piece.length > 1));
  await batches(page, 1);
});

engineTest(
  "through the package: tokens of a text, what follows a prompt, and an option that is none",
  { timeout: 120_000 },
  {},
  async ({ gradscope }) => {
    const text = "the cat sat on the mat, and the dog sat on the log.\n".repeat(200);
    const open = (documents) => gradscope.createSession({ model: "gpt-char", data: { text }, documents, backend: "cpu", seed: 2, optimizer: { type: "Adam", learning_rate: 0.001 } });
    const refused = (documents) => open(documents).then(() => undefined, ({ code, where }) => `${code} ${where}`);
    const session = await open({ tokenizer: "bpe", vocabulary: 40 });
    const { losses } = await session.train({ steps: 12 });
    const { learned, ...told } = await session.tokenization(3);
    const options = { prompt: "the cat", temperature: 1, seed: 5 };
    const whole = await session.generate({ ...options, tokens: 8 });
    // The same from the tokens, in two halves: every piece of so small a text becomes one token.
    const { classes, outputShape } = session.info;
    const numbers = ["the", " cat"].map((piece) => classes.indexOf(piece));
    const half = await session.generate({ ...options, prompt: numbers, tokens: 3 });
    const rest = await session.generate({ ...options, prompt: [...numbers, ...half.map(({ token }) => token)], tokens: 5 });
    const { charactersPerToken } = await session.evaluate("test");
    const images = await gradscope.createSession({ model: "backprop-by-hand", backend: "cpu" });
    const none = await images.tokenization();
    await Promise.all([session.dispose(), images.dispose()]);
    return {
      losses: [...losses], told, learned, classes, outputShape, numbers, charactersPerToken, none,
      whole: whole.map(({ token }) => token), halves: [...half, ...rest].map(({ token }) => token),
      texts: whole.every(({ token, text }) => classes[token] === text),
      refusals: [await refused({ tokenizer: "bpe", vocabulary: 5 }), await refused({ tokenizer: "syllable" })],
    };
  },
  ({ losses, told, learned, classes, outputShape, numbers, charactersPerToken, none, whole, halves, texts, refusals }) => {
    const all = classes.length;
    assert.ok(all > 30 && all <= 40, `${all} tokens`);
    assert.ok(Math.abs(losses[0] - Math.log(all)) < 1 && losses[11] < 0.8 * losses[0], `${losses}`);
    assert.deepEqual([outputShape, told.tokenizer, told.characters + told.learnedInAll], [[64, all], "bpe", all]);
    learned.forEach(({ token, pair }, k) => {
      assert.equal(token, told.characters + k);
      assert.equal(classes[token], pair.map((of) => classes[of]).join(""));
    });
    assert.ok(!numbers.includes(-1), `${classes}`);
    assert.deepEqual(halves, whole);
    assert.ok(texts && charactersPerToken > 1.5 && Math.abs(charactersPerToken / told.charactersPerToken - 1) < 0.2);
    assert.equal(none, undefined);
    assert.deepEqual(refusals, ["bad_value documents.vocabulary", "unknown_name documents.tokenizer"]);
  },
);
