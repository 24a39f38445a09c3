// A visitor's own data: tables, texts, documents and images, whole and broken, from the file to a few steps of training.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { batch, bmp, gb18030, idx, tar, utf16 } from "./own-files.mjs";
import { engineTest } from "./engine.mjs";
import { npm, pageTest } from "./support.mjs";

const { zipSync } = npm("fflate");
const axe = await readFile(npm.resolve("axe-core/axe.min.js"), "utf8");

const text = (string) => Buffer.from(string);
const dialog = (page) => page.getByRole("dialog", { name: "Your own data" });
const ready = (page) => page.locator(".card-in, .tensor-card").first().waitFor({ timeout: 60_000 });

/** Gives files to the dialog, which is opened first. */
async function give(page, ...files) {
  if (!(await dialog(page).isVisible())) await page.getByRole("button", { name: "Your own data" }).click();
  const other = dialog(page).getByRole("button", { name: "Other data" });
  if (await other.isVisible()) await other.click();
  await dialog(page).getByLabel("Choose files").setInputFiles(files.map(([name, buffer]) => ({ name, mimeType: "application/octet-stream", buffer })));
}

/** Drops a file onto a place. */
const drop = (page, place, name, buffer) =>
  page.locator(place).evaluate((element, [name, bytes]) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name));
    element.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
  }, [name, buffer.toString("base64")]);

const fact = (page, name) => dialog(page).locator("dl.facts").filter({ hasText: name }).evaluate((list, name) => [...list.querySelectorAll("dt")].find((dt) => dt.textContent === name)?.nextElementSibling.textContent, name);
const report = async (page) => (await dialog(page).locator(".own-report").innerText()).replace(/\s+/g, " ");

/** Takes the data that are shown, and trains a batch on them. */
async function train(page, title) {
  await dialog(page).getByRole("button", { name: "Use", exact: true }).click();
  await dialog(page).waitFor({ state: "detached", timeout: 30_000 });
  await page.locator("h2.title").getByText(title, { exact: true }).waitFor();
  await page.getByRole("button", { name: "One batch" }).click();
  await page.getByText(/Epoch 1 · batch 1 of|^1 of [0-9,]+ epochs done/).waitFor({ timeout: 30_000 });
  assert.match(await page.locator(".stats dd").first().innerText(), /^[0-9]+\.[0-9]{4}$/);
}

engineTest(
  "through the package: images as bytes, of an odd size, are the same numbers on every backend, and documents have their test part",
  {},
  {},
  async ({ gradscope }) => {
    const [count, cells] = [40, 5 * 5 * 3];
    const x = Uint8Array.from({ length: count * cells }, (_, k) => (k * 37 + (Math.floor(k / cells) % 2) * 90) % 256);
    const data = { x, y: Float32Array.from({ length: count }, (_, k) => k % 2), shape: [count, 5, 5, 3], scale: 1 / 255, classes: ["even", "odd"], testExamples: 10 };
    const model = { input: [5, 5, 3], layers: [{ type: "Conv2D", filters: 4, kernel_size: 3, activation: "relu" }, { type: "Flatten" }, { type: "Dense", units: 2, activation: "softmax" }] };
    const runs = [];
    for (const how of [{ backend: "cpu" }, { backend: "webgpu" }, { backend: "cpu", workers: 2 }, { backend: "cpu", data: { ...data, x: Float32Array.from(x, (byte) => byte / 255) } }]) {
      const session = await gradscope.createSession({ model, data, batchSize: 8, seed: 3, ...how });
      const { losses } = await session.train({ steps: 5 });
      const { confusion } = await session.evaluate("test");
      runs.push({ losses: [...losses], tested: confusion.flat().reduce((a, b) => a + b), classes: session.info.classes });
      await session.dispose();
    }
    const texts = Array.from({ length: 12 }, (_, k) => `${k % 2 ? "moon" : "car"}\nnumber ${k}`);
    const reader = { input: [4], layers: [{ type: "Embedding", input_dim: 20, output_dim: 4 }, { type: "GlobalAveragePooling1D" }, { type: "Dense", units: 2, activation: "softmax" }] };
    const session = await gradscope.createSession({ model: reader, data: { texts, labels: texts.map((_, k) => k % 2), classes: ["cars", "space"], testExamples: 4 }, backend: "cpu" });
    await session.train({ steps: 2 });
    const [last] = await session.documents("test", [3]);
    const { trainingExamples, testExamples } = session.info;
    await session.dispose();
    return { runs, last: last.pieces.map(({ text }) => text).join(""), trainingExamples, testExamples };
  },
  ({ runs, last, trainingExamples, testExamples }) => {
    for (const { losses, tested, classes } of runs) {
      assert.deepEqual([tested, classes], [10, ["even", "odd"]]);
      losses.forEach((loss, k) => assert.ok(Math.abs(loss - runs[0].losses[k]) < 1e-4 * Math.abs(loss), `${losses} and ${runs[0].losses}`));
    }
    assert.deepEqual([last, trainingExamples, testExamples], ["moon number 11", 8, 4]);
  },
);

