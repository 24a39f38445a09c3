const startsWith = (bytes: Uint8Array, text: string, at = 0): boolean => [...text].every((c, k) => bytes[at + k] === c.charCodeAt(0));

/** Whether a file begins as images do that browsers read. */
export const isImage = (bytes: Uint8Array): boolean =>
  startsWith(bytes, "\x89PNG") || startsWith(bytes, "\xff\xd8\xff") || startsWith(bytes, "GIF8") || startsWith(bytes, "BM")
  || (startsWith(bytes, "RIFF") && startsWith(bytes, "WEBP", 8)) || startsWith(bytes, "ftypavif", 4);

/** Markers of JPEG that are followed by the size: start of a frame, of whatever kind. */
const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;

function sizeOfJpeg(view: DataView): [number, number] | undefined {
  for (let at = 2; at + 9 < view.byteLength;) {
    if (view.getUint8(at) !== 0xff) return undefined;
    const marker = view.getUint8(at + 1);
    if (isFrame(marker)) return [view.getUint16(at + 7), view.getUint16(at + 5)];
    at += marker === 0xff ? 1 : 2 + view.getUint16(at + 2);
  }
  return undefined;
}

/** Width and height as the file's header has them, where it is of a kind whose header is simple: nothing is decoded. */
export function sizeOf(bytes: Uint8Array): [number, number] | undefined {
  if (bytes.length < 32) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (startsWith(bytes, "\x89PNG")) return [view.getUint32(16), view.getUint32(20)];
  if (startsWith(bytes, "GIF8")) return [view.getUint16(6, true), view.getUint16(8, true)];
  if (startsWith(bytes, "BM")) return [view.getUint32(18, true), Math.abs(view.getInt32(22, true))];
  if (startsWith(bytes, "\xff\xd8\xff")) return sizeOfJpeg(view);
  if (startsWith(bytes, "VP8X", 12)) return [1 + view.getUint16(24, true) + (bytes[26]! << 16), 1 + view.getUint16(27, true) + (bytes[29]! << 16)];
  return undefined;
}
