/** A convolution's place on its input, Keras's way. */
export interface Geometry {
  kernel: readonly [number, number];
  strides: readonly [number, number];
  /** Rows above and columns left that padding adds. */
  before: readonly [number, number];
}

const pair = (value: unknown, fallback: number): [number, number] =>
  Array.isArray(value) ? [Number(value[0]), Number(value[1])] : typeof value === "number" ? [value, value] : [fallback, fallback];

/** Geometry of a `Conv2D` spec on an input of rows x columns. With "same", the odd row or column of padding goes after. */
export function geometry(spec: Readonly<Record<string, unknown>>, kernel: readonly number[], input: readonly number[]): Geometry {
  const strides = pair(spec.strides, 1);
  const before = [0, 1].map((axis) => {
    if (spec.padding !== "same") return 0;
    const out = Math.ceil(input[axis]! / strides[axis]!);
    return Math.floor(Math.max(0, (out - 1) * strides[axis]! + kernel[axis]! - input[axis]!) / 2);
  }) as [number, number];
  return { kernel: [kernel[0]!, kernel[1]!], strides, before };
}

/** One product of the window: input value, weight, and where the input value lies; it is 0 in the padding. */
export interface Term {
  x: number;
  w: number;
  row: number;
  column: number;
  inside: boolean;
}

/** The products that make output cell (row, column) of a filter, channel by channel, each channel row by row. */
export function terms(
  x: Float32Array, input: readonly number[], kernel: Float32Array, kernelShape: readonly number[], place: Geometry, cell: readonly [number, number], filter: number,
): Term[][] {
  const [rows, columns, channels] = input as [number, number, number];
  const [kh, kw, , filters] = kernelShape as [number, number, number, number];
  return Array.from({ length: channels }, (_, c) =>
    Array.from({ length: kh * kw }, (_, k) => {
      const [i, j] = [Math.floor(k / kw), k % kw];
      const row = cell[0] * place.strides[0] - place.before[0] + i;
      const column = cell[1] * place.strides[1] - place.before[1] + j;
      const inside = row >= 0 && row < rows && column >= 0 && column < columns;
      return {
        x: inside ? x[(row * columns + column) * channels + c]! : 0,
        w: kernel[((i * kw + j) * channels + c) * filters + filter]!,
        row, column, inside,
      };
    }),
  );
}

const ACTIVATIONS: Readonly<Record<string, (z: number) => number>> = {
  linear: (z) => z,
  relu: (z) => Math.max(0, z),
  sigmoid: (z) => 1 / (1 + Math.exp(-z)),
  tanh: Math.tanh,
  silu: (z) => z / (1 + Math.exp(-z)),
  leaky_relu: (z) => (z < 0 ? 0.2 * z : z),
};

/** The activation of that Keras name, where it looks at one number only. */
export const activation = (name: unknown): ((z: number) => number) | undefined =>
  name == null ? ACTIVATIONS.linear : typeof name === "string" && Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
