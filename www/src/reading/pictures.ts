import type { OwnData } from "gradscope";
import type { Entry, Progress } from "./archives.js";
import { sizeOf } from "./image-size.js";
import { alike, byFolder, checkClasses, checkSize, numbered, part, type Labelled, type Member, type Source, type Told } from "./labelled.js";
import type { Report } from "./report.js";
import type { PicturesPreview, Wishes } from "./types.js";

/** Images that are looked at to tell their size and whether they have colour. */
const SAMPLE = 64;
/** Pictures of a class that are shown, and of how many classes. */
const SHOWN = 6;
const SHOWN_CLASSES = 40;
/** Sides between which the most common size is taken as it is. */
const [LEAST, MOST] = [8, 128];
/** Pixels of an image that is still decoded. */
const MOST_PIXELS = 50e6;
/** So many are decoded side by side. */
const AT_ONCE = 8;

type Size = readonly [number, number];

const sameSize = (a: Size, b: Size): boolean => a[0] === b[0] && a[1] === b[1];

/** Decodes an image, as it is turned in its own file; none where the browser cannot. */
async function bitmapOf({ bytes }: Entry): Promise<ImageBitmap | undefined> {
  try {
    return await createImageBitmap(new Blob([bytes]));
  } catch {
    return undefined;
  }
}

/** Draws images in one size, cut to its proportions around their middle, on white. */
class Easel {
  readonly #context: OffscreenCanvasRenderingContext2D;
  readonly #size: Size;

  constructor(size: Size) {
    this.#size = size;
    this.#context = new OffscreenCanvas(...size).getContext("2d", { willReadFrequently: true })!;
    this.#context.imageSmoothingQuality = "high";
  }

  /** Its pixels, four bytes each. */
  draw(image: ImageBitmap): Uint8ClampedArray {
    const [width, height] = this.#size;
    const scale = Math.min(image.width / width, image.height / height);
    const [w, h] = [width * scale, height * scale];
    this.#context.fillStyle = "#fff";
    this.#context.fillRect(0, 0, width, height);
    this.#context.drawImage(image, (image.width - w) / 2, (image.height - h) / 2, w, h, 0, 0, width, height);
    return this.#context.getImageData(0, 0, width, height).data;
  }
}

const isGrey = (pixels: Uint8ClampedArray): boolean => {
  for (let k = 0; k < pixels.length; k += 4) if (Math.max(Math.abs(pixels[k]! - pixels[k + 1]!), Math.abs(pixels[k + 1]! - pixels[k + 2]!)) > 12) return false;
  return true;
};

/** Writes RGBA pixels as RGB, or as the luma of BT.601. */
function write(from: Uint8ClampedArray, to: Uint8Array, grey: boolean): void {
  for (let k = 0, at = 0; k < from.length; k += 4) {
    if (grey) to[at++] = Math.round(0.299 * from[k]! + 0.587 * from[k + 1]! + 0.114 * from[k + 2]!);
    else for (let c = 0; c < 3; c++) to[at++] = from[k + c]!;
  }
}

interface Drawn {
  pixels: Uint8Array<ArrayBuffer>;
  members: readonly Member[];
  report: Report;
  key: string;
}

/** Pictures `[N, H, W, C]` with their classes as a set, and what is to be seen of them. */
export function picturesTold(
  pixels: Uint8Array<ArrayBuffer>, labels: readonly number[], classes: readonly string[], shape: readonly number[], given: readonly boolean[] | undefined,
  wishes: Wishes, report: Report, chosen: Pick<PicturesPreview, "fixed" | "side" | "grey" | "common" | "problem">,
): Told<PicturesPreview> {
  const cells = shape.reduce((a, b) => a * b, 1);
  const parted = part(labels, classes, wishes, given, report);
  const picture = (k: number): Uint8Array<ArrayBuffer> => pixels.subarray(k * cells, (k + 1) * cells);
  const thumbnails: Uint8Array[][] = classes.slice(0, SHOWN_CLASSES).map(() => []);
  labels.forEach((label, k) => (thumbnails[label]?.length ?? SHOWN) < SHOWN && thumbnails[label]!.push(picture(k).slice()));
  const make = (): OwnData => {
    const x = new Uint8Array(pixels.length);
    parted.order.forEach((row, k) => x.set(picture(row), k * cells));
    const y = Float32Array.from(parted.order, (row) => labels[row]!);
    return { x, y, shape: [labels.length, ...shape], scale: 1 / 255, classes, testExamples: parted.test };
  };
  const preview: PicturesPreview = {
    kind: "pictures", ...chosen, thumbnails, shape, classes: parted.counts, train: labels.length - parted.test, test: parted.test, testGiven: given !== undefined,
    notes: report.notes, skipped: report.skipped,
  };
  return { preview, make };
}

