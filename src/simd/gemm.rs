//! Matrix products, blocked for the caches after Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008).

use super::pack::{Mat, pack_a, pack_b, packed_b_len};
use super::scratch::{Scratch, grown};
use super::tile::{TILE_ROWS, Tile, columns_at_once};
use super::vector::{LANES, V};

/// Rows of A in a block: with `KC` columns, 96 KiB that stay in the second cache. A multiple of the tile's rows.
const MC: usize = 96;
/// Elements of K in a block: a panel of B is 8 KiB and stays in the first cache.
const KC: usize = 256;
/// Columns of B in a block.
const NC: usize = 1024;

/// C = A B, or C += A B if `accumulate`: A [m, k], B [k, n], C [m, n] row-major and contiguous.
///
/// The views' strides are free, so Aᵀ B, A Bᵀ and Aᵀ Bᵀ are the same call. The order of summation depends on the shapes alone.
///
/// # Panics
/// Unless A's columns are B's rows, the views lie in their slices and `c` holds m · n elements.
pub fn gemm(a: Mat, b: Mat, c: &mut [f32], accumulate: bool, scratch: &mut Scratch) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    assert_eq!(c.len(), m * n, "a product of [{m}, {k}] and [{k}, {n}]");
    if k == 0 && !accumulate {
        c.fill(0.0);
    }
    gemm_into(a, b, c, n, accumulate, scratch);
}

/// The same into a C whose rows begin `c_stride` elements apart; what lies between them stays. A sum of nothing leaves C as it is.
///
/// # Panics
/// Unless A's columns are B's rows, the views lie in their slices and C in `c`.
// Once in the binary.
#[inline(never)]
pub(super) fn gemm_into(a: Mat, b: Mat, c: &mut [f32], c_stride: usize, accumulate: bool, scratch: &mut Scratch) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    assert_eq!(k, b.rows, "a product of [{m}, {k}] and [{}, {n}]", b.rows);
    a.check();
    b.check();
    if m == 0 || n == 0 || k == 0 {
        return;
    }
    assert!(c_stride >= n && c.len() >= (m - 1) * c_stride + n, "a product of [{m}, {k}] and [{k}, {n}]");
    if m == 1 {
        return vector_product(a, b.t(), &mut c[..n], accumulate);
    }
    if n == 1 && c_stride == 1 {
        return vector_product(b.t(), a, &mut c[..m], accumulate);
    }
    for col in (0..n).step_by(NC) {
        let cols = NC.min(n - col);
        for from in (0..k).step_by(KC) {
            let depth = KC.min(k - from);
            let packed_b = grown(&mut scratch.b, packed_b_len(depth, cols));
            pack_b(b.block(from, depth, col, cols), packed_b);
            for row in (0..m).step_by(MC) {
                let rows = MC.min(m - row);
                let a = a.block(row, rows, from, depth);
                let c = &mut c[row * c_stride + col..];
                let accumulate = accumulate || from > 0;
                let packed_a = grown(&mut scratch.a, rows * depth);
                pack_a(a, packed_a);
                block(packed_a, rows, depth, packed_b, cols, c, c_stride, accumulate);
            }
        }
    }
}

/// A block of C from packed A, [rows, k], and packed B.
#[allow(clippy::too_many_arguments)]
fn block(a: &[f32], rows: usize, k: usize, b: &[f32], cols: usize, c: &mut [f32], c_stride: usize, accumulate: bool) {
    assert!(a.len() >= rows * k && b.len() >= packed_b_len(k, cols) && c.len() >= (rows - 1) * c_stride + cols);
    let at_once = columns_at_once(k);
    for col in (0..cols).step_by(at_once) {
        for row in (0..rows).step_by(TILE_ROWS) {
            let m = TILE_ROWS.min(rows - row);
            let c = c[row * c_stride + col..].as_mut_ptr();
            // The last tile's missing rows get pointers that the kernel does not touch.
            let t = Tile {
                a: a[row * k..].as_ptr(),
                b: b[col * k..].as_ptr(),
                depth: k,
                c: core::array::from_fn(|r| c.wrapping_add(r * c_stride)),
                cols: at_once.min(cols - col),
                accumulate,
            };
            // SAFETY: the panels of these rows and columns, and C's own, lie in their slices by the assertion above; C is the only mutable one.
            unsafe { t.run(m) }
        }
    }
}

/// c[i] (+)= Σ_j m[i, j] · x[j], x the only row of `x`.
fn vector_product(x: Mat, m: Mat, c: &mut [f32], accumulate: bool) {
    let at = |j: usize| x.data[j * x.col_stride];
    if m.row_stride == 1 {
        // Columns lie in one piece: add them up, four at a time, so that c is read and written a quarter as often.
        if !accumulate {
            c.fill(0.0);
        }
        let column = |j: usize| &m.data[j * m.col_stride..][..m.rows];
        let whole = m.cols / 4 * 4;
        for j in (0..whole).step_by(4) {
            let x = [at(j), at(j + 1), at(j + 2), at(j + 3)];
            let (m0, m1, m2, m3) = (column(j), column(j + 1), column(j + 2), column(j + 3));
            for (i, c) in c.iter_mut().enumerate() {
                *c += (m0[i] * x[0] + m1[i] * x[1]) + (m2[i] * x[2] + m3[i] * x[3]);
            }
        }
        for j in whole..m.cols {
            let x = at(j);
            for (c, m) in c.iter_mut().zip(column(j)) {
                *c += m * x;
            }
        }
    } else {
        for (i, c) in c.iter_mut().enumerate() {
            let row = &m.data[i * m.row_stride..];
            let sum = if m.col_stride == 1 && x.col_stride == 1 {
                dot(&row[..m.cols], &x.data[..m.cols])
            } else {
                (0..m.cols).map(|j| row[j * m.col_stride] * at(j)).sum()
            };
            *c = if accumulate { *c + sum } else { sum };
        }
    }
}

/// Σ_i x[i] · y[i] over equally long slices, in sixteen partial sums.
pub fn dot(x: &[f32], y: &[f32]) -> f32 {
    assert_eq!(x.len(), y.len(), "a dot product");
    let (x4, x_rest) = x.as_chunks::<LANES>();
    let (y4, y_rest) = y.as_chunks::<LANES>();
    let mut acc = [V::zero(); 4];
    let (x16, x4) = x4.as_chunks::<4>();
    let (y16, y4) = y4.as_chunks::<4>();
    for (x, y) in x16.iter().zip(y16) {
        for (acc, (x, y)) in acc.iter_mut().zip(x.iter().zip(y)) {
            *acc = V::read(x).mul_add(V::read(y), *acc);
        }
    }
    for (x, y) in x4.iter().zip(y4) {
        acc[0] = V::read(x).mul_add(V::read(y), acc[0]);
    }
    let rest: f32 = x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum();
    acc[0].add(acc[1]).add(acc[2].add(acc[3])).sum() + rest
}
