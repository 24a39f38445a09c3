import type { OwnData } from "gradscope";
import type { Entry } from "./archives.js";
import { decode, type Decoded } from "./encoding.js";
import { alike, byFolder, checkClasses, checkSize, numbered, part, type Source, type Told } from "./labelled.js";
import type { Report } from "./report.js";
import type { DocumentsPreview, Encoding, Failure, Wishes } from "./types.js";

/** Most words of a row. */
const LONGEST = 200;
/** Beginnings that are shown. */
const SHOWN = 6;
const LETTERS = 160;
/** Documents that are counted to tell the length of a row. */
const COUNTED = 20_000;
/** Words that are told apart. */
const WORDS = 50_000;

/** Words as the engine has them: runs of letters and digits, and each ideograph and kana by itself. */
const WORD = /[\u3040-\u30ff\u3400-\u9fff]|(?:(?![\u3040-\u30ff\u3400-\u9fff])[\p{L}\p{N}])+/gu;

const labelledProblem = (texts: readonly string[], classes: readonly string[], length: number): Failure | undefined =>
  texts.length ? checkClasses(classes) ?? checkSize(texts.length, 4 * length) : { code: "noExamples", args: { n: 0 } };

/** Labelled texts as a set, and what is to be seen of them. */
export function documentsPreview(
  texts: readonly string[], labels: readonly number[], classes: readonly string[], given: readonly boolean[] | undefined,
  table: DocumentsPreview["table"], wishes: Wishes, report: Report,
): Told<DocumentsPreview> {
  const parted = part(labels, classes, wishes, given, report);
  const train = texts.length - parted.test;
  const vocabulary = new Set<string>();
  const lengths = parted.order.slice(0, Math.min(train, COUNTED)).map((row) => {
    const words = texts[row]!.toLowerCase().match(WORD) ?? [];
    for (const word of words) if (vocabulary.size < WORDS) vocabulary.add(word);
    return words.length;
  }).sort((a, b) => a - b);
  const length = Math.min(LONGEST, Math.max(20, lengths[Math.floor(lengths.length * 0.95)] ?? 20));
  if (texts.some((text) => /[\r\n]/.test(text))) report.note("lines");
  const preview: DocumentsPreview = {
    kind: "documents", table, length, vocabulary: vocabulary.size,
    samples: parted.order.slice(0, SHOWN).map((row) => ({ label: classes[labels[row]!]!, text: texts[row]!.slice(0, LETTERS) })),
    shape: [length], classes: parted.counts, train, test: parted.test, testGiven: given !== undefined,
    notes: report.notes, skipped: report.skipped, problem: labelledProblem(texts, classes, length),
  };
  const make = (): OwnData => ({
    texts: parted.order.map((row) => texts[row]!), labels: parted.order.map((row) => labels[row]!), classes, testExamples: parted.test,
  });
  return { preview, make };
}

/** So few bytes beyond ASCII say little about an encoding. */
const FEW = 16;

/** What says little, and is no UTF-8, is read as most of the texts beside it are, if it can be. */
function agreed(bytes: Uint8Array, alone: Decoded, common: Encoding): Decoded {
  if (alone.encoding.startsWith("utf") || alone.encoding === common || bytes.filter((byte) => byte > 127).length > FEW) return alone;
  const together = decode(bytes, common);
  return together?.replaced === 0 ? together : alone;
}

/** Texts in folders of classes. */
export class Documents implements Source {
  readonly #texts: string[] = [];
  readonly #labels: readonly number[];
  readonly #tests: boolean[] = [];
  readonly #classes: readonly string[];
  readonly #given: boolean;
  readonly #report: Report;

  constructor(entries: readonly Entry[], report: Report) {
    const { members, classes, testGiven } = byFolder(entries, report);
    this.#report = report;
    this.#given = testGiven;
    const encodings: Encoding[] = [];
    const labels: string[] = [];
    const all = members.map((member) => ({ ...member, decoded: decode(member.entry.bytes) }));
    // What most of the texts are in that are neither UTF-8 nor wide.
    const common = alike(all.flatMap(({ decoded }) => decoded?.encoding ?? []).filter((encoding) => !encoding.startsWith("utf")))[0]?.[0];
    for (const { entry, label, test, decoded: alone } of all) {
      const decoded = alone && common ? agreed(entry.bytes, alone, common) : alone;
      const text = decoded?.text.trim();
      if (!decoded) report.skip("notText", entry.path);
      else if (!text) report.skip("emptyText", entry.path);
      if (!decoded || !text) continue;
      encodings.push(decoded.encoding);
      this.#texts.push(text);
      labels.push(classes[label]!);
      this.#tests.push(test);
    }
    if (encodings.some((encoding) => encoding !== "utf-8")) {
      report.note("encoding", { encoding: alike(encodings).map((of) => `${of[0]} (${of.length})`).join(", ") });
    }
    // Classes of which nothing is left are none.
    const { names, numbers } = numbered(labels);
    [this.#classes, this.#labels] = [names, numbers];
  }

  tell(wishes: Wishes): Told<DocumentsPreview> {
    return documentsPreview(this.#texts, this.#labels, this.#classes, this.#given ? this.#tests : undefined, undefined, wishes, this.#report.fork());
  }
}
