// What the weights of Gradscope's GPT are called, for those who build it themselves.

/** Names of a GPT's parameters; of a pair, kernel and bias or gamma and beta. */
export function namesOfGpt(blocks) {
  const norm = (name) => [`${name}.gamma`, `${name}.beta`];
  const dense = (name) => [`${name}.kernel`, `${name}.bias`];
  const block = (k) => {
    const of = (part) => `block_${k}_${part}`;
    return {
      norm1: norm(of("norm_1")), norm2: norm(of("norm_2")), expand: dense(of("expand")), contract: dense(of("contract")),
      query: dense(of("attention.query")), key: dense(of("attention.key")), value: dense(of("attention.value")), output: dense(of("attention.attention_output")),
    };
  };
  return {
    tokens: "embedding.embeddings", positions: "position_embedding.embeddings",
    blocks: Array.from({ length: blocks }, (_, k) => block(k + 1)), norm: norm("norm"), logits: "logits.kernel",
  };
}

/** The kernels of attention have an axis of heads, which goes into one with its neighbour, so that they are matrices; and so do their biases. */
export function matrixOf(name, shape) {
  if (/\.(query|key|value)\.kernel$/.test(name)) return [shape[0], shape[1] * shape[2]];
  if (/\.attention_output\.kernel$/.test(name)) return [shape[0] * shape[1], shape[2]];
  return /\.(query|key|value)\.bias$/.test(name) ? [shape[0] * shape[1]] : shape;
}
