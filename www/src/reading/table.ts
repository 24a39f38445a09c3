import Papa from "papaparse";
import type { OwnData } from "gradscope";
import { columnsOf, hasHeader, isMissing, numberIn, suggestClasses, suggestInputs, suggestTarget, type Column } from "./columns.js";
import { documentsPreview } from "./documents.js";
import { alike, checkClasses, checkSize, numbered, part, sorted, type Told } from "./labelled.js";
import { ReadingError, type Report } from "./report.js";
import { split } from "./split.js";
import type { ColumnFacts, DocumentsPreview, Encoding, TableChoice, TablePreview, Wishes } from "./types.js";

/** Rows that are shown. */
const SHOWN = 6;
/** Values of a category that become a column each. */
const HOT = 20;
/** Lines that are looked at to tell whether a text is a table. */
const LINES = 20;

const isBlank = (row: readonly string[]): boolean => row.every((cell) => !cell.trim());

/** A table as it is written. */
export interface Rows {
  rows: readonly (readonly string[])[];
  delimiter: string;
  /** Rows whose quotes do not close. */
  misquoted: ReadonlySet<number>;
}

/** The first lines, by the delimiter that makes most of them alike. */
const beginning = (text: string): ReturnType<typeof Papa.parse> => Papa.parse(text.slice(0, 1 << 16), { preview: LINES, skipEmptyLines: "greedy" });

export function parse(text: string, name: string): Rows {
  // Empty lines are counted, so that a row's number is its line's.
  const { data, errors, meta } = Papa.parse(text, { delimiter: /\.(tsv|tab)$/i.test(name) ? "\t" : beginning(text).meta.delimiter });
  const misquoted = new Set(errors.flatMap(({ type, row }) => (type === "Quotes" && row !== undefined ? [row] : [])));
  return { rows: data, delimiter: meta.delimiter, misquoted };
}

/** Whether a text is a table: by its name, or since all of its first lines have as many fields, and more than one. */
export function looksLikeTable(text: string, name: string): boolean {
  if (/\.(csv|tsv|tab)$/i.test(name)) return true;
  const rows = beginning(text).data;
  const [first = []] = rows;
  const numbers = rows.some((row) => row.some((cell) => numberIn(cell, true) !== undefined));
  return first.length > 1 && rows.length >= (numbers ? 2 : 4) && rows.every((row) => row.length === first.length) && rows.every((row) => row.every((cell) => !/^\s/.test(cell) || numbers));
}

interface Moments {
  mean: number;
  deviation: number;
}

/** Mean and deviation of a column over some rows; a constant one is only moved to 0. */
function moments(values: ArrayLike<number>, rows: readonly number[]): Moments {
  let [sum, squares] = [0, 0];
  for (const row of rows) sum += values[row]!;
  const mean = sum / rows.length;
  for (const row of rows) squares += (values[row]! - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / rows.length) || 1 };
}

/** An input of the network: a column of numbers, or whether a category is the one. */
interface Input {
  column: Column;
  /** The category, where it is one. */
  is?: string;
}

function inputsOf(columns: readonly Column[], rows: readonly (readonly string[])[], report: Report): Input[] {
  return columns.flatMap((column): Input[] => {
    if (column.kind === "number") return [{ column }];
    if (column.kind === "text" || column.distinct > HOT) {
      report.note("leftOut", { name: column.name, n: column.distinct });
      return [];
    }
    const values = sorted(new Set(rows.flatMap((row) => (isMissing(row[column.index] ?? "") ? [] : [row[column.index]!.trim()]))));
    report.note("oneHot", { name: column.name, n: values.length });
    return values.map((is) => ({ column, is }));
  });
}

/** A row with the number of its line. */
interface Row {
  row: readonly string[];
  line: number;
}

/** A table with what was chosen of it. */
interface Taken {
  rows: readonly Row[];
  columns: readonly Column[];
  choice: TableChoice;
  /** Whether a comma is the decimal sign. */
  comma: boolean;
  encoding: Encoding | undefined;
  /** Names of the classes, which the target numbers. */
  names: readonly string[];
}

