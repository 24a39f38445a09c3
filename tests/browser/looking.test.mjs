// Health, the examples of a confusion's cell, attributions and the loss's landscape, through the package and on the page.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { engineTest } from "./engine.mjs";
import { npm, pageTest } from "./support.mjs";

const axe = await readFile(npm.resolve("axe-core/axe.min.js"), "utf8");

const ready = (page) => page.locator(".card-in").first().waitFor({ timeout: 60_000 });

/** Trains for about so long, then waits until it stands still. */
const trainFor = async (page, milliseconds) => {
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await page.getByText(/Epoch 1 · batch \d+/).waitFor({ timeout: 60_000 });
  await page.waitForTimeout(milliseconds);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Train on" }).waitFor();
};

engineTest(
  "looking leaves the state as it was, and both backends see the same",
  { timeout: 300_000 },
  {},
  async ({ gradscope }) => {
    const results = {};
    for (const backend of ["cpu", "webgpu"]) {
      const session = await gradscope.createSession({ model: "mnist-cnn-small", backend, seed: 2 });
      await session.train({ steps: 6, shuffle: false });
      const before = (await session.snapshot()).bytes;
      const health = await session.health();
      const maps = {};
      for (const method of ["saliency", "inputGradient", "integratedGradients", "gradCam", "occlusion"]) {
        const { values, shape, gap, score, baseline } = await session.attribute({ split: "test", index: 3 }, { method, class: 0 });
        maps[method] = { values: [...values], shape, gap, score, baseline };
      }
      const line = [...(await session.landscape("test", [[-0.5, 0], [0, 0], [0.5, 0], [0.5, 0.5]], 1))];
      const after = (await session.snapshot()).bytes;
      results[backend] = { health, maps, line, same: before.length === after.length && before.every((byte, k) => byte === after[k]) };
      await session.dispose();
    }
    return results;
  },
  ({ cpu, webgpu }) => {
    const near = (a, b, tolerance, what) => assert.ok(Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), 1e-3), `${what}: ${a} and ${b}`);
    for (const { same, health, maps } of [cpu, webgpu]) {
      assert.ok(same, "the same bytes before and after");
      assert.equal(health.step, 6);
      assert.deepEqual(health.layers.map(({ layer }) => layer), ["conv2d", "max_pooling2d", "flatten", "dense", "dense_1"]);
      assert.equal(health.layers[0].value.bins.reduce((a, b) => a + b), 32 * 26 * 26 * 32);
      assert.deepEqual(maps.saliency.shape, [28, 28, 1]);
      assert.deepEqual(maps.gradCam.shape, [13, 13]);
      const { gap, score, baseline } = maps.integratedGradients;
      assert.ok(Math.abs(gap) < 0.02 * Math.abs(score - baseline), `gap ${gap} of ${score - baseline}`);
    }
    near(cpu.health.gradientNorm, webgpu.health.gradientNorm, 1e-2, "gradient norm");
    cpu.health.parameters.forEach(({ name, ratio }, k) => near(ratio, webgpu.health.parameters[k].ratio, 2e-2, `ratio of ${name}`));
    cpu.line.forEach((loss, k) => near(loss, webgpu.line[k], 1e-2, `loss at point ${k}`));
  },
);

engineTest(
  "health is measured while training runs",
  {},
  {},
  async ({ gradscope }) => {
    const session = await gradscope.createSession({ model: "mnist-cnn-small", backend: "cpu", seed: 2 });
    const stop = new AbortController();
    const running = session.train({ epochs: 5, signal: stop.signal });
    const reports = [];
    for (let k = 0; k < 3; k++) {
      await new Promise((done) => setTimeout(done, 300));
      reports.push(await session.health());
    }
    stop.abort();
    const { steps } = await running;
    await session.dispose();
    return { steps: reports.map(({ step }) => step), milliseconds: reports.map(({ milliseconds }) => milliseconds), taken: steps };
  },
  ({ steps, milliseconds, taken }) => {
    assert.ok(steps[0] < steps[1] && steps[1] < steps[2] && steps[2] <= taken, `${steps} of ${taken}`);
    console.log(`    a report takes ${milliseconds.map((ms) => ms.toFixed(0)).join(", ")} ms`);
  },
);

