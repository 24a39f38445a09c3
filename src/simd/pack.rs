//! Packing: copies that lay a matrix out in the order in which a micro-kernel reads it.

use super::conv_shape::Runs;
use super::tile::{TILE_COLS, TILE_ROWS, panel_width};
use super::vector::{LANES, V};

/// A matrix view: element (i, j) is `data[i * row_stride + j * col_stride]`. Any strides, so a transpose is a view too.
#[derive(Clone, Copy, Debug)]
pub struct Mat<'a, T = f32> {
    /// The elements, those of the view among them.
    pub data: &'a [T],
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// From an element to the one below.
    pub row_stride: usize,
    /// From an element to the one to its right.
    pub col_stride: usize,
}

impl<'a, T> Mat<'a, T> {
    /// A row-major matrix, [rows, cols].
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        Mat { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The transpose, [cols, rows], of the same elements.
    pub fn t(self) -> Self {
        Mat { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    /// Columns `from..from + cols` of rows `row..row + rows`.
    pub(super) fn block(self, row: usize, rows: usize, from: usize, cols: usize) -> Self {
        debug_assert!(row + rows <= self.rows && from + cols <= self.cols);
        let start = if rows == 0 || cols == 0 { 0 } else { row * self.row_stride + from * self.col_stride };
        Mat { data: &self.data[start..], rows, cols, ..self }
    }

    /// Panics unless every element lies in `data`.
    pub(super) fn check(&self) {
        if self.rows > 0 && self.cols > 0 {
            let last = (self.rows - 1) * self.row_stride + (self.cols - 1) * self.col_stride;
            assert!(
                last < self.data.len(),
                "a view of {} x {} ends at {last}, behind the slice's {}",
                self.rows,
                self.cols,
                self.data.len()
            );
        }
    }
}

/// Elements that B, [k, n], takes when packed.
pub(super) fn packed_b_len(k: usize, n: usize) -> usize {
    k * (n / TILE_COLS * TILE_COLS + if n.is_multiple_of(TILE_COLS) { 0 } else { panel_width(n % TILE_COLS) })
}

/// Packs B, [k, n], into panels of eight columns, each [k, 8], the last one [k, 4] or [k, 8] and filled up with zeros.
pub(super) fn pack_b(b: Mat, out: &mut [f32]) {
    for from in (0..b.cols).step_by(TILE_COLS) {
        let cols = TILE_COLS.min(b.cols - from);
        let width = panel_width(cols);
        let panel = &mut out[from * b.rows..][..b.rows * width];
        let b = b.block(0, b.rows, from, cols);
        if b.col_stride == 1 && cols == TILE_COLS {
            copy_rows(b, panel.as_chunks_mut().0);
        } else if b.row_stride == 1 && cols == TILE_COLS {
            transpose_rows(b.t(), panel.as_chunks_mut().0);
        } else if b.col_stride == 1 {
            for (k, to) in panel.chunks_exact_mut(width).enumerate() {
                to[..cols].copy_from_slice(&b.data[k * b.row_stride..][..cols]);
                to[cols..].fill(0.0);
            }
        } else {
            for (k, to) in panel.chunks_exact_mut(width).enumerate() {
                for (j, to) in to.iter_mut().enumerate() {
                    *to = if j < cols { b.data[k * b.row_stride + j * b.col_stride] } else { 0.0 };
                }
            }
        }
    }
}

/// Copies B, [k, 8], of neighbouring columns.
fn copy_rows(b: Mat, panel: &mut [[f32; TILE_COLS]]) {
    b.check();
    assert!(b.rows == panel.len() && b.cols == TILE_COLS && b.col_stride == 1);
    let mut from = b.data.as_ptr();
    for to in panel {
        // SAFETY: `from` goes through the rows of B, which lie in its slice; behind the last one it is not read.
        unsafe {
            V::load(from).store(to.as_mut_ptr());
            V::load(from.add(LANES)).store(to[LANES..].as_mut_ptr());
        }
        from = from.wrapping_add(b.row_stride);
    }
}

/// Copies the transpose of Bᵀ, [8, k], of neighbouring columns: four at a time, in registers.
fn transpose_rows(b: Mat, panel: &mut [[f32; TILE_COLS]]) {
    b.check();
    assert!(b.cols == panel.len() && b.rows == TILE_COLS && b.col_stride == 1);
    let row = |r: usize| &b.data[r * b.row_stride..][..b.cols];
    let (fours, rest) = panel.as_chunks_mut::<LANES>();
    let whole = fours.len() * LANES;
    for half in [0, LANES] {
        let rows = [row(half), row(half + 1), row(half + 2), row(half + 3)];
        for (i, four) in fours.iter_mut().enumerate() {
            // SAFETY: each row has four elements for each of the panel's `fours`.
            let v = V::transpose(rows.map(|row| unsafe { V::load(row.as_ptr().add(i * LANES)) }));
            for (to, v) in four.iter_mut().zip(v) {
                // SAFETY: `half` and four lanes are at most the panel's width.
                unsafe { v.store(to.as_mut_ptr().add(half)) }
            }
        }
        for (i, to) in rest.iter_mut().enumerate() {
            for (to, row) in to[half..].iter_mut().zip(rows) {
                *to = row[whole + i];
            }
        }
    }
}

/// Packs A, [m, k], into panels of six rows, each [k, 6] and the last one [k, m % 6].
pub(super) fn pack_a(a: Mat, out: &mut [f32]) {
    for from in (0..a.rows).step_by(TILE_ROWS) {
        let rows = TILE_ROWS.min(a.rows - from);
        let panel = &mut out[from * a.cols..][..rows * a.cols];
        let a = a.block(from, rows, 0, a.cols);
        if a.row_stride == 1 && rows == TILE_ROWS {
            for (k, to) in panel.as_chunks_mut::<TILE_ROWS>().0.iter_mut().enumerate() {
                copy_six(&a.data[k * a.col_stride..][..TILE_ROWS], to);
            }
        } else if a.row_stride == 1 {
            for (k, to) in panel.chunks_exact_mut(rows).enumerate() {
                to.copy_from_slice(&a.data[k * a.col_stride..][..rows]);
            }
        } else if a.col_stride == 1 {
            let at: [usize; TILE_ROWS] = core::array::from_fn(|r| r * a.row_stride);
            interleave(a.data, &at[..rows], a.cols, panel);
        } else {
            for (k, to) in panel.chunks_exact_mut(rows).enumerate() {
                for (r, to) in to.iter_mut().enumerate() {
                    *to = a.data[r * a.row_stride + k * a.col_stride];
                }
            }
        }
    }
}

/// Packs windows that start at `at`, one to six in rising order, into a panel [k, at.len()].
pub(super) fn pack_windows(x: &[f32], at: &[usize], runs: &Runs, panel: &mut [f32]) {
    if let [first, _, _, _, _, last] = *at
        && last == first + 5
    {
        // Neighbours, as in images of one channel: so are their windows' elements.
        let x = &x[first..];
        for (offset, to) in runs.offsets.iter().zip(panel.as_chunks_mut::<TILE_ROWS>().0) {
            copy_six(&x[*offset..][..TILE_ROWS], to);
        }
        return;
    }
    for (start, panel) in runs.starts.iter().zip(panel.chunks_exact_mut(runs.len * at.len())) {
        interleave(&x[*start..], at, runs.len, panel);
    }
}

/// out\[k, r\] = x\[at\[r\] + k\] for k < `len`.
fn interleave(x: &[f32], at: &[usize], len: usize, out: &mut [f32]) {
    if let Ok(at) = <&[usize; TILE_ROWS]>::try_from(at) {
        return interleave_six(x, at, len, out);
    }
    for (k, to) in out.chunks_exact_mut(at.len()).enumerate().take(len) {
        for (to, at) in to.iter_mut().zip(at) {
            *to = x[at + k];
        }
    }
}

/// [`interleave`] of a whole tile: four steps at a time, transposed in registers.
fn interleave_six(x: &[f32], at: &[usize; TILE_ROWS], len: usize, out: &mut [f32]) {
    assert!(out.len() >= TILE_ROWS * len);
    let rows = at.map(|at| &x[at..][..len]);
    let [a, b, c, d, e, f] = rows.map(|row| row.as_ptr());
    let to = out.as_mut_ptr();
    let whole = len / LANES * LANES;
    let mut k = 0;
    while k < whole {
        // SAFETY: each row holds `len` elements and `out` six times as many; k + 4 <= len.
        unsafe {
            let four = V::transpose([V::load(a.add(k)), V::load(b.add(k)), V::load(c.add(k)), V::load(d.add(k))]);
            let [low, high] = V::load(e.add(k)).zip(V::load(f.add(k)));
            let to = to.add(k * TILE_ROWS);
            for (i, v) in four.into_iter().enumerate() {
                v.store(to.add(i * TILE_ROWS));
            }
            low.store_low(to.add(4));
            low.store_high(to.add(TILE_ROWS + 4));
            high.store_low(to.add(2 * TILE_ROWS + 4));
            high.store_high(to.add(3 * TILE_ROWS + 4));
        }
        k += LANES;
    }
    for k in whole..len {
        for (r, row) in rows.iter().enumerate() {
            out[k * TILE_ROWS + r] = row[k];
        }
    }
}

/// Packs elements `offsets`, one to six in rising order, of the windows that start at `at` into a panel [at.len(), offsets.len()].
pub(super) fn pack_columns(x: &[f32], at: &[usize], offsets: &[usize], panel: &mut [f32]) {
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    match *offsets {
        [_, _, _, _, _, _] if last == first + 5 => {
            let x = &x[first..];
            for (at, to) in at.iter().zip(panel.as_chunks_mut::<TILE_ROWS>().0) {
                copy_six(&x[*at..][..TILE_ROWS], to);
            }
        }
        [a, b, c, d, e, f] => gather(x, at, [a, b, c, d, e, f], panel),
        [a, b, c] => gather(x, at, [a, b, c], panel),
        _ => {
            for (at, to) in at.iter().zip(panel.chunks_exact_mut(offsets.len())) {
                for (to, offset) in to.iter_mut().zip(offsets) {
                    *to = x[at + offset];
                }
            }
        }
    }
}

/// Two overlapping vectors.
#[inline(always)]
fn copy_six(from: &[f32], to: &mut [f32; TILE_ROWS]) {
    assert_eq!(from.len(), TILE_ROWS);
    // SAFETY: both hold six elements.
    unsafe {
        V::load(from.as_ptr()).store(to.as_mut_ptr());
        V::load(from.as_ptr().add(2)).store(to.as_mut_ptr().add(2));
    }
}

/// out[i] = the elements at `offsets` from `at[i]`.
fn gather<const N: usize>(x: &[f32], at: &[usize], offsets: [usize; N], out: &mut [f32]) {
    let reach = offsets.into_iter().fold(0, usize::max);
    for (at, to) in at.iter().zip(out.as_chunks_mut::<N>().0) {
        let x = &x[*at..][..=reach];
        for (to, offset) in to.iter_mut().zip(offsets) {
            // SAFETY: no offset is greater than `reach`, which is in the slice.
            *to = unsafe { *x.get_unchecked(offset) };
        }
    }
}
