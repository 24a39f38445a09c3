import type { OwnData } from "gradscope";
import type { Entry, Progress } from "./archives.js";
import { MOST_CELLS, MOST_CLASSES, megabytes } from "./limits.js";
import { ReadingError, type Report } from "./report.js";
import { split, type Split } from "./split.js";
import type { ClassCount, Failure, Preview, Wishes } from "./types.js";

/** What was read of a visitor's files: it can be looked at with one choice and another, and then taken. */
export interface Source {
  tell(wishes: Wishes, progress: Progress): Promise<Told> | Told;
}

/** What is to be seen of some data as they were chosen; they are made when they are taken, for which there is no second time. */
export interface Told<P extends Preview = Preview> {
  preview: P;
  make: () => OwnData;
}

/** A file in the folder of its class. */
export interface Member {
  entry: Entry;
  label: number;
  test: boolean;
}

export interface Labelled {
  members: readonly Member[];
  classes: readonly string[];
  /** Whether some of them lie in a folder for testing. */
  testGiven: boolean;
}

const TESTS = /(^|[-_. ])(test|testing|val|valid|validation|eval)$/i;

/** Names in the order in which people count. */
export const sorted = (names: Iterable<string>): string[] => [...names].sort(new Intl.Collator("en", { numeric: true }).compare);

/** Values that are written alike, the most frequent first. */
export function alike<T>(values: readonly T[]): T[][] {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const group = groups.get(String(value));
    if (group) group.push(value);
    else groups.set(String(value), [value]);
  }
  return [...groups.values()].sort((a, b) => b.length - a.length);
}

/** Labels as numbers of those that occur, in their order; `known` has what a label that is a number is called. */
export function numbered(labels: readonly string[], known: readonly string[] = []): { names: string[]; numbers: number[] } {
  const names = sorted(new Set(labels));
  const places = new Map(names.map((name, k) => [name, k]));
  return { names: names.map((name) => known[Number(name)] ?? name), numbers: labels.map((label) => places.get(label)!) };
}

export function checkClasses(classes: readonly string[]): Failure | undefined {
  if (classes.length < 2) return { code: "oneClass", args: { name: classes[0] ?? "" } };
  if (classes.length > MOST_CLASSES) return { code: "manyClasses", args: { n: classes.length, most: MOST_CLASSES } };
  return undefined;
}

/** Whether so many bytes an example are too many, and how many examples would do. */
export function checkSize(examples: number, bytes: number): Failure | undefined {
  if (examples * bytes <= MOST_CELLS) return undefined;
  return { code: "tooLarge", args: { n: examples, bytes: megabytes(examples * bytes), most: megabytes(MOST_CELLS), fits: Math.floor(MOST_CELLS / bytes) } };
}

const foldersOf = ({ path }: Entry): string[] => path.split("/").slice(0, -1).filter((folder) => folder && folder !== "." && folder !== "..");

/** The class that a folder is; SpamAssassin's are ham or spam, several of each. */
const className = (folder: string): string => /^(?:(?:easy|hard)[-_])?(ham|spam)(?:[-_]\d+)?$/i.exec(folder)?.[1] ?? folder;

/** Files by the folder that each lies in; above it there may be folders for training and for testing. A folder of folders is no class. */
export function byFolder(entries: readonly Entry[], report: Report): Labelled {
  const parents = new Set(["", ...entries.flatMap((entry) => foldersOf(entry).map((_, k, folders) => folders.slice(0, k).join("/")))]);
  const placed = entries.flatMap((entry) => {
    const folders = foldersOf(entry);
    if (parents.has(folders.join("/"))) {
      report.skip("noFolder", entry.path);
      return [];
    }
    const name = className(folders.pop()!);
    return [{ entry, name, test: folders.some((folder) => TESTS.test(folder)) }];
  });
  const trained = new Set(placed.filter(({ test }) => !test).map(({ name }) => name));
  const testGiven = trained.size > 0 && placed.some(({ test }) => test);
  const classes = sorted(trained.size ? trained : new Set(placed.map(({ name }) => name)));
  const numbers = new Map(classes.map((name, k) => [name, k]));
  const members = placed.flatMap(({ entry, name, test }) => {
    const label = numbers.get(name);
    if (label === undefined) report.skip("onlyInTest", entry.path);
    return label === undefined ? [] : [{ entry, label, test: testGiven && test }];
  });
  if (!members.length) throw new ReadingError("noFolders", { n: entries.length });
  return { members, classes, testGiven };
}

/** Parts labelled examples, and says what is odd about it. */
export function part(labels: readonly number[], names: readonly string[], wishes: Wishes, given: readonly boolean[] | undefined, report: Report): Split & { counts: ClassCount[] } {
  const parted = split(labels, wishes.test, wishes.seed, given);
  const counts = names.map((name) => ({ name, train: 0, test: 0 }));
  const train = labels.length - parted.test;
  parted.order.forEach((row, k) => counts[labels[row]!]![k < train ? "train" : "test"]++);
  const named = (odd: readonly ClassCount[]): { n: number; names: string } => ({ n: odd.length, names: odd.slice(0, 5).map(({ name }) => name).join(", ") });
  const untrained = counts.filter(({ train }) => !train);
  if (untrained.length) report.note("noneInTrain", named(untrained));
  const single = counts.filter(({ train, test }) => train === 1 && test === 0);
  if (single.length) report.note("oneExample", named(single));
  const untested = counts.filter(({ train, test }) => train > 1 && test === 0);
  if (parted.test > 0 && untested.length) report.note("noneInTest", named(untested));
  if (given) report.note("givenTest", { n: parted.test });
  return { ...parted, counts };
}
