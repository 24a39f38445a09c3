// A language whose texts cannot be loaded: the page speaks another one, and says so quietly.

import assert from "node:assert/strict";
import { pageTest } from "./support.mjs";

/** The browser itself reports a file that it could not load. */
const forgive = (problems) => problems.splice(0, problems.length, ...problems.filter((problem) => !/Failed to load resource|net::ERR/.test(problem)));

pageTest("Chinese that cannot be loaded leaves an English page with a notice", { context: { locale: "zh-CN" } }, async ({ page, url, problems }) => {
  await page.route(/\/zh-[^/]*\.js$/, (route) => route.abort());
  await page.goto(`${url}/#/sigmoid-2-2-1?backend=cpu`);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  const notice = page.locator(".notice").getByText("The texts in 简体中文 could not be loaded.");
  await notice.waitFor();
  await page.getByRole("tab", { name: "Evaluate" }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), "en");
  await page.locator(".notice", { hasText: "简体中文" }).getByRole("button", { name: "Understood" }).click();
  await notice.waitFor({ state: "detached" });
  forgive(problems);
});

pageTest("a refused change of language keeps the page as it is", {}, async ({ page, url, problems }) => {
  await page.route(/\/zh-[^/]*\.js$/, (route) => route.abort());
  await page.goto(`${url}/#/sigmoid-2-2-1?backend=cpu`);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  assert.equal(await page.locator(".notice", { hasText: "could not be loaded" }).count(), 0);
  await page.getByRole("combobox", { name: "Language" }).selectOption("zh");
  await page.locator(".notice").getByText("The texts in 简体中文 could not be loaded.").waitFor();
  await page.getByRole("tab", { name: "Evaluate" }).waitFor();
  await page.getByRole("combobox", { name: "Language" }).selectOption("en");
  await page.locator(".notice", { hasText: "could not be loaded" }).waitFor({ state: "detached" });
  forgive(problems);
});

pageTest("English that cannot be loaded falls back to Chinese", {}, async ({ page, url, problems }) => {
  await page.route(/\/en-[^/]*\.js$/, (route) => route.abort());
  await page.goto(`${url}/#/sigmoid-2-2-1?backend=cpu`);
  await page.locator(".card-in").first().waitFor({ timeout: 60_000 });
  await page.locator(".notice", { hasText: "English" }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), "zh-CN");
  forgive(problems);
});
