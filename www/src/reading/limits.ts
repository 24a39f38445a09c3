import { ReadingError } from "./report.js";

const MEGABYTE = 1_000_000;

/** Bytes of a set's cells in the engine, of which there may be several copies while it is opened. */
export const MOST_CELLS = 512 * MEGABYTE;
/** Bytes of a file of text. */
export const MOST_TEXT = 256 * MEGABYTE;
/** Bytes of an archive, and of all that is in it. */
export const MOST_PACKED = 1024 * MEGABYTE;
export const MOST_UNPACKED = 1024 * MEGABYTE;
/** An archive that makes so many times its size is a trap; files compress thirtyfold at best. */
const RATIO = 200;
/** Less than this does no harm, whatever the ratio. */
const HARMLESS = 32 * MEGABYTE;

export const MOST_CLASSES = 1000;

export const megabytes = (bytes: number): string => String(Math.max(1, Math.round(bytes / MEGABYTE)));

/** Stops where the bytes that really came out of an archive are too many; what its headers say counts for nothing. */
export function checkUnpacked(unpacked: number, packed: number): void {
  if (unpacked > MOST_UNPACKED || (unpacked > HARMLESS && unpacked > RATIO * packed)) {
    throw new ReadingError("bomb", { unpacked: megabytes(unpacked), packed: megabytes(packed), most: megabytes(MOST_UNPACKED), ratio: RATIO });
  }
}

export function checkFile(path: string, size: number, most: number): void {
  if (size === 0) throw new ReadingError("empty", { file: path });
  if (size > most) throw new ReadingError("fileTooLarge", { file: path, size: megabytes(size), most: megabytes(most) });
}
