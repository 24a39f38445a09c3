// What the page and the worker that reads a visitor's files say to each other. Both sides are of one build, so that these are plain types.

import type { OwnData } from "gradscope";

/** A file with its path within what was dropped. */
export interface Dropped {
  path: string;
  file: Blob;
}

export const ENCODINGS = ["utf-8", "utf-16le", "utf-16be", "gb18030", "big5", "shift_jis", "windows-1252"] as const;
export type Encoding = (typeof ENCODINGS)[number];

/** Why nothing can be made of what came. */
export type FailureCode =
  | "empty" | "unknown" | "oneImage" | "noLabels" | "unreadable" | "brokenArchive" | "bomb" | "fileTooLarge" | "noExamples" | "noFolders" | "oneClass" | "manyClasses"
  | "fewRows" | "noInputs" | "textTooShort" | "tooLarge" | "stopped";

export interface Failure {
  code: FailureCode;
  args: Readonly<Record<string, string | number>>;
}

/** Something that came and is in no example. */
export type SkipReason =
  | "system" | "notImage" | "brokenImage" | "hugeImage" | "noLabels" | "noFolder" | "onlyInTest" | "fields" | "notNumber" | "missing" | "quotes" | "emptyText" | "notText"
  | "packed" | "otherFile";

/** Everything that was skipped for one reason, with the first few places. */
export interface Skipped {
  reason: SkipReason;
  count: number;
  places: readonly string[];
}

/** What was done to the data, or taken for granted, that a visitor should know. */
export type NoteCode =
  | "encoding" | "replaced" | "lineEnds" | "resized" | "cropped" | "oneExample" | "noneInTest" | "noneInTrain" | "standardised" | "standardisedTarget" | "oneHot"
  | "leftOut" | "mixed" | "context" | "givenTest" | "joined" | "lines" | "twice";

export interface Note {
  code: NoteCode;
  args: Readonly<Record<string, string | number>>;
}

/** What can be chosen; what is left out is as the data suggest. */
export interface Wishes {
  /** What a single file of text is. */
  as?: "table" | "text" | undefined;
  encoding?: Encoding | undefined;
  /** Share of the examples that is for testing. */
  test: number;
  seed: number;
  /** Whether the first row of a table names its columns. */
  header?: boolean | undefined;
  /** Numbers of columns. */
  target?: number | undefined;
  inputs?: readonly number[] | undefined;
  /** Whether the target is a class or a number. */
  classes?: boolean | undefined;
  /** Side of the images; 0 is the most common size. */
  side?: number | undefined;
  grey?: boolean | undefined;
}

export interface ClassCount {
  name: string;
  train: number;
  test: number;
}

export type ColumnKind = "number" | "category" | "text";

export interface ColumnFacts {
  name: string;
  kind: ColumnKind;
  distinct: number;
  missing: number;
}

/** What was chosen of a table. */
export interface TableChoice {
  header: boolean;
  target: number;
  inputs: readonly number[];
  classes: boolean;
}

/** What every set says. */
interface Common {
  notes: readonly Note[];
  skipped: readonly Skipped[];
  /** Why it cannot be used as it is chosen; it may with other choices. */
  problem?: Failure | undefined;
}

interface Examples extends Common {
  /** Of one example. */
  shape: readonly number[];
  train: number;
  test: number;
  /** None where the target is a number. */
  classes: readonly ClassCount[];
  /** Whether the test part came with the data, so that no share can be chosen. */
  testGiven: boolean;
}

export interface TextPreview extends Common {
  kind: "text";
  beginning: string;
  characters: number;
  vocabulary: number;
  /** Characters of a window. */
  context: number;
  encoding: Encoding | undefined;
}

export interface TablePreview extends Examples {
  kind: "table";
  columns: readonly ColumnFacts[];
  /** The first rows. */
  rows: readonly (readonly string[])[];
  choice: TableChoice;
  encoding: Encoding | undefined;
  /** What each input is, and where it is standardised the mean and the deviation. */
  inputs: readonly { name: string; mean?: number; deviation?: number }[];
  target: { name: string; mean?: number; deviation?: number };
}

export interface DocumentsPreview extends Examples {
  kind: "documents";
  /** Where the documents are rows of a table. */
  table: Pick<TablePreview, "columns" | "choice" | "encoding"> | undefined;
  samples: readonly { label: string; text: string }[];
  /** Words that nineteen of twenty documents do not exceed. */
  length: number;
  /** Different words, of the training part. */
  vocabulary: number;
}

export interface PicturesPreview extends Examples {
  kind: "pictures";
  /** Whether they come as numbers, of one size, which nothing is chosen about. */
  fixed: boolean;
  side: number;
  grey: boolean;
  /** The most common size. */
  common: readonly [number, number];
  /** Some pictures of each class, pixel by pixel as bytes. */
  thumbnails: readonly (readonly Uint8Array[])[];
}

export type Preview = TextPreview | TablePreview | DocumentsPreview | PicturesPreview;

/** What the worker is asked. */
export type Ask =
  | { type: "read"; files: readonly Dropped[]; wishes: Wishes }
  | { type: "paste"; text: string; wishes: Wishes }
  | { type: "choose"; wishes: Wishes }
  | { type: "take" };

/** What it answers, and, without being asked, how far it is. */
export type Answer =
  | { type: "progress"; done: number; total: number }
  | { type: "preview"; preview: Preview }
  | { type: "failed"; failure: Failure }
  | { type: "data"; data: OwnData };
