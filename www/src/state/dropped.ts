import { GradscopeError, type Numbers } from "gradscope";

/** Examples from files that the visitor dropped, by data set. */
interface Examples {
  x: Numbers;
  y: Numbers;
  shape: number[];
}

const dropped = new Map<string, Examples>();

/** The data that were dropped for a set that is not installed. */
export const droppedData = (name: string): Examples | undefined => dropped.get(name);

const bad = (file: string, reason: string): GradscopeError =>
  new GradscopeError({ code: "bad_file", message: `${file} is not a valid idx file: ${reason}`, where: file, args: { file, format: "idx", reason } });

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

interface Idx {
  shape: number[];
  bytes: Uint8Array;
}

/** Reads an idx file of unsigned bytes (http://yann.lecun.com/exdb/mnist), gzipped or not. */
async function readIdx(file: File): Promise<Idx> {
  const head = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const zipped = head[0] === 0x1f && head[1] === 0x8b;
  const stream = zipped ? file.stream().pipeThrough(new DecompressionStream("gzip")) : file.stream();
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw bad(file.name, "its gzip stream is damaged");
  }
  const rank = bytes[3] ?? 0;
  if (bytes.length < 8 || bytes[0] || bytes[1] || bytes[2] !== 8 || (rank !== 1 && rank !== 3)) throw bad(file.name, "its header is not that of images or labels");
  const view = new DataView(bytes.buffer);
  const shape = Array.from({ length: rank }, (_, k) => view.getUint32(4 + 4 * k));
  const expected = 4 + 4 * rank + shape.reduce((product, size) => product * size, 1);
  if (bytes.length !== expected) throw bad(file.name, `${expected} bytes expected, ${bytes.length} found`);
  return { shape, bytes: bytes.subarray(4 + 4 * rank) };
}

/** Takes the images and the labels of an official archive; pixels become numbers in [0, 1]. */
export async function takeDropped(name: string, files: readonly File[]): Promise<void> {
  const read = await Promise.all(files.map(readIdx));
  const images = read.find(({ shape }) => shape.length === 3);
  const labels = read.find(({ shape }) => shape.length === 1);
  const file = files[0]?.name ?? name;
  if (!images || !labels) throw bad(file, "one file of images and one of labels are needed");
  if (images.shape[0] !== labels.shape[0]) {
    const args = { left: String(images.shape[0]), right: String(labels.shape[0]) };
    throw new GradscopeError({ code: "count_mismatch", message: `${args.left} examples but ${args.right} labels`, where: file, args });
  }
  const x = new Float32Array(images.bytes.length);
  const slice = 1 << 21; // a few milliseconds each, so that the page stays responsive
  for (let at = 0; at < x.length; at += slice) {
    const end = Math.min(x.length, at + slice);
    for (let k = at; k < end; k++) x[k] = images.bytes[k]! / 255;
    await pause();
  }
  dropped.set(name, { x, y: Float32Array.from(labels.bytes), shape: [...images.shape, 1] });
}
