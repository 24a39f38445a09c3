import { randomFrom } from "../lib/random.js";

function shuffle(rows: number[], random: () => number): number[] {
  for (let k = rows.length - 1; k > 0; k--) {
    const other = Math.floor(random() * (k + 1));
    [rows[k], rows[other]] = [rows[other]!, rows[k]!];
  }
  return rows;
}

export interface Split {
  /** Rows to train on in random order, then those to test on. */
  order: readonly number[];
  /** How many are to test on. */
  test: number;
}

/**
 * Parts examples by chance, of each class the same share: at least one of each stays to train on. The training part is shuffled too, since what is
 * held out for validation is its end. Examples that are `given` for testing are the test part, if there are any.
 */
export function split(labels: ArrayLike<number>, share: number, seed: number, given?: readonly boolean[]): Split {
  const random = randomFrom(seed);
  const byClass = new Map<number, number[]>();
  const [train, test]: [number[], number[]] = [[], []];
  for (let row = 0; row < labels.length; row++) {
    if (given) (given[row] ? test : train).push(row);
    else {
      const rows = byClass.get(labels[row]!);
      if (rows) rows.push(row);
      else byClass.set(labels[row]!, [row]);
    }
  }
  for (const rows of byClass.values()) {
    shuffle(rows, random);
    const tested = Math.min(rows.length - 1, Math.round(rows.length * share));
    for (const [k, row] of rows.entries()) (k < tested ? test : train).push(row);
  }
  return { order: [...shuffle(train, random), ...shuffle(test, random)], test: test.length };
}
