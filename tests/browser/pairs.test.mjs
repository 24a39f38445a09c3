// Texts that answer texts, in the page: what one types is answered, a whole step is walked through, and cross-attention has its tokens at both sides.

import assert from "node:assert/strict";
import { pageTest } from "./support.mjs";

const wide = { viewport: { width: 1440, height: 1100 } };

async function open(page, url, query = "seed=7&backend=cpu") {
  await page.goto(`${url}/#/seq2seq?${query}`);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
}

pageTest("a typed source is answered token by token, and a bad one says why in both languages", { context: wide, timeout: 240_000 }, async ({ page, url }) => {
  await open(page, url);
  await page.locator(".pair dd").first().waitFor();
  const [source, target] = await page.locator(".pair dd").allInnerTexts();
  assert.equal(target, `${[...source].reverse().join("")}■`);
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await page.waitForFunction(() => Number(document.querySelector(".stats")?.textContent.match(/exact([\d.]+)%/)?.[1]) > 1, undefined, { timeout: 180_000 });
  await page.getByRole("button", { name: "Pause" }).click();
  const asked = page.getByLabel(/^Source, up to 10/);
  await asked.fill("ab");
  await page.getByRole("button", { name: "Answer", exact: true }).click();
  await page.locator(".written .given").getByText("ab →").waitFor();
  await page.locator("gs-translating gs-token-map").waitFor();
  const shown = await page.locator(".written span:not(.given)").allInnerTexts();
  // The same by the package, at the same weights: those of a snapshot.
  assert.equal(shown.at(-1), "■", `${shown.join("")} ends`);
  await page.locator(".written span:not(.given)").first().click();
  const shares = await page.locator("gs-translating .candidates .value").allInnerTexts();
  assert.equal(shares.length, 5);
  await asked.fill("aB");
  await page.keyboard.press("Enter");
  await page.locator("[role=alert]").getByText("The character B does not occur in what the model learns from.").waitFor();
  await asked.fill("abcdefghijk");
  await page.keyboard.press("Enter");
  await page.locator("[role=alert]").getByText("There may be at most 10 characters.").waitFor();
  await page.getByLabel("Language").selectOption("zh");
  await page.locator("[role=alert]").getByText("最多只能有 10 个字符。").waitFor();
});

pageTest("another task brings its own lengths and letters", { context: wide, timeout: 120_000 }, async ({ page, url }) => {
  await open(page, url, "seed=7&backend=cpu&data=dates");
  await page.locator(".pair dd").first().waitFor();
  const [, target] = await page.locator(".pair dd").allInnerTexts();
  assert.match(target, /^\d{4}-\d\d-\d\d■$/);
  await page.getByLabel(/^Source, up to 18/).waitFor();
  const sets = await page.getByLabel("Data").locator("option").allInnerTexts();
  const letters = ["reversed", "copied", "sorted"].map((what) => `Letters, to be ${what}`);
  assert.deepEqual(sets, [...letters, "Bits: is the number of ones so far odd?", "Sums of two numbers", "Dates, to be written as ISO 8601"]);
  await page.getByLabel("Data").selectOption("addition");
  await page.getByRole("button", { name: "One batch" }).click();
  await page.getByLabel(/^Source, up to 7/).waitFor({ timeout: 60_000 });
  assert.match((await page.locator(".pair dd").allInnerTexts())[0], /^\d+\+\d+$/);
});

pageTest("the package answers, and says what cannot be answered", { timeout: 120_000 }, async ({ page, url }) => {
  await page.goto(`${url}/tests/blank.html`);
  const got = await page.evaluate(async () => {
    const { createSession } = await import("/pkg/gradscope.js");
    const session = await createSession({ model: "seq2seq", backend: "cpu", seed: 7 });
    const training = session.train({ steps: 60 });
    const during = await session.translate("abc");
    await training;
    const came = [];
    const answer = await session.translate("abc", { onToken: (token) => came.push(token.token) });
    const codes = [];
    for (const source of ["a!", "abcdefghijklm", ""]) codes.push(await session.translate(source).then(() => "", ({ code }) => code));
    const generated = await session.generate({ prompt: "abc", tokens: 1 }).then(() => "", ({ code }) => code);
    const { exact, accuracy } = await session.evaluate("test");
    const other = await createSession({ model: "seq2seq", data: "addition", backend: "cpu" });
    const { inputShape, outputShape } = other.info;
    await Promise.all([session.dispose(), other.dispose()]);
    return { during, came, answer, codes, generated, exact, accuracy, inputShape, outputShape };
  });
  assert.ok(got.during.tokens.length >= 1);
  assert.deepEqual(got.came, got.answer.tokens.map(({ token }) => token));
  assert.equal(got.answer.text, got.answer.tokens.filter(({ token }) => token !== 2).map(({ text }) => text).join(""));
  assert.equal(got.answer.ended, got.came.at(-1) === 2);
  assert.deepEqual(got.codes, ["unknown_character", "too_large", "bad_value"]);
  assert.equal(got.generated, "wrong_state");
  assert.ok(got.exact >= 0 && got.exact < got.accuracy && got.accuracy < 1, `${got.exact}, ${got.accuracy}`);
  assert.deepEqual([got.inputShape, got.outputShape], [[12], [5, 14]]);
});