/** 60 plants of three kinds, told apart by two numbers and a colour. */
function plants() {
  const lines = ["length,width,colour,kind"];
  for (let k = 0; k < 60; k++) lines.push(`${(k % 3) * 2 + (k % 7) / 10},${5 - (k % 3) + (k % 5) / 10},${["red", "blue"][k % 2]},${["rose", "tulip", "aster"][k % 3]}`);
  return lines;
}

pageTest("a table that is dropped on the page: rows that do not fit are named, the rest trains", {}, async ({ page, url }) => {
  await page.goto(url);
  await ready(page);
  const lines = plants();
  lines.splice(5, 0, "1,2,red", "1,2,red,rose,more", "one,2,red,rose", ",2,red,rose");
  await drop(page, "main", "plants.csv", text(lines.join("\r\n")));
  await dialog(page).getByText("A table", { exact: true }).waitFor();
  assert.equal(await fact(page, "Examples"), "48 to train, 12 to test");
  assert.equal(await fact(page, "Classes"), "3");
  assert.equal(await fact(page, "Shape of one"), "4", "two numbers and one of two colours");
  const said = await report(page);
  assert.match(said, /Rows with more or fewer fields than columns: 2, namely row \(fields\) 6 \(3\) · 7 \(5\)/);
  assert.match(said, /Rows with a word where the column has numbers: 1, namely row, column 8, length/);
  assert.match(said, /Rows with an empty cell: 1, namely row, column 9, length/);
  assert.match(said, /colour became 2 inputs/);
  assert.match(said, /standardised/);
  // A choice that leaves nothing can be taken back.
  await dialog(page).getByLabel("Encoding").selectOption("utf-16le");
  await dialog(page).getByRole("alert").waitFor();
  assert.ok(await dialog(page).getByRole("button", { name: "Use", exact: true }).isDisabled());
  await dialog(page).getByLabel("Encoding").selectOption("auto");
  await dialog(page).getByRole("alert").waitFor({ state: "detached" });
  // Another target, which is a number: one output, and no classes.
  await dialog(page).getByLabel("Column to predict").selectOption({ label: "width" });
  await dialog(page).getByText("The target width is standardised, too").waitFor();
  assert.equal(await dialog(page).getByRole("table").count(), 1, "only the rows");
  await dialog(page).getByLabel("Column to predict").selectOption({ label: "kind" });
  await dialog(page).getByRole("checkbox", { name: /^colour/ }).uncheck();
  await dialog(page).getByLabel("Test part").selectOption({ label: "30% of each class" });
  await page.waitForFunction(() => /42 to train, 18 to test/.test(document.querySelector("dialog .facts").innerText));
  await train(page, "plants.csv");
  // Two numbers and a class are points of the plane, and what was done to them is told beside the model.
  await page.locator("gs-plane-canvas").waitFor();
  await page.locator("gs-own-facts").getByText("standardised").waitFor();
  await page.getByRole("button", { name: "Train", exact: true }).or(page.getByRole("button", { name: "Train on" })).click();
  await page.waitForFunction(() => Number(document.querySelectorAll(".stats dd")[1]?.innerText.replace(/[^0-9.]/g, "")) > 90, undefined, { timeout: 30_000 });
});

