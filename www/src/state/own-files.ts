import type { Dropped } from "../reading/types.js";
import type { Found } from "./dropped.js";

const fileOf = (entry: FileSystemFileEntry): Promise<File> => new Promise((resolve, reject) => entry.file(resolve, reject));

/** What lies in a folder; a browser lists a hundred entries at a time. */
async function listOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const entries: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return entries;
    entries.push(...some);
  }
}

async function below(entry: FileSystemEntry, path: string): Promise<Dropped[]> {
  if (entry.isFile) return [{ path, file: await fileOf(entry as FileSystemFileEntry) }];
  const dropped: Dropped[] = [];
  for (const member of await listOf(entry as FileSystemDirectoryEntry)) dropped.push(...(await below(member, `${path}/${member.name}`)));
  return dropped;
}

/** Files that were dropped, those in folders with their paths. */
export async function filesOf(found: readonly Found[]): Promise<Dropped[]> {
  const dropped: Dropped[] = [];
  for (const { file, entry } of found) {
    if (entry?.isDirectory) dropped.push(...(await below(entry, entry.name)));
    else if (file) dropped.push({ path: file.name, file });
  }
  return dropped;
}

/** Files that were chosen, those of a folder with their paths. */
export const chosenFiles = (files: FileList | null): Dropped[] => [...(files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