/** Images in folders of classes. */
export class Pictures implements Source {
  readonly #labelled: Labelled;
  readonly #report: Report;
  #found: { common: Size; grey: boolean } | undefined;
  #drawn: Drawn | undefined;

  constructor(entries: readonly Entry[], report: Report) {
    this.#report = report;
    const labelled = byFolder(entries, report);
    const members = labelled.members.filter(({ entry }) => {
      const [width, height] = sizeOf(entry.bytes) ?? [1, 1];
      if (width * height > MOST_PIXELS) report.skip("hugeImage", entry.path);
      return width * height <= MOST_PIXELS;
    });
    this.#labelled = { ...labelled, members };
  }

  /** The most common size, as far as headers tell or a sample does, and whether the sample is grey. */
  async #look(): Promise<{ common: Size; grey: boolean }> {
    const { members } = this.#labelled;
    const sizes = members.flatMap(({ entry }) => {
      const size = sizeOf(entry.bytes);
      return size ? [size] : [];
    });
    const known = sizes.length > 0;
    const every = Math.max(1, Math.floor(members.length / SAMPLE));
    const easel = new Easel([24, 24]);
    let grey = true;
    for (let k = 0; k < members.length; k += every) {
      const image = await bitmapOf(members[k]!.entry);
      if (!image) continue;
      if (!known) sizes.push([image.width, image.height]);
      grey &&= isGrey(easel.draw(image));
      image.close();
    }
    return { common: alike(sizes)[0]?.[0] ?? [28, 28], grey };
  }

  async #draw(members: readonly Member[], size: Size, grey: boolean, progress: Progress): Promise<Omit<Drawn, "key">> {
    const cells = size[0] * size[1] * (grey ? 1 : 3);
    const pixels = new Uint8Array(members.length * cells);
    const report = this.#report.fork();
    const easel = new Easel(size);
    const good: Member[] = [];
    let [resized, cropped] = [0, 0];
    for (let k = 0; k < members.length; k += AT_ONCE) {
      const some = members.slice(k, k + AT_ONCE);
      const images = await Promise.all(some.map(({ entry }) => bitmapOf(entry)));
      for (const [i, image] of images.entries()) {
        const member = some[i]!;
        if (!image) {
          report.skip("brokenImage", member.entry.path);
          continue;
        }
        if (!sameSize([image.width, image.height], size)) resized++;
        if (image.width * size[1] !== image.height * size[0]) cropped++;
        write(easel.draw(image), pixels.subarray(good.length * cells, (good.length + 1) * cells), grey);
        image.close();
        good.push(member);
      }
      progress(Math.min(k + AT_ONCE, members.length), members.length);
    }
    if (resized) report.note("resized", { n: resized, size: `${size[0]}×${size[1]}` });
    if (cropped) report.note("cropped", { n: cropped });
    return { pixels: pixels.subarray(0, good.length * cells), members: good, report };
  }

  async tell(wishes: Wishes, progress: Progress): Promise<Told<PicturesPreview>> {
    const { classes, testGiven, members } = this.#labelled;
    this.#found ??= await this.#look();
    const { common } = this.#found;
    const usable = common.every((extent) => extent >= LEAST && extent <= MOST);
    const side = wishes.side ?? (usable ? 0 : Math.max(...common) > MOST ? 64 : 28);
    const size: Size = side ? [side, side] : common;
    const grey = wishes.grey ?? this.#found.grey;
    const shape = [size[1], size[0], grey ? 1 : 3];
    const cells = shape.reduce((a, b) => a * b);
    const wrong = checkClasses(classes) ?? checkSize(members.length, cells);
    const key = JSON.stringify([size, grey]);
    if (this.#drawn?.key !== key) {
      // What does not fit is only shown.
      const seen = new Map<number, number>();
      const few = members.filter(({ label }) => {
        seen.set(label, (seen.get(label) ?? 0) + 1);
        return label < SHOWN_CLASSES && seen.get(label)! <= SHOWN;
      });
      this.#drawn = { ...await this.#draw(wrong ? few : members, size, grey, progress), key };
    }
    const { pixels, members: drawn, report: reported } = this.#drawn;
    const report = reported.fork();
    // A class all of whose images are broken is none.
    const { names, numbers } = numbered(drawn.map(({ label }) => classes[label]!));
    const problem = wrong ?? (names.length ? checkClasses(names) : ({ code: "noExamples", args: { n: members.length } } as const));
    const given = testGiven ? drawn.map(({ test }) => test) : undefined;
    return picturesTold(pixels, numbers, names, shape, given, wishes, report, { fixed: false, side, grey, common, problem });
  }
}
