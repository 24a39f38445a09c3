//! The micro-kernel: a tile of C, up to 6 rows by 8 columns, held in registers through the whole sum.
//!
//! 6 x 8 is 12 accumulators, two vectors of B and one splat of A: 15 of the 16 registers that WebAssembly engines have on x86-64. Two things
//! keep it there. The order "splat, then its multiply-adds" holds by `-pre-RA-sched=source` in `.cargo/config.toml`. And the loop over K is
//! not unrolled: LLVM would sink the first step's multiply-adds to their use in the second, which has twice the vectors alive (half the speed).
//!
//! Both operands are packed panels ([`super::pack`]), so one pointer walks over each.

use super::vector::{LANES, V};

/// Rows of the largest tile.
pub(super) const TILE_ROWS: usize = 6;
/// Columns of the largest tile.
pub(super) const TILE_COLS: usize = 8;

/// Operands: C\[r, j\] (+)= Σ_k A\[r, k\] · B\[k, j\], A of `m` rows as a panel \[k, m\].
pub(super) struct Tile {
    /// Panel of A.
    pub a: *const f32,
    /// Panel of B, `panel_width(cols)` wide.
    pub b: *const f32,
    /// Length of the sum.
    pub depth: usize,
    /// First element of each row of C.
    pub c: [*mut f32; TILE_ROWS],
    /// Columns of C that exist, at most [`TILE_COLS`].
    pub cols: usize,
    /// Adds to C rather than overwriting it.
    pub accumulate: bool,
}

/// Width of the panel that holds `cols` columns of B: a narrow one costs half the work.
pub(super) fn panel_width(cols: usize) -> usize {
    if cols <= LANES { LANES } else { TILE_COLS }
}

impl Tile {
    /// Computes the first `m` rows, 1 to 6.
    ///
    /// # Safety
    /// The panels must be readable and the first `m` rows of C writable for `cols` elements that overlap neither one another, A nor B.
    pub(super) unsafe fn run(&self, m: usize) {
        let narrow = self.cols <= LANES;
        // SAFETY: the caller's, unchanged.
        unsafe {
            match (m, narrow) {
                (6, false) => kernel::<6, 2>(self),
                (5, false) => kernel::<5, 2>(self),
                (4, false) => kernel::<4, 2>(self),
                (3, false) => kernel::<3, 2>(self),
                (2, false) => kernel::<2, 2>(self),
                (1, false) => kernel::<1, 2>(self),
                (6, true) => kernel::<6, 1>(self),
                (5, true) => kernel::<5, 1>(self),
                (4, true) => kernel::<4, 1>(self),
                (3, true) => kernel::<3, 1>(self),
                (2, true) => kernel::<2, 1>(self),
                (1, true) => kernel::<1, 1>(self),
                _ => debug_assert!(false, "a tile has 1 to 6 rows, not {m}"),
            }
        }
    }
}

// Indices, since iterators over the accumulators keep them in memory. Never inlined, so that each is a function of its own to the browser's optimising compiler, hot after a few thousand tiles.
#[allow(clippy::needless_range_loop)]
#[inline(never)]
unsafe fn kernel<const M: usize, const N: usize>(t: &Tile) {
    let mut acc = [[V::zero(); N]; M];
    // Addresses as integers and a count that goes down: from a pointer or a range LLVM would make address arithmetic that costs an instruction
    // a load, or a loop that the engine unrolls and then spills (0.74 of the peak rather than 0.90).
    let (mut a_at, mut b_at) = (t.a.expose_provenance(), t.b.expose_provenance());
    let mut k = t.depth;
    // SAFETY: the caller promises that the panels are readable. Of C, a whole tile is written only where there are N vectors of columns.
    unsafe {
        while k > 0 {
            let a: *const f32 = core::ptr::with_exposed_provenance(a_at);
            let b: *const f32 = core::ptr::with_exposed_provenance(b_at);
            let mut bv = [V::zero(); N];
            for j in 0..N {
                bv[j] = V::load(b.add(j * LANES));
            }
            for r in 0..M {
                let av = V::load_splat(a.add(r));
                for j in 0..N {
                    acc[r][j] = av.mul_add(bv[j], acc[r][j]);
                }
            }
            a_at = a_at.wrapping_add(M * size_of::<f32>());
            b_at = b_at.wrapping_add(N * LANES * size_of::<f32>());
            k -= 1;
        }
        if t.cols < N * LANES {
            for (acc, &c) in acc.iter().zip(&t.c) {
                let mut lanes = [0.0; TILE_COLS];
                for (j, v) in acc.iter().enumerate() {
                    v.store(lanes.as_mut_ptr().add(j * LANES));
                }
                store_part(c, &lanes, t.cols, t.accumulate);
            }
        } else if t.accumulate {
            for (acc, &c) in acc.iter().zip(&t.c) {
                for (j, v) in acc.iter().enumerate() {
                    let c = c.add(j * LANES);
                    V::load(c).add(*v).store(c);
                }
            }
        } else {
            for (acc, &c) in acc.iter().zip(&t.c) {
                for (j, v) in acc.iter().enumerate() {
                    v.store(c.add(j * LANES));
                }
            }
        }
    }
}

#[inline(never)]
unsafe fn store_part(row: *mut f32, lanes: &[f32; TILE_COLS], cols: usize, accumulate: bool) {
    for (j, &v) in lanes.iter().enumerate().take(cols) {
        // SAFETY: the caller's: `cols` elements are writable.
        unsafe {
            let p = row.add(j);
            *p = if accumulate { *p + v } else { v };
        }
    }
}
