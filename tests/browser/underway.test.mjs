// What takes longer than a moment: a walk's way to another batch, and an evaluation. Each is told of, lets others pass, and can be ended. And whose
// turn it is: one walk at a time, with its own number.

import assert from "node:assert/strict";
import { engineTest } from "./engine.mjs";
import { pageTest } from "./support.mjs";

const code = `const code = (promise) => promise.then(() => "done", ({ code, name }) => code ?? name);`;

engineTest(
  "a walk whose place another took is refused, and cannot close the other",
  {},
  { code },
  async ({ gradscope, code }) => {
    const codeOf = (0, eval)(`${code} code`);
    const session = await gradscope.createSession({ model: "sigmoid-2-2-1", backend: "cpu", seed: 7 });
    const first = await session.walk();
    const second = await session.walk({ type: "example", split: "train", index: 2 });
    const results = { numbers: [first.info.number, second.info.number] };
    results.first = [await codeOf(first.to(1)), await codeOf(first.batches(1)), await codeOf(first.edit(0, 0, 1)), await codeOf(first.close())];
    results.reason = await first.read([{ node: 0 }]).then(() => undefined, ({ args }) => args.reason);
    results.second = (await second.to(3)).cursor;
    await second.close();
    results.closed = [await codeOf(second.to(1)), await codeOf(second.close())];
    await session.dispose();
    const programs = [await gradscope.scratch("x = 3; loss = x^2"), await gradscope.scratch("x = 2; loss = x^3")];
    results.program = [await codeOf(programs[0].to(1)), await codeOf(programs[0].batches(1)), (await programs[1].to(1)).cursor];
    const mistaken = await codeOf(gradscope.scratch("x = "));
    results.afterMistake = [mistaken, (await programs[1].to(2)).cursor];
    return results;
  },
  ({ numbers, first, reason, second, closed, program, afterMistake }) => {
    assert.ok(numbers[0] >= 1 && numbers[1] > numbers[0], `${numbers}`);
    assert.deepEqual(first, ["wrong_state", "wrong_state", "wrong_state", "done"]);
    assert.equal(reason, "another walk took this one's place");
    assert.equal(second, 3);
    assert.deepEqual(closed, ["wrong_state", "done"]);
    assert.deepEqual(program, ["wrong_state", "wrong_state", 1]);
    assert.deepEqual(afterMistake, ["unexpected", 2]);
  },
);

engineTest(
  "a way over batches is told, lets others pass, ends where it is, and leaves the same bits as training",
  { timeout: 300_000 },
  { code },
  async ({ gradscope, code }) => {
    const codeOf = (0, eval)(`${code} code`);
    const session = await gradscope.createSession({ model: "mnist-cnn-small", backend: "cpu", seed: 4 });
    const walk = await session.walk();
    const told = [];
    const stop = new AbortController();
    const meanwhile = {};
    const going = walk.batches(2000, {
      signal: stop.signal,
      onProgress: (at) => {
        told.push(at);
        if (told.length === 2) {
          meanwhile.read = codeOf(walk.to(1));
          meanwhile.parameter = session.getParameter("dense.bias").then(({ length }) => length);
        }
        if (told.length === 4) stop.abort();
      },
    });
    const info = await going;
    const after = told.length;
    const reached = info.state.step;
    const walked = await session.snapshot();
    const stillOpen = (await walk.to(2)).cursor;
    const other = await gradscope.createSession({ model: "mnist-cnn-small", backend: "cpu", seed: 4 });
    await other.train({ steps: reached });
    const trained = await other.snapshot();
    await other.dispose();
    // Back again, told too, and a run that is asked for on the way ends it where it is.
    const back = walk.batches(-(reached >> 1));
    const { steps } = await session.train({ steps: 1 });
    const halted = await back;
    const over = await codeOf(walk.to(1));
    const aborted = await walk.batches(5, { signal: AbortSignal.abort() }).then(({ state }) => state.step);
    await session.dispose();
    return {
      told, reached, after, stillOpen, steps, halted: halted.state.step, over, aborted,
      meanwhile: { read: await meanwhile.read, parameter: await meanwhile.parameter },
      same: walked.bytes.length === trained.bytes.length && walked.bytes.every((byte, k) => byte === trained.bytes[k]),
    };
  },
  ({ told, reached, stillOpen, steps, halted, over, meanwhile, same }) => {
    console.log(`    stopped at ${reached}: ${told.map(({ step, secondsLeft }) => `${step} (${secondsLeft.toFixed(1)} s left)`).join(", ")}`);
    assert.ok(told.length >= 4 && told.every(({ from, to, step }) => from === 0 && to === 2000 && step > 0 && step < 2000));
    assert.ok(told[3].step <= reached && reached < 2000, `${reached}`);
    assert.ok(told.every(({ secondsLeft }) => secondsLeft > 0));
    assert.equal(meanwhile.read, "wrong_state");
    assert.ok(meanwhile.parameter > 0);
    assert.ok(same, "the step that was reached is not like any other");
    assert.equal(stillOpen, 2);
    assert.equal(steps, 1);
    assert.ok(halted < reached, `${halted}`);
    assert.equal(over, "wrong_state");
  },
);

