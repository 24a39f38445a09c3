/** A tensor of 32-bit floats. */
export interface Tensor {
  shape: number[];
  data: Float32Array;
}

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/** Reads the F32 tensors of a safetensors file: an 8-byte length, a JSON header, the bytes (https://github.com/huggingface/safetensors). */
export function readSafetensors(file: ArrayBuffer): { tensors: Map<string, Tensor>; metadata: Partial<Record<string, string>> } {
  const length = Number(new DataView(file).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 8, length))) as Record<string, unknown>;
  const tensors = new Map<string, Tensor>();
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const { dtype, shape, data_offsets } = value as Entry;
    if (dtype !== "F32") continue;
    const [from, to] = data_offsets;
    tensors.set(name, { shape, data: new Float32Array(file.slice(8 + length + from, 8 + length + to)) });
  }
  return { tensors, metadata: (header.__metadata__ ?? {}) as Partial<Record<string, string>> };
}