pageTest("a whole step of an encoder and a decoder is walked through, with a map of cross-attention", { context: wide, timeout: 300_000 }, async ({ page, url }) => {
  await open(page, url);
  await page.keyboard.press("ArrowRight");
  await page.getByText(/^Nothing is computed yet/).waitFor();
  await page.keyboard.press("f");
  await page.locator(".position b").getByText("exact").waitFor({ timeout: 60_000 });
  await page.locator('.chain [data-node^="cross_attention"] .tensor-head').first().click({ timeout: 60_000 });
  await page.locator('.tensor-cards [data-node="cross_attention/attention_weights"] .tensor-head').click();
  await page.locator(".crumbs button").nth(1).click();
  await page.locator("gs-attention-view gs-token-map").waitFor();
  assert.equal(await page.locator(".layer-view p").first().innerText().then((text) => text.split(" ±")[0]), "4 maps of 11×10");
  const { x, shares, classes } = await page.evaluate(async () => {
    const { createSession } = await import(new URL("pkg/gradscope.js", document.baseURI).href);
    const session = await createSession({ model: "seq2seq", backend: "cpu", seed: 7 });
    const walk = await session.walk();
    await walk.to(walk.info.forwardEnd);
    const node = walk.info.nodes.findIndex(({ name }) => name === "cross_attention/attention_weights");
    const values = await walk.read([{ node: walk.info.x, example: 0 }, { node, example: 0 }]);
    const { classes } = session.info;
    await session.dispose();
    return { x: Array.from(values[0].data), shares: Array.from(values[1].data), classes };
  });
  const source = x.slice(0, 10).map((token) => classes[token]);
  assert.deepEqual(await page.locator(".attention-tokens button").allInnerTexts(), source);
  // One goes to the head of the strongest share.
  await page.locator(".heads button").first().click();
  // A cell of the map: the second token of the target looks at the third letter of the source.
  const map = page.locator("gs-attention-view gs-token-map canvas");
  const cell = 26;
  await map.click({ position: { x: 24 + 2.5 * cell, y: 24 + 1.5 * cell } });
  await page.locator(".attention h3").getByText(`where position 1, “${classes[x[11]]}”, looks`).waitFor();
  await page.locator(".crumbs").getByText("[0, 1, 2]").waitFor();
  const shown = await page.locator('.attention tr[data-key="2"] td').nth(3).innerText().catch(() => "hidden");
  const expected = shares[1 * 10 + 2];
  if (expected > 0) assert.ok(Math.abs(Number(shown) - expected) < 1e-4, `${shown} on the page, ${expected} computed apart`);
  // Across, a key is chosen among those that are looked at: what looks stays.
  await page.locator(".attention-tokens button").first().click();
  await page.locator(".crumbs").getByText("[0, 1, 0]").waitFor();
  // Keys of padding have no share.
  const padding = x.slice(0, 10).filter((token) => token === 0).length;
  assert.equal(await page.locator(".attention tr[data-key]").count(), 10 - padding);

  await page.locator(".crumbs button").first().click();
  await page.keyboard.press("b");
  await page.locator(".position b").getByText("∂L/∂embedding.embeddings", { exact: true }).waitFor({ timeout: 60_000 });
  await page.keyboard.press("u");
  await page.waitForFunction(() => /(\d+) of \1/.test(document.querySelector(".position").textContent.replaceAll(",", "")), undefined, { timeout: 60_000 });
});

pageTest("an encoder and a decoder train on WebGPU", { timeout: 300_000 }, async ({ page, url }) => {
  await page.goto(`${url}/tests/blank.html`);
  const [cpu, gpu] = await page.evaluate(async () => {
    const { createSession } = await import("/pkg/gradscope.js");
    const losses = async (backend) => {
      const session = await createSession({ model: "seq2seq", backend, seed: 7, batchSize: 8 });
      const { losses } = await session.train({ steps: 5 });
      await session.dispose();
      return Array.from(losses);
    };
    return [await losses("cpu"), await losses("webgpu")];
  });
  assert.equal(gpu.length, 5);
  gpu.forEach((loss, k) => assert.ok(Math.abs(loss / cpu[k] - 1) < 1e-3, `step ${k}: ${loss} on WebGPU, ${cpu[k]} on the CPU`));
});
