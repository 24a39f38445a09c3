import { signal } from "@preact/signals-core";
import type { CreateOptions, OfficialFiles, OwnData } from "gradscope";
import type { Setup } from "./store.js";

/** What the visitor gave by a set's name: its publisher's files where it is not installed, or data of the visitor's own. */
const given = new Map<string, NonNullable<CreateOptions["data"]>>();
/** The setups that data of the visitor's own were opened with. */
const setups = new Map<string, Setup>();

export const givenData = (name: string): CreateOptions["data"] => given.get(name);
export const ownSetup = (name: string): Setup | undefined => setups.get(name);

/** Takes the official archive of a set; the engine reads it, and says what is wrong with it. */
export async function takeDropped(name: string, files: readonly File[]): Promise<void> {
  const read = files.map(async (file) => ({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) }));
  given.set(name, { name, files: await Promise.all(read) } satisfies OfficialFiles);
}

/** Keeps data of the visitor's own while the page is open; gives the name that they go by. */
export const nextOwn = (): string => `own-${setups.size + 1}`;

export function keepOwn(name: string, data: OwnData, setup: Setup): void {
  given.set(name, data);
  setups.set(name, setup);
}

/** Forgets data that could not be opened. */
export function dropOwn(name: string): void {
  given.delete(name);
  setups.delete(name);
}

/** What was dropped and not read yet: a file, or a folder. */
export type Found = { file: File | null; entry: FileSystemEntry | null };

/** Whether the dialog for one's own data is open, and what it is to read. */
export const ownOpen = signal<readonly Found[] | undefined>(undefined);

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;

/** Files that are dropped anywhere on the page are the visitor's own data, unless the place takes them for something else. */
export function watchDrops(): void {
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (event.defaultPrevented || !hasFiles(event)) return;
    event.preventDefault();
    // They can be got at only now.
    const items = [...event.dataTransfer!.items].filter(({ kind }) => kind === "file");
    ownOpen.value = items.map((item) => ({ file: item.getAsFile(), entry: item.webkitGetAsEntry() }));
  });
}
