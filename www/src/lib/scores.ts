/** Precision, recall and F1 of a class; undefined where nothing was predicted, or nothing is, of it. */
export interface Score {
  precision: number | undefined;
  recall: number | undefined;
  f1: number | undefined;
  /** Examples that are of the class. */
  support: number;
}

/** Scores of each class, from `confusion[truth][prediction]`. */
export function scoresOf(confusion: readonly (readonly number[])[]): Score[] {
  return confusion.map((row, k) => {
    const hits = row[k]!;
    const support = row.reduce((a, b) => a + b, 0);
    const guesses = confusion.reduce((sum, other) => sum + other[k]!, 0);
    const precision = guesses ? hits / guesses : undefined;
    const recall = support ? hits / support : undefined;
    // 2 hits / (guesses + support): the harmonic mean of the two, 0 where there are no hits.
    return { precision, recall, f1: guesses + support ? (2 * hits) / (guesses + support) : undefined, support };
  });
}

/** Mean over the classes that have a value; `weighted` counts each class as often as it has examples. */
export function meanScore(scores: readonly Score[], weighted: boolean): Score {
  const mean = (of: (score: Score) => number | undefined): number | undefined => {
    let [sum, weights] = [0, 0];
    for (const score of scores) {
      // As in scikit-learn, a class that is there but was never predicted counts as 0.
      const value = of(score) ?? (score.support ? 0 : undefined);
      const weight = weighted ? score.support : 1;
      if (value !== undefined) [sum, weights] = [sum + weight * value, weights + weight];
    }
    return weights ? sum / weights : undefined;
  };
  return {
    precision: mean(({ precision }) => precision), recall: mean(({ recall }) => recall), f1: mean(({ f1 }) => f1),
    support: scores.reduce((sum, { support }) => sum + support, 0),
  };
}