pageTest("a cell's examples are listed, one is pinned, and its answer is attributed", { timeout: 240_000 }, async ({ page, url }) => {
  await page.goto(`${url}/#/mnist-cnn-small?backend=cpu`);
  await ready(page);
  await trainFor(page, 1000);
  await page.getByRole("tab", { name: "Evaluate" }).click();
  await page.getByRole("button", { name: "Evaluate now" }).click();
  const cell = page.locator(".confusion button[aria-label*='taken for what they are']").first();
  await cell.waitFor({ timeout: 60_000 });
  const count = Number((await cell.innerText()).replace(/\D/g, ""));
  await cell.click();
  await page.locator(".examples small").getByText(`${Math.min(24, count)} of ${count.toLocaleString("en")}`).waitFor();
  if (count > 24) {
    await page.getByRole("button", { name: "More" }).click();
    await page.locator(".mistakes li").nth(24).waitFor();
  }
  await page.locator(".mistakes button").nth(1).click();
  await page.locator(".mistakes button[aria-pressed=true]").waitFor();
  const label = await page.locator(".mistakes button[aria-pressed=true]").getAttribute("title");
  const index = /\(([\d,]+)\)/.exec(label)[1];
  await page.locator(".sample h2").getByText(`test ${index} · `).waitFor();
  await page.getByText("Precision, recall and F1 of each class").click();
  assert.equal(await page.locator(".numbers tfoot tr").count(), 2);
  await page.getByText("Gap of the sum").waitFor();
  for (const method of ["saliency", "inputGradient", "gradCam", "occlusion"]) {
    await page.getByLabel("Method").selectOption(method);
    await page.locator(`gs-attribution-map canvas[aria-label^="${{ saliency: "Saliency", inputGradient: "Input", gradCam: "Grad-CAM", occlusion: "Occlusion" }[method]}"]`).waitFor();
  }
});

/** Precision, recall and F1 of each class and their means as scikit-learn defines them, counted example by example. */
function scores(confusion) {
  const pairs = confusion.flatMap((row, truth) => row.map((n, guess) => ({ truth, guess, n })));
  const sum = (of) => pairs.filter(of).reduce((all, { n }) => all + n, 0);
  const classes = confusion.map((_, k) => {
    const hits = sum(({ truth, guess }) => truth === k && guess === k);
    const wrongly = sum(({ truth, guess }) => truth !== k && guess === k);
    const missed = sum(({ truth, guess }) => truth === k && guess !== k);
    const [precision, recall] = [hits / (hits + wrongly), hits / (hits + missed)];
    return { shown: [precision, recall, hits ? (2 * precision * recall) / (precision + recall) : 0], support: hits + missed };
  });
  const all = classes.reduce((total, { support }) => total + support, 0);
  // A class that is never predicted has no precision; in the means it counts as 0.
  const mean = (weight) => [0, 1, 2].map((k) => classes.reduce((total, { shown, support }) => total + weight(support) * (shown[k] || 0), 0));
  return [...classes.map(({ shown, support }) => [...shown, support]), [...mean(() => 1 / classes.length), all], [...mean((support) => support / all), all]];
}

/** The table of the classes' scores as numbers, percentages by 100; NaN stands for a dash. */
const table = (page) =>
  page.evaluate(() => [...document.querySelectorAll("table.numbers tbody tr, table.numbers tfoot tr")].filter((row) => row.closest("gs-evaluate")).map((row) =>
    [...row.querySelectorAll("td")].map(({ textContent }) => {
      const text = textContent.trim().replaceAll(",", "");
      return text.endsWith("%") ? Number(text.slice(0, -1)) / 100 : text === "–" ? NaN : Number(text);
    })));

/** What the evaluation says in large figures, by what is written above. */
const figures = (page) =>
  page.evaluate(() => Object.fromEntries([...document.querySelectorAll("gs-evaluate dl.big > div")].map((part) => [part.querySelector("dt").textContent.trim(), part.querySelector("dd").textContent.trim()])));

