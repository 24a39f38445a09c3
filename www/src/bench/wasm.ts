// Two loops in WebAssembly, put together byte by byte: multiply-adds that wait for nothing, and a copy. Compilers are out of the way, so that what is measured
// is the machine.

const U32 = 0x7f;
const F32 = 0x7d;
const V128 = 0x7b;

/** As many as fill the pipelines and still lie in the 16 registers of x86-64, two of which hold the factors. */
const ACCUMULATORS = 12;
const UNROLLED = 4;
/** Bytes of each half of the memory: more than caches hold. */
export const HALF = 32 << 20;

/** An unsigned number as WebAssembly writes it. */
function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

const counted = (bytes: readonly number[]): number[] => [...leb(bytes.length), ...bytes];
const list = (items: readonly (readonly number[])[]): number[] => [...leb(items.length), ...items.flat()];
const section = (id: number, items: readonly (readonly number[])[]): number[] => [id, ...counted(list(items))];
const text = (of: string): number[] => counted([...new TextEncoder().encode(of)]);

const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const float = (value: number): number[] => [0x43, ...new Uint8Array(new Float32Array([value]).buffer)];
/** Instructions over some lanes at once. */
interface Instructions {
  lanes: number;
  type: number;
  splat: readonly number[];
  mul: readonly number[];
  add: readonly number[];
  /** x y + acc, where there is such a thing. */
  fused?: readonly number[];
  /** The first lane. */
  lane: readonly number[];
}

const SCALAR: Instructions = { lanes: 1, type: F32, splat: [], mul: [0x94], add: [0x92], lane: [] };
const SIMD: Instructions = { lanes: 4, type: V128, splat: [0xfd, 0x13], mul: [0xfd, 0xe6, 0x01], add: [0xfd, 0xe4, 0x01], lane: [0xfd, 0x1f, 0] };
const RELAXED: Instructions = { ...SIMD, fused: [0xfd, 0x85, 0x02] };

/** (turns) -> f32: acc += x y, or acc = acc x + y where there is no fused form, since x y alone would be taken out of the loop. */
function multiplyAdds({ type, splat, mul, add, fused, lane }: Instructions): number[] {
  const [turns, x, y, first] = [0, 1, 2, 3];
  const accumulators = Array.from({ length: ACCUMULATORS }, (_, k) => first + k);
  const step = (acc: number): number[] =>
    fused ? [...get(x), ...get(y), ...get(acc), ...fused, ...set(acc)] : [...get(acc), ...get(x), ...mul, ...get(y), ...add, ...set(acc)];
  const body = [
    ...float(0.999), ...splat, ...set(x), ...float(1e-3), ...splat, ...set(y),
    ...accumulators.flatMap((acc) => [...float(acc), ...splat, ...set(acc)]),
    0x03, 0x40,
    ...Array.from({ length: UNROLLED }, () => accumulators.flatMap(step)).flat(),
    ...get(turns), 0x41, 1, 0x6b, 0x22, turns, 0x0d, 0, // turns - 1; again unless it is 0
    0x0b,
    ...accumulators.flatMap((acc, k) => [...get(acc), ...(k ? add : [])]), ...lane, // of the sum, so that nothing is left out
    0x0b,
  ];
  return counted([...list([[ACCUMULATORS + 2, type]]), ...body]);
}

/** (): the upper half of the memory becomes a copy of the lower. */
function copy(): number[] {
  const i32 = (value: number): number[] => [0x41, ...signed(value)];
  return counted([...list([]), ...i32(HALF), ...i32(0), ...i32(HALF), 0xfc, 0x0a, 0, 0, 0x0b]);
}

/** As `leb`, with room for a sign. */
function signed(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signed(value >>> 7)];
}

function assemble(instructions: Instructions): Uint8Array<ArrayBuffer> {
  return new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [[0x60, 1, U32, 1, F32], [0x60, 0, 0]]),
    ...section(3, [[0], [1]]),
    ...section(5, [[0, ...leb((2 * HALF) >> 16)]]),
    ...section(7, [[...text("multiplyAdds"), 0, 0], [...text("copy"), 0, 1]]),
    ...section(10, [multiplyAdds(instructions), copy()]),
  ]);
}

export interface Loops {
  multiplyAdds(turns: number): number;
  copy(): void;
}

/** The loops, of the widest instructions that the browser has; and the floating-point operations of one turn of the first. */
export async function loops(): Promise<{ relaxed: boolean; flopsOfATurn: number; loops: Loops }> {
  const best = [RELAXED, SIMD].find((instructions) => WebAssembly.validate(assemble(instructions))) ?? SCALAR;
  const { instance } = await WebAssembly.instantiate(assemble(best));
  return { relaxed: best === RELAXED, flopsOfATurn: ACCUMULATORS * UNROLLED * best.lanes * 2, loops: instance.exports as unknown as Loops };
}