engineTest(
  "a program's way over steps can be ended too",
  {},
  {},
  async ({ gradscope }) => {
    const walk = await gradscope.scratch("x = randn(200, 200); loss = mean((x @ x - 1)^2); learning_rate = 0.0001");
    const stop = new AbortController();
    const told = [];
    const info = await walk.batches(9000, {
      signal: stop.signal,
      onProgress: (at) => {
        told.push(at);
        stop.abort();
      },
    });
    const back = await walk.batches(-1);
    await walk.close();
    return { told, step: info.state.step, back: back.state.step };
  },
  ({ told, step, back }) => {
    assert.ok(told.length >= 1 && step >= told[0].step && step < 9000, `${step}`);
    assert.equal(back, step - 1);
  },
);

engineTest(
  "an evaluation stops at its next batch",
  { timeout: 300_000 },
  {},
  async ({ gradscope }) => {
    const session = await gradscope.createSession({ model: "mnist-cnn-small", backend: "cpu", seed: 4 });
    const stop = new AbortController();
    const whole = session.evaluate("train", { signal: stop.signal }).then(() => "done", ({ name }) => name);
    // Once it is under way: what only looks comes in between.
    await session.getParameter("dense.bias");
    const begun = performance.now();
    stop.abort();
    const outcome = await whole;
    const waited = performance.now() - begun;
    const again = await session.evaluate("validation").then(({ loss }) => loss, ({ code }) => code);
    const refused = await session.evaluate("test", { signal: AbortSignal.abort() }).then(() => "done", ({ name }) => name);
    await session.dispose();
    return { outcome, waited, again, refused };
  },
  ({ outcome, waited, again, refused }) => {
    console.log(`    stopped after ${waited.toFixed(0)} ms`);
    assert.equal(outcome, "AbortError");
    // Of 188 batches of 256 one is in flight.
    assert.ok(waited < 3000, `${waited} ms`);
    assert.ok(Number.isFinite(again));
    assert.equal(refused, "AbortError");
  },
);

engineTest(
  "an evaluation is told, a walk goes on in the middle of it, and neither changes the other",
  { timeout: 300_000 },
  { code },
  async ({ gradscope, code }) => {
    const codeOf = (0, eval)(`${code} code`);
    const session = await gradscope.createSession({ model: "mnist-cnn-small", backend: "cpu", seed: 4 });
    await session.train({ steps: 3 });
    const alone = await session.evaluate("test");
    const walk = await session.walk();
    const all = walk.info.ops.length;
    const kernel = walk.info.nodes.findIndex(({ name }) => name === "dense.kernel");
    const gradient = walk.info.nodes[kernel].gradient;
    const values = async () => (await walk.read([{ node: kernel }, { node: gradient }])).map(({ data }) => Array.from(data.subarray(0, 400)));
    await walk.to(all);
    const before = await values();
    const told = [];
    let over = false;
    const evaluating = session.evaluate("train", { onProgress: (at) => told.push(at) }).then((result) => {
      over = true;
      return result;
    });
    // There and back over the update, while batches are evaluated in between.
    await walk.to(2);
    await walk.to(all);
    const during = await values();
    const during_over = over;
    // What changes parameters waits for the end.
    const edited = walk.edit(kernel, 0, 0.5).then(() => over);
    const whole = await evaluating;
    const waited = await edited;
    await codeOf(walk.close());
    const again = await session.evaluate("test");
    await session.dispose();
    return { told, during_over, waited, same: JSON.stringify(before) === JSON.stringify(during), losses: [alone.loss, again.loss], whole: whole.loss };
  },
  ({ told, during_over, waited, same, losses, whole }) => {
    assert.ok(told.length >= 2, `told ${told.length} times`);
    assert.ok(told.every(({ split, done, total, secondsLeft }, k) => split === "train" && total === 48_000 && done > (told[k - 1]?.done ?? 0) && done < total && secondsLeft > 0));
    assert.equal(during_over, false, "the walk waited for the evaluation");
    assert.ok(waited, "an edit came in the middle of an evaluation");
    assert.ok(same, "the walk shows other numbers than before");
    assert.ok(Number.isFinite(whole));
    // The edit stays, and is all that is new.
    assert.ok(Math.abs(losses[0] - losses[1]) < 0.05, `${losses}`);
  },
);