/** Evaluates a session of the package of its own, after so many batches. */
const evaluated = (page, options, steps) =>
  page.evaluate(async ({ options, steps }) => {
    const gradscope = await import("/pkg/gradscope.js");
    gradscope.configure({ data: new URL("/data/", location.href) });
    const session = await gradscope.createSession(options);
    for (let step = 0; step < steps; step++) await session.train({ steps: 1 });
    const { loss, accuracy, confusion, charactersPerToken } = await session.evaluate("test");
    await session.dispose();
    return { loss, accuracy, confusion, charactersPerToken };
  }, { options, steps });

pageTest("precision, recall and F1 of each class, and their means, are those of the confusion matrix", { timeout: 240_000 }, async ({ page, url }) => {
  await page.goto(`${url}/#/mnist-cnn-small?backend=cpu&seed=3`);
  await ready(page);
  await page.getByRole("tab", { name: "Evaluate" }).click();
  let before;
  for (const steps of [0, 20]) {
    for (let step = 1; step <= steps; step++) {
      await page.getByRole("button", { name: "One batch" }).click();
      await page.getByText(`Epoch 1 · batch ${step} of`).waitFor();
      await page.getByRole("button", { name: "One batch" }).and(page.locator(":enabled")).waitFor();
    }
    await page.getByRole("button", { name: "Evaluate now" }).click();
    await page.getByRole("button", { name: "Evaluate now" }).waitFor({ timeout: 60_000 });
    await page.waitForFunction((before) => {
      const now = document.querySelector("table.confusion")?.textContent;
      return now && now !== before;
    }, before, { timeout: 60_000 });
    before = await page.evaluate(() => document.querySelector("table.confusion").textContent);
    const { loss, accuracy, confusion } = await evaluated(page, { model: "mnist-cnn-small", backend: "cpu", seed: 3 }, steps);
    assert.equal(confusion.flat().reduce((a, b) => a + b), 10_000);
    const cells = await page.evaluate(() => [...document.querySelectorAll("table.confusion tbody tr")].map((row) => [...row.querySelectorAll("td")].map(({ textContent }) => Number(textContent.trim().replace("·", "0")))));
    assert.deepEqual(cells, confusion, "cells");
    const hits = confusion.reduce((sum, row, k) => sum + row[k], 0);
    assert.ok(Math.abs(accuracy - hits / 10_000) < 1e-6, `${accuracy}`);
    assert.deepEqual(await figures(page), { accuracy: `${(hits / 100).toFixed(2)}%`, loss: loss.toFixed(4) });
    const [shown, expected] = [await table(page), scores(confusion)];
    assert.equal(shown.length, 12);
    const unpredicted = expected.filter(([precision]) => Number.isNaN(precision)).length;
    console.log(`    after ${steps} batches ${hits / 100} % right, ${unpredicted} classes never predicted, means ${expected.at(-2).map((x) => x.toFixed(3)).join(" ")}`);
    assert.equal(unpredicted > 0, steps === 0, "untrained weights know only some classes");
    if (steps) assert.ok(expected.at(-2)[2] > 0.4 && Math.abs(expected.at(-2)[0] - expected.at(-1)[0]) > 1e-4, "the means differ");
    expected.forEach((row, k) => row.forEach((value, column) => {
      const is = shown[k][column];
      // Percentages have one digit.
      const same = column === 3 ? is === value : Number.isNaN(value) ? Number.isNaN(is) : Math.abs(is - value) <= 0.00051;
      assert.ok(same, `row ${k}, column ${column}: ${is}, not ${value}`);
    }));
  }
});

