import type { ColumnFacts, ColumnKind } from "./types.js";

/** Cells that stand for nothing. */
const MISSING = new Set(["", "na", "n/a", "nan", "null", "none", "?", "-"]);
/** Different values of a column that is a list of categories. */
const MOST_CATEGORIES = 100;
/** Different values that are counted. */
const COUNTED = 2000;
/** Share of the cells of a column of numbers that are. */
const NUMBERS = 0.9;
/** Letters of a name of a category. */
const SHORT = 40;

const TARGETS = /^(label|labels|class|target|category|y|species|sentiment|标签|类别|分类|目标|结果)$/i;
const NUMBERED = /^(id|index|no\.?|#|unnamed: 0|编号|序号|)$/i;

export const isMissing = (cell: string): boolean => MISSING.has(cell.trim().toLowerCase());

/** The number that a cell is; with `comma` as the decimal sign where fields are not parted by commas. */
export function numberIn(cell: string, comma: boolean): number | undefined {
  const text = cell.trim();
  const value = Number(comma && /^[-+]?\d+,\d+$/.test(text) ? text.replace(",", ".") : text);
  return text !== "" && Number.isFinite(value) ? value : undefined;
}

/** A column with its facts, and what the choices rest on. */
export interface Column extends ColumnFacts {
  index: number;
  /** Letters of a cell. */
  meanLength: number;
  /** Whether all numbers are whole. */
  whole: boolean;
  /** Cells that are numbers, and those that are anything else. */
  numbers: number;
  words: number;
}

function columnOf(index: number, name: string, rows: readonly (readonly string[])[], comma: boolean): Column {
  const values = new Set<string>();
  let [missing, numbers, letters, whole] = [0, 0, 0, true];
  for (const row of rows) {
    const cell = row[index] ?? "";
    if (isMissing(cell)) {
      missing++;
      continue;
    }
    if (values.size < COUNTED) values.add(cell.trim());
    letters += cell.length;
    const number = numberIn(cell, comma);
    if (number !== undefined) numbers++;
    if (!Number.isInteger(number)) whole = false;
  }
  const present = rows.length - missing;
  const meanLength = present ? letters / present : 0;
  const few = values.size <= MOST_CATEGORIES && values.size <= Math.max(2, present / 2);
  const kind: ColumnKind = present > 0 && numbers / present >= NUMBERS ? "number" : few && meanLength <= SHORT ? "category" : "text";
  return { index, name, kind, distinct: values.size, missing, meanLength, whole, numbers, words: present - numbers };
}

export const columnsOf = (names: readonly string[], rows: readonly (readonly string[])[], comma: boolean): Column[] =>
  names.map((name, index) => columnOf(index, name, rows, comma));

/** Whether the first row names the columns: nothing in it is a number, and it looks unlike what is below. */
export function hasHeader(rows: readonly (readonly string[])[], comma: boolean): boolean {
  const [first = [], ...below] = rows;
  if (!below.length || first.some((cell) => numberIn(cell, comma) !== undefined)) return false;
  const numeric = first.some((_, k) => below.slice(0, 20).every((row) => row[k] === undefined || isMissing(row[k]) || numberIn(row[k], comma) !== undefined));
  return numeric || (new Set(first).size === first.length && first.every((cell, k) => cell.length <= SHORT && below.every((row) => row[k] !== cell)));
}

/** The column that is to be told: one that is called so, or the last that is no free text. */
export function suggestTarget(columns: readonly Column[]): number {
  const able = columns.filter(({ kind }) => kind !== "text");
  return (able.find(({ name }) => TARGETS.test(name.trim())) ?? able.filter(({ kind }) => kind === "category").at(-1) ?? able.at(-1) ?? columns.at(-1))?.index ?? 0;
}

/** What it is told from: the longest texts, where there are any, else all numbers and categories that do not just count the rows. */
export function suggestInputs(columns: readonly Column[], target: number): number[] {
  const others = columns.filter(({ index }) => index !== target);
  const texts = others.filter(({ kind, meanLength }) => kind === "text" && meanLength > 0).sort((a, b) => b.meanLength - a.meanLength);
  const numbers = others.filter(({ kind, name, distinct }) => kind !== "text" && distinct > 0 && !NUMBERED.test(name.trim()));
  // Names and remarks beside numbers do not make a table one of documents.
  if (texts[0] && (texts[0].meanLength > SHORT || !numbers.length)) return [texts[0].index];
  return numbers.map(({ index }) => index);
}

/** Whether a target is a class: names are, and so are a few whole numbers. */
export const suggestClasses = ({ kind, whole, distinct }: Column, rows: number): boolean => kind !== "number" || (whole && distinct <= 20 && distinct * 5 <= Math.max(rows, 10));