pageTest("Chinese reviews in GB18030 are labelled documents", {}, async ({ page, url }) => {
  await page.goto(url);
  await ready(page);
  const rows = Array.from({ length: 30 }, (_, k) => (k % 2 ? `差评\t质量太差，用了${k}天就坏了，不推荐购买` : `好评\t东西很好，送货很快，第${k}次来买，非常满意`));
  await give(page, ["评论.tsv", gb18030(["标签\t内容", ...rows].join("\n"))]);
  await dialog(page).getByText("Labelled documents", { exact: true }).waitFor();
  assert.equal(await fact(page, "Examples"), "24 to train, 6 to test");
  assert.match(await report(page), /The encoding is gb18030/);
  assert.match(await dialog(page).locator(".own-documents").innerText(), /[好差]评\s+(东西很好|质量太差)/);
  await train(page, "评论.tsv");
  await page.locator("gs-document-sample .document").getByText(/满意|推荐/).waitFor();
});

pageTest("a text in UTF-16 without a mark, and what is pasted, become a corpus", {}, async ({ page, url }) => {
  await page.goto(url);
  await ready(page);
  const verse = "The quick brown fox jumps over the lazy dog.\r\n".repeat(40);
  await give(page, ["verse.txt", utf16(verse)]);
  await dialog(page).getByText("A text to learn to go on with", { exact: true }).waitFor();
  assert.equal(await fact(page, "Characters"), "1,800");
  assert.equal(await fact(page, "Different characters"), String(new Set(verse.replaceAll("\r", "")).size));
  assert.match(await report(page), /The encoding is utf-16le.*Ends of lines were made one character/);
  await dialog(page).getByRole("button", { name: "Other data" }).click();
  await dialog(page).getByLabel("Or paste a text or a table").fill("春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。\n".repeat(4));
  await dialog(page).getByRole("button", { name: "Read it" }).click();
  assert.equal(await fact(page, "Characters"), "100");
  assert.match(await report(page), /windows of 32 characters in place of 64/);
  await train(page, "Pasted text");
  await page.locator("gs-writing").waitFor();
});

/** Pictures of two classes: light above, and light below. */
const pictures = (folder, light, count, side = 16) =>
  Object.fromEntries(Array.from({ length: count }, (_, k) => [`${folder}/${k}.bmp`, bmp(side, side, (_, y) => ((y < side / 2) === light ? 200 + k : 10 + k))]));

