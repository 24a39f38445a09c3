//! Sums over rows and columns.

use super::vector::{LANES, V};

/// Rows that are summed by themselves before they join the total: 43,264 rows in one sum would lose two digits of f32.
const BLOCK_ROWS: usize = 128;
/// Columns summed in registers at a time, in vectors.
const BLOCK_VECTORS: usize = 8;

/// out[j] = Σ_i x[i, j] for x [rows, cols]: a bias's gradient. Overwrites `out`.
///
/// # Panics
/// Unless x holds rows · cols elements and `out` cols.
pub fn sum_rows(x: &[f32], rows: usize, cols: usize, out: &mut [f32]) {
    assert_eq!(x.len(), rows * cols, "[{rows}, {cols}] to sum");
    assert_eq!(out.len(), cols, "sums of [{rows}, {cols}]");
    out.fill(0.0);
    if cols == 0 {
        return;
    }
    for block in x.chunks(BLOCK_ROWS * cols) {
        let mut from = 0;
        while from + BLOCK_VECTORS * LANES <= cols {
            add_rows::<BLOCK_VECTORS>(block, cols, from, out);
            from += BLOCK_VECTORS * LANES;
        }
        while from + LANES <= cols {
            add_rows::<1>(block, cols, from, out);
            from += LANES;
        }
        for (j, out) in out.iter_mut().enumerate().skip(from) {
            *out += block.iter().skip(j).step_by(cols).sum::<f32>();
        }
    }
}

/// Adds the sums of columns `from..from + 4 N` of a block of rows.
fn add_rows<const N: usize>(block: &[f32], cols: usize, from: usize, out: &mut [f32]) {
    let mut acc = [V::zero(); N];
    for row in block.chunks_exact(cols) {
        let lanes = row[from..][..N * LANES].as_chunks::<LANES>().0;
        for (acc, lanes) in acc.iter_mut().zip(lanes) {
            *acc = acc.add(V::read(lanes));
        }
    }
    let out = out[from..][..N * LANES].as_chunks_mut::<LANES>().0;
    for (acc, out) in acc.iter().zip(out) {
        V::read(out).add(*acc).write(out);
    }
}

/// out[i] = Σ_j x[i, j] for x [rows, cols]. Overwrites `out`.
///
/// # Panics
/// Unless x holds rows · cols elements and `out` rows.
pub fn sum_cols(x: &[f32], rows: usize, cols: usize, out: &mut [f32]) {
    assert_eq!(x.len(), rows * cols, "[{rows}, {cols}] to sum");
    assert_eq!(out.len(), rows, "sums of [{rows}, {cols}]");
    for (i, out) in out.iter_mut().enumerate() {
        *out = sum(&x[i * cols..][..cols]);
    }
}

/// Σ_i x[i], by halves down to blocks that are summed in sixteen partial sums.
pub fn sum(x: &[f32]) -> f32 {
    const BLOCK: usize = 2048;
    if x.len() > BLOCK {
        let half = (x.len() / 2).next_multiple_of(BLOCK);
        return sum(&x[..half]) + sum(&x[half..]);
    }
    let (vectors, rest) = x.as_chunks::<LANES>();
    let (fours, vectors) = vectors.as_chunks::<4>();
    let mut acc = [V::zero(); 4];
    for four in fours {
        for (acc, lanes) in acc.iter_mut().zip(four) {
            *acc = acc.add(V::read(lanes));
        }
    }
    for lanes in vectors {
        acc[0] = acc[0].add(V::read(lanes));
    }
    acc[0].add(acc[1]).add(acc[2].add(acc[3])).sum() + rest.iter().sum::<f32>()
}
