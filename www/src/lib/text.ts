const BLANKS: Readonly<Record<string, string>> = { "\n": "⏎", " ": "␣", "\t": "⇥" };

/** A token as it is shown where it stands alone: with its blanks. */
export const visible = (text = "?"): string => text.replace(/[\n\t ]/g, (blank) => BLANKS[blank]!);

/** Whether one of some names is too long for one line of cards that stand in so many columns. */
export function anyLong(names: readonly string[], width: number, columns: number): boolean {
  const [gap, padding, letter, widest] = [12, 14, 6.4, 128];
  return names.some((name) => name.length * letter > Math.min(widest, (width + gap) / columns - gap) - padding);
}

/** A name as short as a card is wide: "max_pooling2d_1" becomes "max_pool_1", and of "block_2_expand" is seen what tells it from its neighbours. */
export const shortName = (name: string): string =>
  name.replace(/^block_(\d+)_/, "$1·").replace(/^random_(?=flip|translation|rotation|zoom)/, "").replace("max_pooling2d", "max_pool").replace("average_pooling2d", "avg_pool").replace("normalization", "norm").replace("padding2d", "pad");
