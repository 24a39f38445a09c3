import type { Encoding } from "./types.js";

/** Bytes of a text that are looked at to tell its encoding. */
const SAMPLE = 1 << 16;
/** Less sense than this makes no text. */
const SENSE = 0.7;
/** Beside valid UTF-8, in the order in which they are preferred. */
const CANDIDATES: readonly Encoding[] = ["utf-8", "gb18030", "utf-16le", "utf-16be", "windows-1252"];

const MARKS: readonly [Encoding, readonly number[]][] = [
  ["utf-8", [0xef, 0xbb, 0xbf]],
  ["utf-16le", [0xff, 0xfe]],
  ["utf-16be", [0xfe, 0xff]],
];

export interface Decoded {
  text: string;
  encoding: Encoding;
  /** Characters that could not be read, each of which stands as U+FFFD. */
  replaced: number;
}

const isLetter = (c: number): boolean => (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a);
const isIdeograph = (c: number): boolean => c >= 0x4e00 && c <= 0x9fff;

/** How much sense a character makes between its neighbours, from 0 to 1. */
function sense(before: number, c: number, after: number): number {
  if ((c >= 0x20 && c < 0x7f) || c === 0x09 || c === 0x0a || c === 0x0d) return 1;
  // Ideographs come in company; between Latin letters they are two bytes of another encoding, and alone they may be.
  if (isIdeograph(c)) return isLetter(before) && isLetter(after) ? 0.2 : before < 0x80 && after < 0x80 ? 0.5 : 1;
  if ((c >= 0x3000 && c <= 0x30ff) || (c >= 0xff00 && c < 0xfff0) || (c >= 0x2010 && c <= 0x2026)) return 1;
  // Accented letters stand beside plain ones.
  if (c >= 0xc0 && c <= 0x24f) return isLetter(before) || isLetter(after) ? 1 : 0.3;
  if (c < 0x20 || c === 0x7f || c === 0xfffd || (c >= 0xd800 && c <= 0xf8ff)) return c === 0xfffd ? -5 : 0;
  if (c >= 0x370 && c < 0x700) return 1;
  return c >= 0xac00 ? 0.5 : 0.8;
}

function meaning(text: string): number {
  let sum = 0;
  for (let k = 0; k < text.length; k++) sum += sense(text.charCodeAt(k - 1), text.charCodeAt(k), text.charCodeAt(k + 1));
  return text.length ? sum / text.length : 0;
}

const lenient = (bytes: Uint8Array, encoding: Encoding): string => new TextDecoder(encoding).decode(bytes);

function strict(bytes: Uint8Array, encoding: Encoding): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** The encoding in which these bytes make most sense; none where they are no text. */
function guess(bytes: Uint8Array): Encoding | undefined {
  const sample = bytes.subarray(0, SAMPLE);
  // No other encoding of text has bytes of 0.
  const wide = sample.includes(0);
  // A byte that was damaged does not make another encoding of it.
  const damaged = wide ? [] : (lenient(sample, "utf-8").match(/[^\0-\x7f]/g) ?? []);
  if (damaged.length && damaged.filter((c) => c === "\ufffd").length * 10 <= damaged.length) return "utf-8";
  let best: { encoding: Encoding; score: number } | undefined;
  for (const encoding of CANDIDATES) {
    if (wide && !encoding.startsWith("utf-16")) continue;
    const score = meaning(lenient(sample, encoding));
    if (!best || score > best.score + 1e-9) best = { encoding, score };
  }
  return best && best.score >= SENSE ? best.encoding : undefined;
}

/** Reads bytes as text: as its mark says, or UTF-8 where they are that, or else whatever makes most sense. None where they are no text. */
export function decode(bytes: Uint8Array, wanted?: Encoding): Decoded | undefined {
  const marked = MARKS.find(([, mark]) => mark.every((byte, k) => bytes[k] === byte))?.[0];
  const plain = wanted || marked || bytes.subarray(0, SAMPLE).includes(0) ? undefined : strict(bytes, "utf-8");
  if (plain !== undefined) return meaning(plain.slice(0, SAMPLE)) >= SENSE || plain === "" ? { text: plain, encoding: "utf-8", replaced: 0 } : undefined;
  const encoding = wanted ?? marked ?? guess(bytes);
  if (!encoding) return undefined;
  const text = lenient(bytes, encoding);
  return { text, encoding, replaced: text.split("\ufffd").length - 1 };
}

/**
 * The name of a file in an archive. Without the flag for UTF-8 an archive's names are read byte by byte; what those bytes are is told as of any text,
 * since archives made on Chinese Windows have them in GB18030, and those of macOS in UTF-8.
 */
export function nameOf(name: string): string {
  const bytes = Uint8Array.from(name, (c) => c.charCodeAt(0));
  const narrow = [...name].every((c) => c.charCodeAt(0) < 256) && bytes.some((byte) => byte > 127);
  const readings = narrow ? [strict(bytes, "utf-8"), strict(bytes, "gb18030")].filter((reading) => reading !== undefined) : [];
  return readings.reduce((best, reading) => (meaning(reading) > meaning(best) ? reading : best), readings[0] ?? name);
}
