import { archiveKind, isWanted, unpack, unzip, type Entry, type Progress } from "./archives.js";
import { Arrays, isPacked } from "./arrays.js";
import { Documents } from "./documents.js";
import { decode } from "./encoding.js";
import { isImage } from "./image-size.js";
import type { Source } from "./labelled.js";
import { checkFile, checkUnpacked, MOST_PACKED, MOST_TEXT } from "./limits.js";
import { Pictures } from "./pictures.js";
import { ReadingError, type Report } from "./report.js";
import { Writing } from "./text.js";
import type { Dropped } from "./types.js";

const HEAD = 512;

const read = async ({ path, file }: Dropped): Promise<Entry> => ({ path, bytes: new Uint8Array(await file.arrayBuffer()) });

const isTable = ({ path }: Entry): boolean => /\.(csv|tsv|tab)$/i.test(path);
/** Texts have names that say so, or none that say anything else; what packages say of themselves is none. */
const isText = ({ path }: Entry): boolean =>
  (/\.(txt|text|md|eml)$/i.test(path) || !/\.[a-z]\w{0,4}$/i.test(path)) && !/(^|\/)(readme|license|notice|security)(\.\w+)?$|\.dist-info\//i.test(path);
const inFolder = ({ path }: Entry): boolean => path.includes("/");

/** Bytes of a text that is more than a document. */
const LONG = 32_000;

/** Whether texts are documents in folders of classes. If most are long, such as the plays of a poet by their genre, they are one text. */
const areDocuments = (texts: readonly Entry[]): boolean =>
  new Set(texts.filter(inFolder).map(({ path }) => path.replace(/[^/]*$/, ""))).size > 1 && 2 * texts.filter(({ bytes }) => bytes.length > LONG).length <= texts.length;

/** Lines of `pos.txt` or `neg.txt`, each once as a document of that class. */
function linesOf({ path, bytes }: Entry, report: Report): Entry[] {
  const lines = decode(bytes)?.text.split("\n") ?? [];
  const different = new Set(lines);
  if (lines.length > different.size) report.note("twice", { file: path, n: lines.length - different.size });
  return [...different].map((line, k) => ({ path: `${path.slice(0, -4)}/${k}`, bytes: new TextEncoder().encode(line) }));
}

/** What several files are: pictures as numbers, images in folders, a table, texts in folders, or one text in parts. */
function fromEntries(entries: readonly Entry[], report: Report): Source {
  if (entries.some(isPacked)) return new Arrays(entries, report);
  const images = entries.filter(({ bytes }) => isImage(bytes));
  const others = entries.filter(({ bytes }) => !isImage(bytes));
  if (images.length) {
    // A name is no image, but it says that it was meant as one.
    for (const { path } of others) report.skip(/\.(png|jpe?g|gif|webp|bmp|avif)$/i.test(path) ? "brokenImage" : "notImage", path);
    return new Pictures(images, report);
  }
  const table = others.filter(isTable).sort((a, b) => b.bytes.length - a.bytes.length)[0];
  const written = others.filter(isText);
  const opinions = written.filter(({ path }) => /(^|\/)(pos|neg)\.txt$/.test(path));
  const texts = table ? [table] : opinions.length === 2 ? opinions : written;
  const taken = new Set(texts);
  for (const entry of others) if (!taken.has(entry)) report.skip("otherFile", entry.path);
  if (texts.length === 1) return new Writing(texts[0]!.path, texts[0]!.bytes, report);
  if (texts === opinions) return new Documents(texts.flatMap((text) => linesOf(text, report)), report);
  if (areDocuments(texts)) return new Documents(texts, report);
  const parts = texts.flatMap(({ path, bytes }) => {
    const text = decode(bytes)?.text;
    if (!text) report.skip(bytes.length ? "notText" : "emptyText", path);
    return text ? [text] : [];
  });
  if (!parts.length) throw new ReadingError("noExamples", { n: entries.length });
  if (parts.length > 1) report.note("joined", { n: parts.length });
  return new Writing(texts[0]!.path, parts.join("\n"), report);
}

/** What lies in an archive; none where a file is no archive. */
async function unpacked({ path, file }: Dropped, report: Report, progress: Progress): Promise<Entry[] | undefined> {
  const kind = archiveKind(new Uint8Array(await file.slice(0, HEAD).arrayBuffer()));
  checkFile(path, file.size, kind ? MOST_PACKED : MOST_TEXT);
  switch (kind) {
    case "zip": return unzip(path, file, report, progress);
    case "gzip":
    case "tar": return unpack(path, file, kind === "gzip", report, progress);
    case undefined: return undefined;
  }
}

async function one(dropped: Dropped, report: Report, progress: Progress): Promise<Source> {
  const entries = await unpacked(dropped, report, progress);
  const [only, ...more] = entries ?? [await read(dropped)];
  if (!only) throw new ReadingError("noExamples", { n: 0 });
  if (!entries && isImage(only.bytes)) throw new ReadingError("oneImage", { file: only.path });
  // What is gzipped alone is told like a file that is not.
  if (!more.length && !isPacked(only) && (!entries || !(inFolder(only) || isImage(only.bytes)))) return new Writing(only.path, only.bytes, report);
  return fromEntries([only, ...more], report);
}

/** Names of archives; other files may be packed too, but are not meant to be looked into. */
const isArchive = ({ path }: Dropped): boolean => /\.(zip|gz|tgz|tar)$/i.test(path);

/** Tells what was dropped by what is in it. */
export async function recognise(files: readonly Dropped[], report: Report, progress: Progress): Promise<Source> {
  const wanted = files.filter(({ path }) => isWanted(path, report));
  const [only, ...more] = wanted;
  if (!only) throw new ReadingError("noExamples", { n: files.length });
  if (!more.length) return one(only, report, progress);
  const packed = wanted.reduce((sum, { file }) => sum + file.size, 0);
  checkFile(only.path, 1 + packed, MOST_PACKED);
  const entries: Entry[] = [];
  let [came, done] = [0, 0];
  for (const dropped of wanted) {
    const inside = isArchive(dropped) && dropped.file.size > 0 ? await unpacked(dropped, report, () => undefined) : undefined;
    for (const entry of inside ?? [await read(dropped)]) {
      checkUnpacked((came += entry.bytes.length), packed);
      entries.push(entry);
    }
    progress(++done, wanted.length);
  }
  return fromEntries(entries, report);
}
