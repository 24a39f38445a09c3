import type { OfficialFiles } from "gradscope";

const dropped = new Map<string, OfficialFiles>();

/** The files that were dropped for a set that is not installed. */
export const droppedData = (name: string): OfficialFiles | undefined => dropped.get(name);

/** Takes the official archive of a set; the engine reads it, and says what is wrong with it. */
export async function takeDropped(name: string, files: readonly File[]): Promise<void> {
  const read = files.map(async (file) => ({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) }));
  dropped.set(name, { name, files: await Promise.all(read) });
}
