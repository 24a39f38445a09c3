// Walks of the page: cells looked at by keyboard, and what the page then says beside what it should say.

import assert from "node:assert/strict";

/** A page whose session and walk the test can reach: `globalThis.engine` holds those that the page opened last. */
export async function reachEngine(page) {
  await page.route("**/pkg/gradscope.js", (route) =>
    route.fulfill({
      contentType: "text/javascript",
      headers: { "Cross-Origin-Resource-Policy": "same-origin" },
      body: `import * as real from "./gradscope.js?real";
        export * from "./gradscope.js?real";
        const engine = globalThis.engine = {};
        const walked = async (walk) => engine.walk = await walk;
        export const scratch = (...given) => walked(real.scratch(...given));
        export async function createSession(options) {
          const session = engine.session = await real.createSession(options);
          const walk = session.walk.bind(session);
          session.walk = (...given) => walked(walk(...given));
          // What the page watches, and how to make it see nothing for a while.
          const watch = session.watch.bind(session);
          session.watch = (views) => watch(engine.views = views);
          engine.blind = () => watch([]);
          const health = session.health.bind(session);
          engine.reports = [];
          session.health = async () => {
            const report = await health();
            engine.reports.push({ at: performance.now(), took: report.milliseconds });
            return report;
          };
          return session;
        }`,
    }));
}

/** Repeatable random numbers below 1 (mulberry32). */
export function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * What a walk's nodes should hold, by name: a gradient is `d NAME`. `values` maps a name to all values, row-major, or to `{ at, of, scale }` where
 * only some cells are known. Returns, for each op of the walk, what is known of it: `{ name, at, of, scale }`.
 */
export function expectations({ nodes, ops }, values) {
  const known = (name) => {
    const value = values[name];
    if (value === undefined) return undefined;
    if ("scale" in value) return { name, ...value };
    return { name, at: value.map((_, k) => k), of: value, scale: value.reduce((most, x) => Math.max(most, Math.abs(x)), 0) };
  };
  return ops.map((node) => {
    const names = nodes.flatMap(({ name, gradient }) => (gradient === node ? [`d ${name}`] : []));
    const found = [...(nodes[node].lane === "backward" ? names : []), nodes[node].name].flatMap((name) => known(name) ?? []);
    assert.ok(found.length > 0, `nothing is known of ${nodes[node].name} (${names})`);
    return found;
  });
}

/** Cells at the beginning of a long vector that keys reach in a second. The page shows 16,384. */
const REACH = 1 << 12;

/** Up to `most` of the known cells of a node that the page shows of an example, half of them not 0 where there are so many. */
export function chooseCells(node, { at, of }, example, most, random) {
  const shape = node.shape.slice(node.batched ? 1 : 0);
  const size = shape.reduce((a, b) => a * b, 1);
  const first = node.batched ? example * size : 0;
  const end = first + (shape.length === 1 ? Math.min(size, REACH) : size);
  const here = [...at].flatMap((whole, k) => (whole < first || whole >= end ? [] : [{ element: whole - first, want: of[k] }]));
  const take = (from, count) => {
    const taken = [];
    while (taken.length < count && from.length) taken.push(...from.splice(Math.floor(random() * from.length), 1));
    return taken;
  };
  const lively = here.filter(({ want }) => want !== 0);
  const half = take(lively, Math.ceil(most / 2));
  const rest = here.filter((cell) => !half.includes(cell));
  return [...half, ...take(rest, most - half.length)];
}

/** Picture, row and column of an element, as the page lays a tensor out. */
function placeOf(shape, element) {
  if (shape.length <= 1) return [element, 0, 0];
  if (shape.length === 2) return [0, Math.floor(element / shape[1]), element % shape[1]];
  const [, columns, ...rest] = shape;
  const count = rest.reduce((a, b) => a * b, 1);
  const outputs = rest.length > 1 ? rest.at(-1) : 1;
  const last = element % count;
  const cell = Math.floor(element / count);
  return [(last % outputs) * (count / outputs) + Math.floor(last / outputs), Math.floor(cell / columns), cell % columns];
}

/** Multi-index of an element. */
function indexOf(shape, element) {
  const index = [];
  for (const size of [...shape].reverse()) {
    index.unshift(element % size);
    element = Math.floor(element / size);
  }
  return index.join(", ");
}

export const number = (text) => Number(text.replace("−", "-").replaceAll(",", "").replace("e−", "e-"));

/** The page writes four significant digits, of very small numbers three; `scale` is the tensor's largest magnitude. */
export function close(shown, want, scale, what) {
  const size = Math.abs(want);
  const allowed = (size < 1.001e-4 ? 6e-3 : 6e-4) * size + 2e-5 * scale;
  assert.ok(Math.abs(shown - want) <= allowed, `${what}: ${shown} on the page, ${want} computed apart`);
}

/**
 * Goes by arrow and page keys to cells of the op that was done last, in the view of one cell, and returns what the page says of each: the number of
 * the inspector, the one that the grid speaks, and whether the sum that was added again disagrees.
 */