pageTest("the page tells how far a way over batches is, and ends it", { timeout: 300_000 }, async ({ page, url }) => {
  await page.goto(`${url}/#/mnist-cnn-small?seed=4&backend=cpu`);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  await page.keyboard.press("ArrowRight");
  await page.locator(".walk-head").waitFor();
  await page.getByRole("button", { name: "To the next epoch" }).click();
  await page.locator(".outer-text").getByText(/^at step [\d,]+ of [\d,]+ · left/).waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.locator(".outer-text small").getByText(/^snapshots: \d+$/).waitFor();
  const [, batch] = (await page.locator(".outer-text b").innerText()).match(/^Epoch 1 · batch (\d+) of/);
  assert.ok(Number(batch) > 1, batch);
  const step = await page.locator(".walk-side dd").nth(1).innerText();
  assert.equal(Number(step.replaceAll(",", "")), Number(batch) - 1, "the page shows where it stands");
  assert.equal(await page.getByRole("alert").innerText(), "");
  await page.keyboard.press("Alt+ArrowLeft");
  await page.locator(".outer-text b").getByText(`batch ${Number(batch) - 1} of`).waitFor();
});

pageTest("an evaluation on the page can be cancelled", { timeout: 300_000 }, async ({ page, url }) => {
  await page.goto(`${url}/#/mnist-cnn?seed=4&backend=cpu`);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  await page.getByRole("tab", { name: "Evaluate" }).click();
  await page.locator("gs-evaluate select").first().selectOption("train");
  await page.getByRole("button", { name: "Evaluate now" }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Evaluate now" }).waitFor({ timeout: 10_000 });
  assert.equal(await page.getByRole("alert").innerText(), "");
  await page.getByText(/^Not evaluated yet/).waitFor();
});

pageTest("the evaluation at the end of an epoch tells how far it is", { timeout: 300_000 }, async ({ page, url }) => {
  await page.goto(`${url}/#/mnist-cnn?seed=4&backend=cpu&train_examples=256`);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  // The page may be too busy to be asked at the right moment: all that it says is noted.
  await page.evaluate(() => {
    globalThis.said = [];
    const note = () => said.push(document.querySelector("gs-transport").innerText);
    new MutationObserver(note).observe(document.querySelector("gs-transport"), { subtree: true, childList: true, characterData: true });
  });
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await page.waitForFunction(() => said.filter((text) => /1 of \d+ epochs done\s+evaluating: [\d,]+ of 10,000, .+ left/.test(text)).length >= 2, undefined, { timeout: 60_000 });
  await page.waitForFunction(() => said.some((text) => /2 of \d+ epochs done/.test(text)), undefined, { timeout: 30_000 });
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Train on" }).waitFor({ timeout: 30_000 });
  assert.ok(!(await page.locator("gs-transport").innerText()).includes("evaluating"), "paused, and still said to evaluate");
  const done = await page.evaluate(() => said.map((text) => /1 of \d+ epochs done\s+evaluating: ([\d,]+) of/.exec(text)?.[1]).filter(Boolean).map((number) => Number(number.replace(",", ""))));
  assert.ok(done.every((now, k) => now > 0 && now < 10_000 && now >= (done[k - 1] ?? 0)), `${done}`);
});

pageTest("an evaluation on the page tells how far it is, and a walk stays open", { timeout: 300_000 }, async ({ page, url }) => {
  await page.goto(`${url}/#/mnist-cnn?seed=4&backend=cpu`);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  await page.keyboard.press("ArrowRight");
  await page.getByText(/^Nothing is computed yet/).waitFor();
  await page.getByRole("tab", { name: "Evaluate" }).click();
  await page.locator("gs-evaluate select").first().selectOption("train");
  await page.getByRole("button", { name: "Evaluate now" }).click();
  await page.locator(".evaluate-head").getByText(/^evaluating: [\d,]+ of 60,000, .+ left$/).waitFor({ timeout: 30_000 });
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => document.querySelector(".position").textContent.includes(" 1 "));
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Evaluate now" }).waitFor({ timeout: 10_000 });
  assert.equal(await page.getByRole("alert").innerText(), "");
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => document.querySelector(".position").textContent.includes(" 2 "));
});
