// The networks whose times are measured, as specs.

import type { ModelSpec } from "gradscope";

interface Layer {
  readonly type: string;
  readonly name?: string;
  readonly inputs?: readonly string[];
  readonly [argument: string]: unknown;
}

const spec = (input: number[], layers: readonly Layer[]): ModelSpec => ({ input, layers }) as unknown as ModelSpec;

/** The preset `mnist-cnn`; `scale` times as many filters and units. */
export function cnn(scale = 1): ModelSpec {
  const conv = (filters: number): Layer => ({ type: "Conv2D", filters: filters * scale, kernel_size: 3, activation: "relu" });
  const pool: Layer = { type: "MaxPooling2D", pool_size: 2 };
  return spec([28, 28, 1], [
    conv(32), pool, conv(64), pool, conv(64),
    { type: "Flatten" }, { type: "Dense", units: 64 * scale, activation: "relu" }, { type: "Dense", units: 10, activation: "softmax" },
  ]);
}

export interface GptSize {
  blocks: number;
  heads: number;
  width: number;
  context: number;
  vocabulary: number;
}

/** A decoder-only transformer like the preset `gpt-char`, of any size. */
export function gpt({ blocks, heads, width, context, vocabulary }: GptSize): ModelSpec {
  const normal = (stddev: number) => ({ type: "RandomNormal", mean: 0, stddev });
  const kernel_initializer = normal(0.02);
  const residual = normal(0.02 / Math.sqrt(2 * blocks));
  const norm = (name: string): Layer => ({ type: "LayerNormalization", epsilon: 1e-5, name });
  const sum = (name: string, ...inputs: string[]): Layer => ({ type: "Add", name, inputs });
  let from = "embedded";
  const layers: Layer[] = [
    { type: "Embedding", input_dim: vocabulary, output_dim: width, embeddings_initializer: kernel_initializer, name: "embedding" },
    { type: "PositionEmbedding", sequence_length: context, initializer: kernel_initializer, name: "position_embedding" },
    sum(from, "embedding", "position_embedding"),
  ];
  for (let k = 1; k <= blocks; k++) {
    const name = (part: string): string => `block_${k}_${part}`;
    layers.push(
      norm(name("norm_1")),
      { type: "MultiHeadAttention", num_heads: heads, key_dim: width / heads, use_causal_mask: true, kernel_initializer, output_initializer: residual, name: name("attention") },
      sum(name("attended"), from, name("attention")),
      norm(name("norm_2")),
      { type: "Dense", units: 4 * width, activation: "gelu", kernel_initializer, name: name("expand") },
      { type: "Dense", units: width, kernel_initializer: residual, name: name("contract") },
      sum(name("out"), name("attended"), name("contract")),
    );
    from = name("out");
  }
  layers.push(norm("norm"), { type: "Dense", units: vocabulary, use_bias: false, kernel_initializer, name: "logits" });
  return spec([context], layers);
}
