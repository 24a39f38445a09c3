// Files as visitors have them, made byte by byte.

import assert from "node:assert/strict";

/** A bitmap of 24 bits a pixel; `grey(x, y)` is its brightness. */
export function bmp(width, height, grey) {
  const row = Math.ceil((width * 3) / 4) * 4;
  const file = Buffer.alloc(54 + row * height);
  file.write("BM");
  file.writeUInt32LE(file.length, 2);
  for (const [at, value] of [[10, 54], [14, 40], [18, width], [22, height], [26, 1 | (24 << 16)], [34, row * height]]) file.writeUInt32LE(value, at);
  // From the bottom up.
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) file.fill(grey(x, height - 1 - y), 54 + y * row + 3 * x, 54 + y * row + 3 * x + 3);
  return file;
}

let table;

/** A text of ASCII and common ideographs in GB18030. */
export function gb18030(text) {
  if (!table) {
    const decoder = new TextDecoder("gb18030");
    table = new Map();
    for (let lead = 0x81; lead < 0xff; lead++) for (let trail = 0x40; trail < 0xff; trail++) if (trail !== 0x7f) table.set(decoder.decode(Uint8Array.of(lead, trail)), [lead, trail]);
  }
  return Buffer.from([...text].flatMap((c) => (c < "\x80" ? [c.charCodeAt(0)] : table.get(c))));
}

/** A text in UTF-16, the lower byte first, without a mark. */
export const utf16 = (text) => Buffer.from(text, "utf16le");

/** A tar archive of files by their paths; `mark` is what tells its format, which archives of old do not have. */
export function tar(files, mark = "ustar\x0000") {
  const blocks = files.flatMap(([path, text]) => {
    const header = Buffer.alloc(512);
    const body = Buffer.from(text);
    assert.ok(Buffer.byteLength(path) <= 100, path);
    header.write(path, 0);
    header.write(body.length.toString(8).padStart(11, "0"), 124);
    header.write("0", 156);
    header.write(mark, 257);
    header.write("        ", 148);
    header.write(`${header.reduce((a, b) => a + b).toString(8).padStart(6, "0")}\0 `, 148);
    return [header, body, Buffer.alloc((512 - (body.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** An idx file of bytes. */
export function idx(sizes, bytes) {
  const header = Buffer.alloc(4 + 4 * sizes.length);
  header.set([0, 0, 8, sizes.length]);
  sizes.forEach((size, k) => header.writeUInt32BE(size, 4 + 4 * k));
  return Buffer.concat([header, Buffer.from(bytes)]);
}

/** A batch of CIFAR-10: of each picture its class and its three planes; `value(class, plane, cell)`. */
export const batch = (classes, value) =>
  Buffer.concat(classes.map((label) => Buffer.from([label, ...Array.from({ length: 3 * 1024 }, (_, k) => value(label, Math.floor(k / 1024), k % 1024))])));