async function look(page, node, elements) {
  const shape = node.shape.slice(node.batched ? 1 : 0);
  const [rows] = shape.length > 1 ? shape : [1];
  const targets = elements.map((element) => ({ place: placeOf(shape, element), index: indexOf(shape, element) }));
  targets.sort((a, b) => a.place[0] - b.place[0] || a.place[1] - b.place[1]);
  const said = await page.evaluate(async ({ targets, rows, single }) => {
    const grid = () => document.querySelector(".cell-view .grid-cell");
    // An op's own view takes the general one's place once its code is there.
    let cell = grid();
    for (let before; before !== cell; cell = grid()) {
      before = cell;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const press = (key) => cell.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    const where = () => {
      const row = Number(cell.parentElement.getAttribute("aria-rowindex")) - 1;
      return [Math.floor(row / rows), row % rows, Number(cell.getAttribute("aria-colindex")) - 1];
    };
    const go = (axis, target, back, on) => {
      for (let by = target - where()[axis]; by !== 0; by -= Math.sign(by)) press(by < 0 ? back : on);
    };
    const settled = (index) => {
      const heading = document.querySelector(".cell-head h2")?.textContent ?? "";
      const there = index === "" ? !heading.endsWith("]") : heading.endsWith(`[${index}]`);
      return there && document.querySelector(".equations[aria-busy=false] .result");
    };
    const answers = [];
    for (const { place, index } of targets) {
      if (single) {
        // Single numbers in rows: how many stand in one is seen by going down one.
        if (where()[0] > place[0]) press("Home");
        let across = Infinity;
        while (place[0] - where()[0] >= Math.min(across, 2)) {
          const before = where()[0];
          press("ArrowDown");
          across = where()[0] - before;
          if (where()[0] > place[0]) break;
        }
        go(0, place[0], "ArrowLeft", "ArrowRight");
      } else {
        go(0, place[0], "PageUp", "PageDown");
        go(1, place[1], "ArrowUp", "ArrowDown");
        go(2, place[2], "ArrowLeft", "ArrowRight");
      }
      const begun = performance.now();
      while (!settled(index)) {
        if (performance.now() - begun > 20_000) throw new Error(`the inspector does not show [${index}], but ${document.querySelector(".cell-head")?.textContent}`);
        await new Promise((next) => setTimeout(next, 2));
      }
      answers.push({
        index,
        shown: document.querySelector(".cell-head .result").textContent,
        spoken: cell.textContent.trim(),
        bad: document.querySelectorAll(".check.bad").length,
      });
    }
    return answers;
  }, { targets, rows, single: rows * (shape[1] ?? 1) === 1 || shape.length <= 1 });
  return new Map(said.map((answer) => [answer.index, answer]));
}

/** Compares what the page shows of an op's cells. */
async function compare(page, node, known, example, most, random) {
  let count = 0;
  for (const of of known) {
    const cells = chooseCells(node, of, example, most, random);
    assert.ok(cells.length > 0, `no cell of ${of.name} is known`);
    const shape = node.shape.slice(node.batched ? 1 : 0);
    const said = await look(page, node, cells.map(({ element }) => element));
    for (const { element, want } of cells) {
      const { index, shown, spoken, bad } = said.get(indexOf(shape, element));
      const what = `${of.name}[${index}]`;
      close(number(shown), want, of.scale, what);
      // "conv2d, channel 3, row 4, column 5: 0.42, gradient -0.01"
      close(number(/: (\S+?)(?:, gradient .*)?$/.exec(spoken)[1]), want, of.scale, `${what} as it is spoken`);
      assert.equal(bad, 0, `${what}: the sum that was added again disagrees`);
      count++;
    }
  }
  return count;
}

/** The page's cursor has arrived, and its values with it. */
const arrived = (page, cursor) =>
  page.waitForFunction((at) => {
    const ops = document.querySelector(".ops");
    const done = globalThis.engine.walk.info.state.cursor;
    return ops?.getAttribute("aria-valuenow") === String(at) && done === at && document.querySelector(".cell-view .grid-cell") && !document.querySelector(".cell-view gs-tensor.pending");
  }, cursor, { polling: 5 });

/**
 * Walks by keyboard from the beginning to the end of the step, op by op, and back, and looks at `most` random cells of each op on both ways. The page
 * shows one cell large. Returns how many cells were compared.
 */
export async function walkBothWays(page, values, { example = 0, most = 20, seed = 1 } = {}) {
  const info = await page.evaluate(() => {
    const { nodes, ops } = globalThis.engine.walk.info;
    return { nodes, ops };
  });
  const known = expectations(info, values);
  const draw = random(seed);
  let count = 0;
  for (let cursor = 1; cursor <= info.ops.length; cursor++) {
    await page.keyboard.press("ArrowRight");
    await arrived(page, cursor);
    count += await compare(page, info.nodes[info.ops[cursor - 1]], known[cursor - 1], example, most, draw);
  }
  for (let cursor = info.ops.length - 1; cursor >= 1; cursor--) {
    await page.keyboard.press("ArrowLeft");
    await arrived(page, cursor);
    count += await compare(page, info.nodes[info.ops[cursor - 1]], known[cursor - 1], example, most, draw);
  }
  await page.keyboard.press("ArrowLeft");
  await page.getByText(/^Nothing is computed yet/).waitFor();
  return { ops: info.ops.length, count };
}
