/** A character as it is shown where it stands alone. */
export const visible = (text: string | undefined): string => (text === "\n" ? "⏎" : text === " " ? "␣" : text === "\t" ? "⇥" : (text ?? "?"));

/** A name as short as a card is wide: "max_pooling2d_1" becomes "max_pool_1", and of "block_2_expand" is seen what tells it from its neighbours. */
export const shortName = (name: string): string =>
  name.replace(/^block_(\d+)_/, "$1·").replace(/^random_(?=flip|translation|rotation|zoom)/, "").replace("max_pooling2d", "max_pool").replace("average_pooling2d", "avg_pool").replace("normalization", "norm").replace("padding2d", "pad");
