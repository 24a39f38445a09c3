// Tests of the package alone, without the page: a blank document that imports it as any program would.

import { pageTest } from "./support.mjs";

/**
 * A test whose body runs in the browser: `inBrowser({ gradscope, ...given })`, which returns something that can be cloned. `check(result, tools)`
 * judges it here. `before(page)`, an option, prepares the page.
 */
export function engineTest(name, options, given, inBrowser, check) {
  pageTest(name, options, async (tools) => {
    const { page, url } = tools;
    page.on("console", (message) => message.type() === "info" && console.log(`    ${message.text()}`));
    await options.before?.(page);
    await page.goto(`${url}/tests/blank.html`);
    const result = await page.evaluate(
      async ({ source, given }) => {
        const gradscope = await import("/pkg/gradscope.js");
        gradscope.configure({ data: new URL("/data/", location.href) });
        const body = (0, eval)(`(${source})`);
        return body({ gradscope, ...given });
      },
      { source: inBrowser.toString(), given },
    );
    await check(result, tools);
  });
}

/** Largest relative difference of two curves. */
export const worst = (a, b) => Math.max(...a.map((x, i) => Math.abs(x - b[i]) / Math.max(Math.abs(x), 1e-6)));

export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
