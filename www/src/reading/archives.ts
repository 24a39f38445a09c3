import { Unzip, UnzipInflate } from "fflate";
import { nameOf } from "./encoding.js";
import { checkUnpacked } from "./limits.js";
import { ReadingError, type Report } from "./report.js";

/** A file out of an archive, or one of several that were dropped. */
export interface Entry {
  path: string;
  bytes: Uint8Array<ArrayBuffer>;
}

export type Progress = (done: number, total: number) => void;

/** Files that systems leave in archives, which nobody means. */
const isSystem = (path: string): boolean => /(^|\/)(__MACOSX\/|\._|\.DS_Store$|Thumbs\.db$|desktop\.ini$|\.git\/)/i.test(path);

/** Whether a file is wanted; one that is not is reported. Folders are neither. */
export function isWanted(path: string, report: Report): boolean {
  if (path.endsWith("/")) return false;
  if (isSystem(path)) report.skip("system", path);
  return !isSystem(path);
}

function join(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** So many bytes are unpacked at once: the unpacker calls itself for each file in them. */
const SLICE = 1 << 15;

/** The files of a zip, as they come; each is counted while it is unpacked. */
export async function unzip(path: string, file: Blob, report: Report, progress: Progress): Promise<Entry[]> {
  const entries: Entry[] = [];
  let [read, unpacked] = [0, 0];
  const unzipper = new Unzip((member) => {
    const name = nameOf(member.name);
    const wanted = isWanted(name, report);
    let chunks: Uint8Array[] = [];
    let broken = false;
    member.ondata = (error, chunk, final) => {
      // The unpacker passes on what is thrown here, too.
      if (error instanceof ReadingError) throw error;
      if (error && !broken) {
        broken = true;
        chunks = [];
        if (wanted) report.skip("packed", name);
      }
      if (broken || !chunk) return;
      checkUnpacked((unpacked += chunk.length), Math.max(read, 1));
      if (wanted) chunks.push(chunk);
      if (wanted && final) entries.push({ path: name, bytes: join(chunks) });
    };
    member.start();
  });
  unzipper.register(UnzipInflate);
  try {
    const reader = file.stream().getReader();
    for (;;) {
      const { done, value } = await reader.read();
      for (let at = 0; value && at < value.length; at += SLICE) {
        const slice = value.subarray(at, at + SLICE);
        read += slice.length;
        unzipper.push(slice);
      }
      progress(read, file.size);
      if (!done) continue;
      unzipper.push(new Uint8Array(), true);
      return entries;
    }
  } catch (error) {
    if (error instanceof ReadingError) throw error;
    throw new ReadingError("brokenArchive", { file: path, reason: error instanceof Error ? error.message : String(error) });
  }
}

/** Bytes that come one after another, counted. */
class Flow {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #packed: number;
  #waiting: Uint8Array = new Uint8Array();
  #came = 0;

  constructor(stream: ReadableStream<Uint8Array>, packed: number) {
    this.#reader = stream.getReader();
    this.#packed = packed;
  }

  /** The next `most` bytes, or as many as there are. */
  async take(most: number): Promise<Uint8Array<ArrayBuffer>> {
    const chunks: Uint8Array[] = [];
    let missing = most;
    while (missing > 0) {
      if (!this.#waiting.length) {
        const { done, value } = await this.#reader.read();
        if (done) break;
        checkUnpacked((this.#came += value.length), this.#packed);
        this.#waiting = value;
      }
      const part = this.#waiting.subarray(0, missing);
      this.#waiting = this.#waiting.subarray(part.length);
      chunks.push(part);
      missing -= part.length;
    }
    return join(chunks);
  }
}

const BLOCK = 512;

const field = (header: Uint8Array, from: number, to: number): string => nameOf(String.fromCharCode(...header.subarray(from, to)).replace(/\0[^]*/, ""));

/** The files of a tar archive whose first block was read. */
async function untar(path: string, first: Uint8Array, flow: Flow, report: Report): Promise<Entry[]> {
  const entries: Entry[] = [];
  let long: string | undefined;
  for (let header = first; header.length === BLOCK && header[0] !== 0; header = await flow.take(BLOCK)) {
    const size = parseInt(field(header, 124, 136).trim(), 8);
    if (!(size >= 0)) throw new ReadingError("brokenArchive", { file: path, reason: "tar" });
    const bytes = await flow.take(Math.ceil(size / BLOCK) * BLOCK);
    if (bytes.length < size) throw new ReadingError("brokenArchive", { file: path, reason: "tar" });
    const kind = String.fromCharCode(header[156]!);
    const prefix = field(header, 345, 500);
    const name = long ?? (prefix ? `${prefix}/${field(header, 0, 100)}` : field(header, 0, 100));
    // Long names stand in a member of their own before the file: GNU's alone, those of POSIX as `length path=name`, in UTF-8.
    const own = kind === "L" || kind === "x" ? bytes.subarray(0, size) : undefined;
    long = own && (kind === "L" ? nameOf(String.fromCharCode(...own)).replace(/\0[^]*/, "") : /^\d+ path=(.*)$/m.exec(new TextDecoder().decode(own))?.[1]);
    if ((kind === "0" || kind === "\0") && isWanted(name, report)) entries.push({ path: name, bytes: bytes.subarray(0, size) });
  }
  return entries;
}

/** Whether a block is the header of a tar archive: by its mark, or, in archives older than that, by its sum with the sum itself as blanks. */
function isTar(head: Uint8Array): boolean {
  if (String.fromCharCode(...head.subarray(257, 262)) === "ustar") return true;
  if (head.length < BLOCK || head[0] === 0) return false;
  const sum = head.subarray(0, BLOCK).reduce((sum, byte, k) => sum + (k >= 148 && k < 156 ? 32 : byte), 0);
  return parseInt(field(head, 148, 156).trim(), 8) === sum;
}

/** What a gzipped file or a tar archive holds: many files, or one. */
export async function unpack(path: string, file: Blob, gzipped: boolean, report: Report, progress: Progress): Promise<Entry[]> {
  let read = 0;
  const counted = file.stream().pipeThrough(new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      progress((read += chunk.length), file.size);
      controller.enqueue(chunk);
    },
  }));
  const flow = new Flow(gzipped ? counted.pipeThrough(new DecompressionStream("gzip")) : counted, file.size);
  try {
    const head = await flow.take(BLOCK);
    if (isTar(head)) return await untar(path, head, flow, report);
    return [{ path: path.replace(/\.gz$/i, ""), bytes: join([head, await flow.take(Infinity)]) }];
  } catch (error) {
    if (error instanceof ReadingError) throw error;
    throw new ReadingError("brokenArchive", { file: path, reason: error instanceof Error ? error.message : String(error) });
  }
}

/** How a file begins that is a zip, gzipped or a tar archive. */
export function archiveKind(head: Uint8Array): "zip" | "gzip" | "tar" | undefined {
  if (head[0] === 0x50 && head[1] === 0x4b && (head[2] === 3 || head[2] === 5)) return "zip";
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  return isTar(head) ? "tar" : undefined;
}