for (const { tokenizer, address, documents } of [
  { tokenizer: "characters", address: "", documents: undefined },
  { tokenizer: "pieces of words", address: "&tokenizer=bpe&vocabulary=300", documents: { tokenizer: "bpe", vocabulary: 300 } },
]) {
  pageTest(`perplexity and bits per character of a text in ${tokenizer}`, { timeout: 300_000 }, async ({ page, url }) => {
    await page.goto(`${url}/#/gpt-char?data=names&backend=cpu&seed=3${address}`);
    await ready(page);
    await page.getByRole("tab", { name: "Evaluate" }).click();
    await page.getByRole("button", { name: "Evaluate now" }).click();
    await page.locator("gs-evaluate dl.big").waitFor({ timeout: 120_000 });
    const { loss, accuracy, charactersPerToken } = await evaluated(page, { model: "gpt-char", data: "names", documents, backend: "cpu", seed: 3 }, 0);
    console.log(`    loss ${loss}, ${charactersPerToken} characters a token`);
    if (documents) assert.ok(charactersPerToken > 1.2, `${charactersPerToken}`);
    else assert.equal(charactersPerToken, 1);
    const shown = await figures(page);
    assert.deepEqual(Object.keys(shown), ["accuracy", "loss", "Perplexity", "Bits per character"]);
    const near = (text, value) => assert.ok(Math.abs(Number(text.replaceAll(",", "")) - value) <= 6e-5 + 1e-5 * value, `${text}, not ${value}`);
    near(shown.accuracy.replace("%", ""), 100 * Math.round(accuracy * 1e4) / 1e4);
    near(shown.loss, loss);
    near(shown.Perplexity, Math.exp(loss));
    near(shown["Bits per character"], loss / Math.LN2 / charactersPerToken);
  });
}

pageTest("the loss is walked along a line; a walk over a plane is cancelled", { timeout: 240_000 }, async ({ page, url }) => {
  await page.goto(`${url}/#/sigmoid-2-2-1`);
  await ready(page);
  await page.getByRole("tab", { name: "Evaluate" }).click();
  await page.getByRole("button", { name: "Along a line" }).click();
  await page.locator("gs-landscape-picture canvas[aria-label^='Loss along a line']").waitFor();
  await page.getByRole("button", { name: "Along a line" }).waitFor();
  await page.goto(`${url}/#/mnist-cnn?backend=cpu`);
  await page.getByText("93,322 parameters", { exact: true }).waitFor({ timeout: 60_000 });
  await page.getByRole("tab", { name: "Evaluate" }).click();
  assert.equal(await page.locator("gs-landscape-picture").count(), 0, "another session's is forgotten");
  await page.getByRole("button", { name: "Over a plane" }).click();
  await page.locator("gs-landscape-picture canvas[aria-label^='Loss over a plane']").waitFor({ timeout: 60_000 });
  await page.locator(".landscape").getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Over a plane" }).waitFor();
});

pageTest("dead units are told in words, and lead to the unit", { timeout: 120_000 }, async ({ page, url }) => {
  await page.goto(`${url}/#/mnist-cnn-small?backend=cpu&learning_rate=0.5`);
  await ready(page);
  await page.getByRole("tab", { name: "Health" }).click();
  await page.locator("gs-strip canvas").first().waitFor();
  await trainFor(page, 1500);
  const warning = page.locator(".warnings li").filter({ hasText: "units of dense are dead" });
  await warning.waitFor();
  await warning.locator(".warning").click();
  await page.locator(".card.on").getByText("dense", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Gradients" }).click();
  await page.locator("gs-strip canvas[aria-label^='Gradient at the output of conv2d']").waitFor();
});

for (const colorScheme of ["light", "dark"]) {
  for (const viewport of [{ width: 1440, height: 900 }, { width: 1024, height: 768 }, { width: 390, height: 844 }]) {
    pageTest(`accessible, ${colorScheme}, ${viewport.width} wide: health and evaluate`, { context: { colorScheme, viewport, reducedMotion: "reduce" } }, async ({ page, url }) => {
      await page.goto(`${url}/#/sigmoid-2-2-1?learning_rate=0.1`);
      await ready(page);
      if (viewport.width < 700) await page.locator(".panes-strip button").nth(2).click();
      for (const [tab, shown, press] of [["health", "gs-ratios canvas", ".switch button"], ["evaluate", ".inputs-bars li", ".evaluate-head button"]]) {
        await page.locator(`#tab-${tab}`).click();
        await page.locator(shown).first().waitFor();
        await page.locator(press).first().click();
        if (tab === "evaluate") await page.locator(".confusion").waitFor();
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
        assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`), [], tab);
        const panel = await page.evaluate(() => {
          const { scrollWidth, clientWidth } = document.querySelector(".tab-panel");
          return Math.max(scrollWidth - clientWidth, document.documentElement.scrollWidth - innerWidth);
        });
        assert.ok(panel <= 0, `${panel} px of sideways scrolling in ${tab}`);
      }
    });
  }
}