pageTest("a zip of images by class: nested, of several sizes, with broken ones", {}, async ({ page, url }) => {
  await page.goto(url);
  await ready(page);
  const files = {
    ...pictures("set/light/above", true, 20), ...pictures("set/light/below", false, 20),
    "set/light/below/large.bmp": bmp(40, 20, () => 128), "set/light/alone/1.bmp": bmp(16, 16, () => 9),
    "set/light/above/broken.bmp": bmp(16, 16, () => 1).subarray(0, 60), "set/light/above/no.png": text("not a picture"), "set/readme.txt": text("about"),
    "loose.bmp": bmp(16, 16, () => 1), "__MACOSX/set/light/above/._0.bmp": text("system"), "set/.DS_Store": text("system"),
  };
  await give(page, ["light.zip", Buffer.from(zipSync(files))]);
  await dialog(page).getByText("Images by class", { exact: true }).waitFor();
  assert.equal(await fact(page, "Shape of one"), "16×16×1", "the most common size, grey");
  assert.equal(await fact(page, "Examples"), "34 to train, 8 to test");
  const said = await report(page);
  for (const expected of [
    /Files that the system left: 2/, /Files that are no images: 1 set\/readme.txt/, /Images that cannot be decoded: 2 set\/light\/above\/(broken.bmp|no.png)/,
    /Files that lie in no folder of a class: 1 loose.bmp/, /Images of another size that were brought to 16×16: 1/, /Images of other proportions that were cut at their edges: 1/,
    /Classes with one example, which is in the training part: 1, namely alone/,
  ]) assert.match(said, expected);
  await dialog(page).getByLabel("Size").selectOption("28");
  await page.waitForFunction(() => /28×28×1/.test(document.querySelector("dialog .facts").innerText));
  await train(page, "light.zip");
  assert.match(await page.locator(".layer").first().innerText(), /Conv2D\s+8 · 3×3 · relu/, "the network that was open, for other images");
  await page.getByRole("tab", { name: "Evaluate" }).click();
  await page.locator("gs-sample-image canvas").waitFor();
  // Another model and back: data of one's own are there as long as the page is.
  await page.getByRole("combobox", { name: "Model" }).selectOption("sigmoid-2-2-1");
  await page.locator(".grid-numbers td").nth(8).waitFor();
  await page.getByRole("combobox", { name: "Data" }).selectOption({ label: "light.zip" });
  await page.locator("h2.title").getByText("light.zip", { exact: true }).waitFor();
  await page.locator("gs-sample-image canvas").waitFor();
});

pageTest("texts in folders of a tar archive, dropped where a set is not installed, keep the test part that they came with", {}, async ({ page, url }) => {
  await page.route(/data\/index\.json$/, (route) => route.fulfill({ json: [] }));
  await page.goto(`${url}/#/newsgroups-cnn`);
  await page.getByText("it is read as data of your own").waitFor();
  const files = [];
  for (const [part, n] of [["train", 12], ["test", 4]]) {
    for (let k = 0; k < n; k++) files.push([`mail-${part}/${k % 2 ? "space" : "cars"}/${k}`, k % 2 ? `orbit number ${k}\nof the moon` : `engine number ${k}\nof the car`]);
  }
  files.push(["mail-train/loose", "in a folder of folders"], ["mail-test/unknown/1", "of a class without training"], ["mail-train/cars/empty", "  "]);
  await drop(page, "gs-missing .panel", "mail.tar.gz", gzipSync(tar(files)));
  await dialog(page).getByText("Labelled documents", { exact: true }).waitFor();
  assert.equal(await fact(page, "Examples"), "12 to train, 4 to test");
  assert.equal(await dialog(page).getByLabel("Test part").count(), 0);
  const said = await report(page);
  assert.match(said, /Files of classes that only the test part has: 1 mail-test\/unknown\/1/);
  assert.match(said, /Files that lie in no folder of a class: 1 mail-train\/loose/);
  assert.match(said, /Empty texts: 1 mail-train\/cars\/empty/);
  await train(page, "mail.tar.gz");
});

