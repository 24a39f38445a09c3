import Papa from "papaparse";
import type { OwnData } from "gradscope";
import { columnsOf, hasHeader, isMissing, numberIn, suggestClasses, suggestInputs, suggestTarget, type Column } from "./columns.js";
import { documentsPreview } from "./documents.js";
import { checkClasses, checkSize, part, sorted, type Told } from "./labelled.js";
import { ReadingError, type Report } from "./report.js";
import { split } from "./split.js";
import type { DocumentsPreview, Encoding, Failure, TablePreview, Wishes } from "./types.js";

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

/** Mean and deviation of a column over some rows; a constant one is only moved to 0. */
function moments(values: Float64Array, rows: readonly number[]): { mean: number; deviation: number } {
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

export function tell(table: Rows, encoding: Encoding | undefined, wishes: Wishes, report: Report): Told<TablePreview | DocumentsPreview> {
  const comma = table.delimiter !== ",";
  const written = table.rows.map((row, k) => ({ row, line: k + 1 })).filter(({ row }) => !isBlank(row));
  const header = wishes.header ?? hasHeader(written.slice(0, 200).map(({ row }) => row), comma);
  const width = header ? written[0]?.row.length ?? 0 : Math.max(0, ...written.slice(0, 20).map(({ row }) => row.length));
  const names = Array.from({ length: width }, (_, k) => (header ? written[0]!.row[k]!.trim() : "") || `${k + 1}`);
  const whole = (header ? written.slice(1) : written).filter(({ row, line }) => {
    if (table.misquoted.has(line - 1)) report.skip("quotes", String(line));
    else if (row.length !== width) report.skip("fields", `${line} (${row.length})`);
    return !table.misquoted.has(line - 1) && row.length === width;
  });
  if (whole.length < 2) throw new ReadingError("fewRows", { n: whole.length, columns: width });
  const columns = columnsOf(names, whole.map(({ row }) => row), comma);
  const target = wishes.target !== undefined && wishes.target < width ? wishes.target : suggestTarget(columns);
  const inputs = (wishes.inputs ?? suggestInputs(columns, target)).filter((index) => index !== target && index < width);
  const aim = columns[target]!;
  const text = inputs.length === 1 && columns[inputs[0]!]!.kind === "text" ? inputs[0] : undefined;
  const classes = text !== undefined || (wishes.classes ?? suggestClasses(aim, whole.length)) || aim.kind !== "number";
  const choice = { header, target, inputs, classes };
  const facts = columns.map(({ name, kind, distinct, missing }) => ({ name, kind, distinct, missing }));

  if (text !== undefined) {
    const documents = whole.flatMap(({ row, line }) => {
      const [label, body] = [row[target]!.trim(), row[text]!.trim()];
      if (isMissing(label)) report.skip("missing", `${line}, ${aim.name}`);
      else if (!body) report.skip("emptyText", String(line));
      return isMissing(label) || !body ? [] : [{ label, text: body }];
    });
    const names = sorted(new Set(documents.map(({ label }) => label)));
    const numbers = new Map(names.map((name, k) => [name, k]));
    const labels = documents.map(({ label }) => numbers.get(label)!);
    return documentsPreview(documents.map(({ text }) => text), labels, names, undefined, { columns: facts, choice, encoding }, wishes, report);
  }

  const sources = inputsOf(inputs.map((index) => columns[index]!), whole.map(({ row }) => row), report);
  /** The number at a place; where there is none the row is skipped. */
  const at = ({ index, name }: Column, { row, line }: (typeof whole)[number]): number | undefined => {
    const number = numberIn(row[index]!, comma);
    if (number === undefined) report.skip(isMissing(row[index]!) ? "missing" : "notNumber", `${line}, ${name}`);
    return number;
  };
  const values: Float64Array[] = sources.map(() => new Float64Array(whole.length));
  const aims = new Float64Array(whole.length);
  const labelled: string[] = [];
  let count = 0;
  rows: for (const place of whole) {
    const label = place.row[target]!.trim();
    if (classes && isMissing(label)) {
      report.skip("missing", `${place.line}, ${aim.name}`);
      continue;
    }
    const wanted = classes ? 0 : at(aim, place);
    if (wanted === undefined) continue;
    for (const [k, { column, is }] of sources.entries()) {
      const cell = place.row[column.index]!;
      if (is !== undefined && isMissing(cell)) report.skip("missing", `${place.line}, ${column.name}`);
      const number = is === undefined ? at(column, place) : isMissing(cell) ? undefined : Number(cell.trim() === is);
      if (number === undefined) continue rows;
      values[k]![count] = number;
    }
    labelled[count] = label;
    aims[count++] = wanted;
  }
  const classNames = classes ? sorted(new Set(labelled)) : [];
  const numbers = new Map(classNames.map((name, k) => [name, k]));
  const y = classes ? labelled.map((label) => numbers.get(label)!) : [...aims.subarray(0, count)];
  const parted = classes ? part(y, classNames, wishes, undefined, report) : { ...split(new Uint8Array(count), wishes.test, wishes.seed), counts: [] };
  const training = parted.order.slice(0, count - parted.test);
  const scales = sources.map(({ is }, k) => (is === undefined && training.length ? moments(values[k]!, training) : undefined));
  const aimed = classes || !training.length ? undefined : moments(aims, training);
  if (scales.some(Boolean)) report.note("standardised");
  if (aimed) report.note("standardisedTarget", { name: aim.name, mean: String(Number(aimed.mean.toPrecision(5))), deviation: String(Number(aimed.deviation.toPrecision(5))) });
  const problem = ((): Failure | undefined => {
    if (!sources.length) return { code: "noInputs", args: {} };
    if (count < 2) return { code: "fewRows", args: { n: count, columns: width } };
    return (classes ? checkClasses(classNames) : undefined) ?? checkSize(count, 4 * sources.length);
  })();
  const nameOf = ({ column, is }: Input): string => (is === undefined ? column.name : `${column.name} = ${is}`);
  const preview: TablePreview = {
    kind: "table", columns: facts, rows: whole.slice(0, SHOWN).map(({ row }) => row), choice, encoding,
    inputs: sources.map((source, k) => ({ name: nameOf(source), ...scales[k] })), target: { name: aim.name, ...aimed },
    shape: [sources.length], classes: parted.counts, train: training.length, test: parted.test, testGiven: false,
    notes: report.notes, skipped: report.skipped, problem,
  };
  const make = (): OwnData => {
    const x = new Float32Array(count * sources.length);
    const standard = (value: number, by: { mean: number; deviation: number } | undefined): number => (by ? (value - by.mean) / by.deviation : value);
    parted.order.forEach((row, k) => sources.forEach((_, i) => (x[k * sources.length + i] = standard(values[i]![row]!, scales[i]))));
    const ordered = Float32Array.from(parted.order, (row) => standard(y[row]!, aimed));
    return { x, y: ordered, shape: [count, sources.length], testExamples: parted.test, ...(classes ? { classes: classNames } : {}) };
  };
  return { preview, make };
}