/** How many fields most rows have; of numbers as frequent the larger. */
const usualWidth = (rows: readonly Row[]): number => alike(rows.map(({ row }) => row.length).sort((a, b) => b - a))[0]?.[0] ?? 0;

/** The classes' names in the first line of scikit-learn's tables, after the number of rows and of columns; the last column numbers them from 0. */
function namesIn([head, ...rows]: readonly Row[]): readonly string[] {
  const [, columns, ...names] = head?.row ?? [];
  const width = usualWidth(rows);
  const counted = Number(columns) === width - 1 && isNaN(Number(names[0])) && rows.every(({ row }) => row.length !== width || row.at(-1)! in names);
  return counted ? names : [];
}

/** Names the columns, leaves out rows that do not fit, and fills in what was not chosen. */
function taken(table: Rows, encoding: Encoding | undefined, wishes: Wishes, report: Report): Taken {
  const comma = table.delimiter !== ",";
  const all = table.rows.map((row, k) => ({ row, line: k + 1 })).filter(({ row }) => !isBlank(row));
  const named = namesIn(all);
  const written = named.length ? all.slice(1) : all;
  const header = wishes.header ?? hasHeader(written.slice(0, 200).map(({ row }) => row), comma);
  const first = written[0]?.row ?? [];
  const width = header ? first.length : usualWidth(written);
  const rows = written.slice(header ? 1 : 0).filter(({ row, line }) => {
    const misquoted = table.misquoted.has(line - 1);
    if (misquoted) report.skip("quotes", String(line));
    else if (row.length !== width) report.skip("fields", `${line} (${row.length})`);
    return !misquoted && row.length === width;
  });
  if (rows.length < 2) throw new ReadingError("fewRows", { n: rows.length, columns: width });
  const names = Array.from({ length: width }, (_, k) => (header && first[k]!.trim()) || String(k + 1));
  const columns = columnsOf(names, rows.map(({ row }) => row), comma);
  for (const { name, kind, numbers, words } of columns) if (kind !== "number" && numbers > words) report.note("mixed", { name, n: words, numbers });
  const target = wishes.target !== undefined && wishes.target < width ? wishes.target : suggestTarget(columns);
  const inputs = (wishes.inputs ?? suggestInputs(columns, target)).filter((index) => index !== target && index < width);
  const aim = columns[target]!;
  const classes = aim.kind !== "number" || (wishes.classes ?? suggestClasses(aim, rows.length));
  return { rows, columns, choice: { header, target, inputs, classes }, comma, encoding, names: target === width - 1 ? named : [] };
}

const factsOf = (columns: readonly Column[]): ColumnFacts[] => columns.map(({ name, kind, distinct, missing }) => ({ name, kind, distinct, missing }));

/** The rows of a table as documents: one column has the texts, another their classes. */
function tellDocuments({ rows, columns, choice, encoding }: Taken, text: number, wishes: Wishes, report: Report): Told<DocumentsPreview> {
  const documents = rows.flatMap(({ row, line }) => {
    const [label, body] = [row[choice.target]!.trim(), row[text]!.trim()];
    if (isMissing(label)) report.skip("missing", `${line}, ${columns[choice.target]!.name}`);
    else if (!body) report.skip("emptyText", String(line));
    return isMissing(label) || !body ? [] : [{ label, text: body }];
  });
  const { names, numbers } = numbered(documents.map(({ label }) => label));
  const table = { columns: factsOf(columns), choice: { ...choice, classes: true }, encoding };
  return documentsPreview(documents.map(({ text }) => text), numbers, names, undefined, table, wishes, report);
}