pageTest("the digits of scikit-learn, dropped or chosen where pictures are not installed, are a table; a class without an example to learn from is told", {}, async ({ page, url }) => {
  await page.route(/data\/index\.json$/, (route) => route.fulfill({ json: [] }));
  await page.goto(`${url}/#/mnist-cnn-small`);
  await page.locator("gs-missing .panel").waitFor();
  const digits = gzipSync(Array.from({ length: 100 }, (_, k) => [...Array.from({ length: 64 }, (_, cell) => (k * 7 + cell) % 17), k % 10].join()).join("\n"));
  await drop(page, "gs-missing .panel", "digits.csv.gz", digits);
  await dialog(page).getByText("A table", { exact: true }).waitFor();
  assert.deepEqual([await fact(page, "Shape of one"), await fact(page, "Classes")], ["64", "10"]);
  await page.keyboard.press("Escape");
  await page.locator("gs-missing input[type=file]").setInputFiles({ name: "digits.csv.gz", mimeType: "", buffer: digits });
  await dialog(page).getByText("A table", { exact: true }).waitFor();
  await train(page, "digits.csv.gz");
  const picture = (n) => idx([n, 4, 4], Array(16 * n).fill(7));
  await give(page, ["train-images-idx3-ubyte", picture(4)], ["train-labels-idx1-ubyte", idx([4], [0, 0, 1, 1])], ["t10k-images-idx3-ubyte", picture(3)], ["t10k-labels-idx1-ubyte", idx([3], [0, 1, 2])]);
  await dialog(page).getByText("Classes without an example in the training part: 1, namely 2").waitFor();
});

/** Posts of four groups as in 20news-bydate.tar.gz, with so many words that the preset's vocabulary is full. */
function news() {
  const groups = { "alt.atheism": "belief", "comp.sys.mac.hardware": "modem", "rec.autos": "engine", "sci.space": "orbit" };
  const files = [];
  for (const [part, from, to] of [["train", 0, 12], ["test", 12, 16]]) {
    Object.entries(groups).forEach(([group, word], g) => {
      for (let k = from; k < to; k++) {
        const body = Array.from({ length: 24 }, (_, i) => `${word} w${(k * 24 + i) * 4 + g}`).join(" ");
        files.push([`20news-bydate-${part}/${group}/${49000 + k}`, Buffer.from(`From: someone@example.com (Jos\xe9)\nSubject: Re: ${word}\nLines: 3\n\n> quoted\n${body}\n`, "latin1")]);
      }
    });
  }
  files.push(["20news-bydate-train/sci.space/50001", Buffer.from(Array.from({ length: 400 }, (_, k) => (k * k * 31 + (k >> 2)) & 255))], ["20news-bydate-test/rec.autos/50002", "\n"]);
  return gzipSync(tar(files));
}

pageTest("the official archive of 20 Newsgroups is read by the preset that asks for it, with its own test part", {}, async ({ page, url }) => {
  await page.route(/data\/index\.json$/, (route) => route.fulfill({ json: [] }));
  await page.goto(`${url}/#/newsgroups-cnn`);
  await page.getByText("it is read as data of your own").waitFor();
  await drop(page, "gs-missing .panel", "20news-bydate.tar.gz", news());
  await dialog(page).getByText("Labelled documents", { exact: true }).waitFor();
  assert.equal(await fact(page, "Examples"), "48 to train, 16 to test");
  assert.deepEqual(await dialog(page).locator(".own-table tbody th").allInnerTexts(), ["alt.atheism", "comp.sys.mac.hardware", "rec.autos", "sci.space"]);
  const said = await report(page);
  assert.match(said, /The encoding is windows-1252 \(64\)/);
  assert.match(said, /What lies in folders for testing is the test part: 16/);
  assert.match(said, /Files that are no text: 1 20news-bydate-train\/sci.space\/50001/);
  assert.match(said, /Empty texts: 1 20news-bydate-test\/rec.autos\/50002/);
  await train(page, "20news-bydate.tar.gz");
  const layers = await page.locator(".layer").allInnerTexts();
  assert.match(layers[0], /Embedding\s+1000→64/, "the preset's network");
  assert.match(layers.at(-1), /Dense\s+4 · softmax/, "with as many answers as there are groups");
  await page.locator("gs-document-sample .document").getByText("José").waitFor();
  await page.locator("gs-card-tokens").getByText("From: someone@example.com").waitFor();
});

