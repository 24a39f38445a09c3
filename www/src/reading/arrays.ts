import type { Entry } from "./archives.js";
import { checkClasses, checkSize, numbered, type Source, type Told } from "./labelled.js";
import { picturesTold } from "./pictures.js";
import { ReadingError, type Report } from "./report.js";
import type { PicturesPreview, Wishes } from "./types.js";

/** A plane of a picture of CIFAR-10, and a record: the class, then the red plane, the green and the blue. */
const PLANE = 32 * 32;
const RECORD = 1 + 3 * PLANE;

/** Pictures as bytes `[N, H, W, C]`, and the class of each. */
interface Batch {
  pixels: Uint8Array;
  labels: Uint8Array;
  shape: readonly number[];
  test: boolean;
}

const isBatch = ({ path, bytes }: Entry): boolean => /(^|\/)(data_batch_\d|test_batch)\.bin$/.test(path) && bytes.length > 0 && bytes.length % RECORD === 0;

/** Sizes of an idx file of bytes; none where it is something else, or of another length. */
function idx(bytes: Uint8Array): number[] | undefined {
  const rank = bytes[3] ?? 0;
  if (bytes[0] !== 0 || bytes[1] !== 0 || bytes[2] !== 8 || ![1, 3, 4].includes(rank) || bytes.length < 4 + 4 * rank) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const sizes = Array.from({ length: rank }, (_, k) => view.getUint32(4 + 4 * k));
  return sizes.reduce((a, b) => a * b, 1) === bytes.length - 4 - 4 * rank ? sizes : undefined;
}

/** Whether a file holds pictures or labels as plain numbers: idx, as of MNIST, or a batch of CIFAR-10. */
export const isPacked = (entry: Entry): boolean => isBatch(entry) || idx(entry.bytes) !== undefined;

const isTest = (path: string): boolean => /(t10k|test)[^/]*$/i.test(path);
/** What a file of labels has in common with that of its images: `train-labels-idx1-ubyte` and `train-images-idx3-ubyte`. */
const stem = (path: string): string => path.replace(/images|labels|idx\d/gi, "");

function cifar({ path, bytes }: Entry): Batch {
  const count = bytes.length / RECORD;
  const [pixels, labels] = [new Uint8Array(count * 3 * PLANE), new Uint8Array(count)];
  for (let n = 0; n < count; n++) {
    labels[n] = bytes[n * RECORD]!;
    for (let c = 0; c < 3; c++) for (let k = 0; k < PLANE; k++) pixels[(n * PLANE + k) * 3 + c] = bytes[n * RECORD + 1 + c * PLANE + k]!;
  }
  return { pixels, labels, shape: [32, 32, 3], test: isTest(path) };
}

/** Each file of images with its labels: that of the same name, or else the only one of as many. */
function pairs(files: readonly Entry[], report: Report): Batch[] {
  const sized = files.map((entry) => ({ ...entry, sizes: idx(entry.bytes)! }));
  const labels = sized.filter(({ sizes }) => sizes.length === 1);
  return sized.filter(({ sizes }) => sizes.length > 1).flatMap(({ path, bytes, sizes }) => {
    const [count = 0, height = 1, width = 1, channels = 1] = sizes;
    const fitting = labels.filter((of) => of.sizes[0] === count);
    const own = fitting.find((of) => stem(of.path) === stem(path)) ?? (fitting.length === 1 ? fitting[0] : undefined);
    if (!own) {
      report.skip("noLabels", path);
      return [];
    }
    return [{ pixels: bytes.subarray(4 + 4 * sizes.length), labels: own.bytes.subarray(8), shape: [height, width, channels], test: isTest(path) }];
  });
}

/** Pictures as their publishers pack them: idx files of images and labels, or the batches of CIFAR-10. */
export class Arrays implements Source {
  readonly #pixels: Uint8Array<ArrayBuffer>;
  readonly #labels: readonly number[];
  readonly #tests: boolean[] = [];
  readonly #shape: readonly number[];
  readonly #classes: readonly string[];
  readonly #report: Report;

  constructor(entries: readonly Entry[], report: Report) {
    this.#report = report;
    const known = entries.filter(isPacked).sort((a, b) => (a.path < b.path ? -1 : 1));
    const batches = [...known.filter(isBatch).map(cifar), ...pairs(known.filter((entry) => !isBatch(entry)), report)];
    const [first] = batches;
    if (!first) throw new ReadingError("noLabels", { file: known[0]!.path });
    this.#shape = first.shape;
    const alike = batches.filter(({ shape }) => shape.join() === first.shape.join());
    this.#pixels = new Uint8Array(alike.reduce((sum, { pixels }) => sum + pixels.length, 0));
    let at = 0;
    const written: string[] = [];
    for (const { pixels, labels, test } of alike) {
      this.#pixels.set(pixels, at);
      at += pixels.length;
      for (const label of labels) {
        written.push(String(label));
        this.#tests.push(test);
      }
    }
    // The names of CIFAR-10's classes lie beside its batches, a line each.
    const meta = entries.find(({ path }) => /(^|\/)batches\.meta\.txt$/.test(path));
    const { names, numbers } = numbered(written, meta && new TextDecoder().decode(meta.bytes).split(/\s+/).filter(Boolean));
    [this.#classes, this.#labels] = [names, numbers];
    for (const entry of entries) if (entry !== meta && !isPacked(entry)) report.skip("otherFile", entry.path);
  }

  tell(wishes: Wishes): Told<PicturesPreview> {
    const shape = this.#shape;
    const given = new Set(this.#tests).size > 1 ? this.#tests : undefined;
    const problem = checkClasses(this.#classes) ?? checkSize(this.#labels.length, shape.reduce((a, b) => a * b, 1));
    return picturesTold(this.#pixels, this.#labels, this.#classes, shape, given, wishes, this.#report.fork(), { fixed: true, side: 0, grey: shape[2] === 1, common: [shape[1]!, shape[0]!], problem });
  }
}