/** The cells of the inputs, column by column, and the targets, of all rows in which nothing is missing. */
function read({ rows, columns, choice, comma }: Taken, inputs: readonly Input[], report: Report): { values: Float64Array[]; targets: string[]; count: number } {
  const aim = columns[choice.target]!;
  /** What a cell says; where that is nothing, the row is skipped. */
  const say = <T>({ index, name }: Column, { row, line }: Row, read: (cell: string) => T | undefined): T | undefined => {
    const cell = row[index]!.trim();
    const said = isMissing(cell) ? undefined : read(cell);
    if (said === undefined) report.skip(isMissing(cell) ? "missing" : "notNumber", `${line}, ${name}`);
    return said;
  };
  const number = (cell: string): number | undefined => numberIn(cell, comma);
  const values = inputs.map(() => new Float64Array(rows.length));
  const targets: string[] = [];
  let count = 0;
  rows: for (const row of rows) {
    const target = say(aim, row, (cell) => (choice.classes || number(cell) !== undefined ? cell : undefined));
    if (target === undefined) continue;
    for (const [k, { column, is }] of inputs.entries()) {
      const value = say(column, row, is === undefined ? number : (cell) => Number(cell === is));
      if (value === undefined) continue rows;
      values[k]![count] = value;
    }
    targets.push(target);
    count++;
  }
  return { values, targets, count };
}

/** The rows of a table as numbers: of the inputs, standardised, and of the target. */
function tellNumbers(table: Taken, wishes: Wishes, report: Report): Told<TablePreview> {
  const { rows, columns, choice, comma, encoding } = table;
  const aim = columns[choice.target]!;
  const inputs = inputsOf(choice.inputs.map((index) => columns[index]!), rows.map(({ row }) => row), report);
  const { values, targets, count } = read(table, inputs, report);
  const { names, numbers } = choice.classes ? numbered(targets, table.names) : { names: [], numbers: targets.map((cell) => numberIn(cell, comma)!) };
  const parted = choice.classes ? part(numbers, names, wishes, undefined, report) : { ...split(new Uint8Array(count), wishes.test, wishes.seed), counts: [] };
  const training = parted.order.slice(0, count - parted.test);
  const scales = inputs.map(({ is }, k) => (is === undefined && training.length ? moments(values[k]!, training) : undefined));
  const aimed = choice.classes || !training.length ? undefined : moments(numbers, training);
  if (scales.some(Boolean)) report.note("standardised");
  const short = (value: number): string => String(Number(value.toPrecision(5)));
  if (aimed) report.note("standardisedTarget", { name: aim.name, mean: short(aimed.mean), deviation: short(aimed.deviation) });
  const preview: TablePreview = {
    kind: "table", columns: factsOf(columns), rows: rows.slice(0, SHOWN).map(({ row }) => row), choice, encoding,
    inputs: inputs.map(({ column, is }, k) => ({ name: is === undefined ? column.name : `${column.name} = ${is}`, ...scales[k] })),
    target: { name: aim.name, ...aimed }, shape: [inputs.length], classes: parted.counts, train: training.length, test: parted.test, testGiven: false,
    notes: report.notes, skipped: report.skipped,
    problem: !inputs.length ? { code: "noInputs", args: {} }
      : count < 2 ? { code: "fewRows", args: { n: count, columns: columns.length } }
        : (choice.classes ? checkClasses(names) : undefined) ?? checkSize(count, 4 * inputs.length),
  };
  const standard = (value: number, by: Moments | undefined): number => (by ? (value - by.mean) / by.deviation : value);
  const make = (): OwnData => {
    const x = new Float32Array(count * inputs.length);
    parted.order.forEach((row, k) => values.forEach((column, i) => (x[k * inputs.length + i] = standard(column[row]!, scales[i]))));
    const y = Float32Array.from(parted.order, (row) => standard(numbers[row]!, aimed));
    return { x, y, shape: [count, inputs.length], testExamples: parted.test, ...(choice.classes ? { classes: names } : {}) };
  };
  return { preview, make };
}

/** A table as a data set: documents where the one input is texts, else numbers. */
export function tell(table: Rows, encoding: Encoding | undefined, wishes: Wishes, report: Report): Told<TablePreview | DocumentsPreview> {
  const of = taken(table, encoding, wishes, report);
  const [only, ...more] = of.choice.inputs;
  const texts = only !== undefined && !more.length && of.columns[only]!.kind === "text";
  return texts ? tellDocuments(of, only, wishes, report) : tellNumbers(of, wishes, report);
}