pageTest("official files of pictures are data wherever they are dropped: CIFAR-10's archive, and idx of images and labels", {}, async ({ page, url }) => {
  await page.goto(url);
  await ready(page);
  const value = (label, plane, cell) => (label * 90 + plane * 40 + cell) & 255;
  const kinds = (n) => Array.from({ length: n }, (_, k) => k % 2);
  const cifar = [
    ["cifar-10-batches-bin/data_batch_1.bin", batch(kinds(24), value)], ["cifar-10-batches-bin/test_batch.bin", batch(kinds(8), value)],
    ["cifar-10-batches-bin/batches.meta.txt", "airplane\nautomobile\n"],
  ];
  await drop(page, "main", "cifar-10-binary.tar.gz", gzipSync(tar(cifar)));
  await dialog(page).getByText("Images by class", { exact: true }).waitFor();
  assert.deepEqual([await fact(page, "Examples"), await fact(page, "Shape of one")], ["24 to train, 8 to test", "32×32×3"]);
  assert.deepEqual(await dialog(page).locator(".own-table tbody th").allInnerTexts(), ["airplane", "automobile"]);
  assert.equal(await dialog(page).getByRole("combobox").count(), 0, "nothing to choose");
  await train(page, "cifar-10-binary.tar.gz");
  const images = (n) => gzipSync(idx([n, 28, 28], Array.from({ length: n * 784 }, (_, k) => (Math.floor(k / 784) % 2 ? k % 200 : 255 - (k % 200)))));
  const labels = (n) => gzipSync(idx([n], kinds(n)));
  await give(page, ["train-images-idx3-ubyte.gz", images(24)]);
  await dialog(page).getByRole("alert").getByText("train-images-idx3-ubyte has no partner").waitFor();
  await give(page, ["train-images-idx3-ubyte.gz", images(24)], ["train-labels-idx1-ubyte.gz", labels(24)], ["t10k-images-idx3-ubyte.gz", images(8)], ["t10k-labels-idx1-ubyte.gz", labels(8)]);
  await dialog(page).getByText("Images by class", { exact: true }).waitFor();
  assert.deepEqual([await fact(page, "Examples"), await fact(page, "Shape of one")], ["24 to train, 8 to test", "28×28×1"]);
  await train(page, "train-images-idx3-ubyte.gz");
});

pageTest("a folder of class folders is chosen as a whole", {}, async ({ page, url }) => {
  const folder = await mkdtemp(join(tmpdir(), "own-data-"));
  try {
    for (const [path, bytes] of Object.entries({ ...pictures("above", true, 5), ...pictures("below", false, 5) })) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), bytes);
    }
    await page.goto(`${url}/#/own-7`);
    await page.getByText("The address asks for data = “own-7”").waitFor();
    await page.getByRole("button", { name: "Your own data" }).click();
    await dialog(page).getByLabel("Choose a folder").setInputFiles(folder);
    await dialog(page).getByText("Images by class", { exact: true }).waitFor();
    assert.equal(await fact(page, "Examples"), "8 to train, 2 to test");
  } finally {
    await rm(folder, { recursive: true });
  }
});

/** A zip of zeros whose headers say that there are ten of them. */
function bomb() {
  const zip = Buffer.from(zipSync({ "a/0.bmp": new Uint8Array(48 << 20) }));
  zip.writeUInt32LE(10, 22);
  return zip;
}

