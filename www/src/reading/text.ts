import { decode, type Decoded } from "./encoding.js";
import type { Source, Told } from "./labelled.js";
import { MOST_TEXT, megabytes } from "./limits.js";
import { ReadingError, type Report } from "./report.js";
import { looksLikeTable, parse, tell, type Rows } from "./table.js";
import type { Encoding, TextPreview, Wishes } from "./types.js";

/** Letters that are shown. */
const SHOWN = 1200;
/** Windows that a text may be cut into, and the share of it that the engine takes to train on. */
const CONTEXTS = [64, 32, 16, 8];
const TRAINING = 0.95;
/** A corpus has at least so many windows to train on. */
const WINDOWS = 2;

/** The widest window that a text is long enough for. */
const contextFor = (characters: number): number | undefined => CONTEXTS.find((context) => Math.floor(characters * TRAINING) > WINDOWS * context);

function tellText(text: string, encoding: Encoding | undefined, report: Report): Told<TextPreview> {
  const plain = text.replace(/\r\n?/g, "\n");
  if (plain !== text) report.note("lineEnds");
  const counts = new Set<string>();
  let characters = 0;
  for (const character of plain) {
    counts.add(character);
    characters++;
  }
  const context = contextFor(characters);
  if (context && context < CONTEXTS[0]!) report.note("context", { context, wanted: CONTEXTS[0]! });
  const least = Math.ceil((WINDOWS * CONTEXTS.at(-1)! + 1) / TRAINING);
  const preview: TextPreview = {
    kind: "text", beginning: plain.slice(0, SHOWN), characters, vocabulary: counts.size, context: context ?? CONTEXTS.at(-1)!, encoding,
    notes: report.notes, skipped: report.skipped, problem: context ? undefined : { code: "textTooShort", args: { got: characters, least } },
  };
  return { preview, make: () => ({ text: plain }) };
}

/** A file of text, or what was pasted: a table or a corpus. */
export class Writing implements Source {
  readonly #name: string;
  readonly #from: Uint8Array | string;
  readonly #report: Report;
  #decoded: (Decoded & { wanted: Encoding | undefined }) | undefined;
  #rows: Rows | undefined;

  constructor(name: string, from: Uint8Array | string, report: Report) {
    if (from.length > MOST_TEXT) throw new ReadingError("fileTooLarge", { file: name, size: megabytes(from.length), most: megabytes(MOST_TEXT) });
    this.#name = name;
    this.#from = from;
    this.#report = report;
  }

  #decode(wanted: Encoding | undefined): { text: string; encoding: Encoding | undefined; replaced: number } {
    if (typeof this.#from === "string") return { text: this.#from, encoding: undefined, replaced: 0 };
    if (!this.#decoded || this.#decoded.wanted !== wanted) {
      const decoded = decode(this.#from, wanted);
      if (!decoded) throw new ReadingError("unknown", { file: this.#name });
      this.#decoded = { ...decoded, wanted };
      this.#rows = undefined;
    }
    return this.#decoded;
  }

  tell(wishes: Wishes): Told {
    const { text, encoding, replaced } = this.#decode(wishes.encoding);
    if (!text.trim()) throw new ReadingError("empty", { file: this.#name });
    const report = this.#report.fork();
    if (encoding && encoding !== "utf-8") report.note("encoding", { encoding });
    if (replaced) report.note("replaced", { n: replaced });
    const table = (wishes.as ?? (looksLikeTable(text, this.#name) ? "table" : "text")) === "table";
    if (table) this.#rows ??= parse(text, this.#name);
    return table ? tell(this.#rows!, encoding, wishes, report) : tellText(text, encoding, report);
  }
}
