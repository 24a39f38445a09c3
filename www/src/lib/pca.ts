// Principal components: the plane in which points differ most (Pearson 1901), by the eigenvectors of their covariance.

/** Points in the plane, [N, 2], and the share of all variance that either axis has. */
export interface Plane {
  at: Float32Array;
  shares: readonly [number, number];
}

/** Rounds of rotations; matrices of this kind need about ten. */
const SWEEPS = 60;

/** The covariance [D, D] of centred rows [N, D]. */
function covariance(rows: Float64Array, width: number): Float64Array {
  const out = new Float64Array(width * width);
  for (let start = 0; start < rows.length; start += width) {
    for (let i = 0; i < width; i++) {
      const left = rows[start + i]!;
      for (let j = i; j < width; j++) out[i * width + j]! += left * rows[start + j]!;
    }
  }
  const count = rows.length / width;
  for (let i = 0; i < width; i++) for (let j = i; j < width; j++) out[i * width + j] = out[j * width + i] = out[i * width + j]! / count;
  return out;
}

/**
 * Eigenvalues of a symmetric matrix [D, D], and its eigenvectors as the rows of `vectors`: by rotations that make one cell outside the diagonal zero after
 * another (Jacobi 1846), which takes eigenvalues that are nearly equal as easily as any.
 */
export function eigen(matrix: Float64Array, width: number): { values: Float64Array; vectors: Float64Array } {
  const a = matrix.slice();
  const vectors = new Float64Array(width * width);
  for (let k = 0; k < width; k++) vectors[k * width + k] = 1;
  const trace = Array.from({ length: width }, (_, k) => a[k * width + k]!).reduce((sum, value) => sum + Math.abs(value), 0);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let outside = 0;
    for (let p = 0; p < width; p++) for (let q = p + 1; q < width; q++) outside += a[p * width + q]! ** 2;
    if (outside <= 1e-24 * trace * trace) break;
    for (let p = 0; p < width; p++) {
      for (let q = p + 1; q < width; q++) {
        const apq = a[p * width + q]!;
        if (Math.abs(apq) <= (1e-12 * trace) / width) continue;
        const theta = (a[q * width + q]! - a[p * width + p]!) / (2 * apq);
        const tangent = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const cosine = 1 / Math.sqrt(tangent * tangent + 1);
        const sine = tangent * cosine;
        for (let k = 0; k < width; k++) {
          const [kp, kq] = [a[k * width + p]!, a[k * width + q]!];
          a[k * width + p] = cosine * kp - sine * kq;
          a[k * width + q] = sine * kp + cosine * kq;
        }
        for (const rotated of [a, vectors]) {
          for (let k = 0; k < width; k++) {
            const [pk, qk] = [rotated[p * width + k]!, rotated[q * width + k]!];
            rotated[p * width + k] = cosine * pk - sine * qk;
            rotated[q * width + k] = sine * pk + cosine * qk;
          }
        }
      }
    }
  }
  return { values: Float64Array.from({ length: width }, (_, k) => a[k * width + k]!), vectors };
}

/** Rows [N, D] in the plane of their two first principal components. Of either direction of an axis it is the one in which its largest part is positive. */
export function principalPlane(rows: Float32Array, width: number): Plane {
  const count = rows.length / width;
  const centred = Float64Array.from(rows);
  for (let column = 0; column < width; column++) {
    let sum = 0;
    for (let k = column; k < rows.length; k += width) sum += rows[k]!;
    for (let k = column; k < rows.length; k += width) centred[k]! -= sum / count;
  }
  const { values, vectors } = eigen(covariance(centred, width), width);
  const total = values.reduce((sum, value) => sum + value, 0);
  const order = [...values.keys()].sort((a, b) => values[b]! - values[a]!);
  const at = new Float32Array(2 * count);
  const shares = [0, 1].map((axis) => {
    const which = order[axis];
    if (which === undefined || total <= 0) return 0;
    const vector = vectors.subarray(which * width, (which + 1) * width);
    const largest = vector.reduce((most, part) => (Math.abs(part) > Math.abs(most) + 1e-9 ? part : most), 0);
    for (let row = 0; row < count; row++) {
      let sum = 0;
      for (let k = 0; k < width; k++) sum += centred[row * width + k]! * vector[k]!;
      at[2 * row + axis] = largest < 0 ? -sum : sum;
    }
    return Math.max(0, values[which]!) / total;
  });
  return { at, shares: [shares[0]!, shares[1]!] };
}