pageTest("what cannot be used is refused with the reason, and the session that was open stays", {}, async ({ page, url }) => {
  await page.goto(`${url}/#/sigmoid-2-2-1`);
  await ready(page);
  await page.keyboard.press("Alt+ArrowRight");
  await page.getByText("1 of 1 epochs done").waitFor();
  const cases = [
    ["nothing.csv", text(""), /nothing.csv is empty/],
    ["blank.txt", text(" \n "), /blank.txt is empty/],
    ["program.bin", Buffer.from(Array.from({ length: 4000 }, (_, k) => (k * 7919) % 251 ^ (k >> 3))), /program.bin is neither a text nor a table/],
    ["one.bmp", bmp(8, 8, () => 1), /one.bmp is one image/],
    ["broken.zip", Buffer.from(zipSync({ "a/b.bmp": bmp(16, 16, (x) => x * 16) })).subarray(0, 60), /broken.zip is no whole archive/],
    ["broken.gz", gzipSync("a text of some length").subarray(0, 20), /broken.gz is no whole archive/],
    ["bomb.zip", bomb(), /Unpacking was stopped/],
    ["flat.zip", Buffer.from(zipSync({ "a.bmp": bmp(8, 8, () => 1), "b.bmp": bmp(8, 8, () => 2) })), /No file lies in a folder \(files: 2\)/],
    ["one-class.zip", Buffer.from(zipSync(pictures("only", true, 3))), /There is one class only, “only”/],
    ["hollow.zip", Buffer.from(zipSync({ "a/program.exe": text("MZ") })), /no image in a folder, no table and no text/],
    ["short.txt", text("to be"), /too short to learn from/],
    ["row.csv", text("a,b\n1,2\n"), /at least two rows. Rows of 2 columns that can be used: 1/],
    ["same.csv", text("a,kind\n1,x\n2,x\n3,x\n"), /There is one class only, “x”/],
  ];
  for (const [name, buffer, reason] of cases) {
    await give(page, [name, buffer]);
    await dialog(page).getByRole("alert").getByText(reason).waitFor({ timeout: 15_000 }).catch(async (error) => assert.fail(`${name}: ${await dialog(page).innerText()}\n${error}`));
    const use = dialog(page).getByRole("button", { name: "Use", exact: true });
    if (await use.count()) assert.ok(await use.isDisabled(), name);
  }
  await page.keyboard.press("Escape");
  await dialog(page).waitFor({ state: "detached" });
  assert.match(await page.evaluate(() => document.activeElement.textContent), /Your own data/, "the focus is back");
  await page.getByText("1 of 1 epochs done").waitFor();
  assert.equal(await page.locator(".grid-numbers td").count(), 9);
});

for (const [language, locale, name] of [["English", "en", "Your own data"], ["Chinese", "zh-CN", "自己的数据"]]) {
  for (const [colorScheme, viewport] of [["light", { width: 1280, height: 900 }], ["dark", { width: 390, height: 844 }]]) {
    pageTest(`the dialog is accessible: ${language}, ${colorScheme}, ${viewport.width} px`, { context: { colorScheme, viewport, locale } }, async ({ page, url }) => {
      await page.goto(url);
      await ready(page);
      await page.getByRole("button", { name }).focus();
      await page.keyboard.press("Enter");
      const check = async (when) => {
        await page.evaluate(axe);
        const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
        const { violations } = await page.evaluate((runOnly) => globalThis.axe.run(document, { runOnly }), tags);
        assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`), [], when);
        const across = await page.locator("dialog.own").evaluate((dialog) => dialog.scrollWidth - dialog.clientWidth);
        assert.ok(across <= 0, `${across} px of sideways scrolling ${when}`);
      };
      await page.locator("dialog.own textarea").waitFor();
      await check("empty");
      const input = page.locator("dialog.own input[type=file]").first();
      const other = page.locator("dialog.own .own-end button").first();
      for (const [file, buffer] of [
        ["plants.csv", text([...plants(), "1,2,3"].join("\n"))], ["light.zip", Buffer.from(zipSync({ ...pictures("a", true, 9), ...pictures("b", false, 9) }))],
        ["verse.txt", text("The quick brown fox jumps over the lazy dog.\n".repeat(60))], ["none.txt", text("")],
      ]) {
        await input.setInputFiles({ name: file, mimeType: "", buffer });
        await page.locator(file === "none.txt" ? "dialog.own .own-failure" : "dialog.own .own-report").waitFor();
        await check(file);
        if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${language}-${colorScheme}-${file}.png` });
        if (file !== "none.txt") await other.click();
      }
    });
  }
}
