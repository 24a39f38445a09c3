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

/// Operands: C\[r, j\] (+)= Σ_k A\[r, k\] · B\[k, j\], A of `m` rows as a panel \[k, m\], for a few tiles side by side.
pub(super) struct Tile {
    /// Panel of A.
    pub a: *const f32,
    /// First of B's panels, which lie behind one another.
    pub b: *const f32,
    /// Length of the sum.
    pub depth: usize,
    /// First element of each row of C.
    pub c: [*mut f32; TILE_ROWS],
    /// Columns of C.
    pub cols: usize,
    /// Adds to C rather than overwriting it.
    pub accumulate: bool,
}

/// Width of the panel that holds `cols` columns of B: a narrow one costs half the work.
pub(super) fn panel_width(cols: usize) -> usize {
    if cols <= LANES { LANES } else { TILE_COLS }
}

/// Columns of C to compute per call: as many as have their panels of B, of `depth` steps, in half the first cache.
pub(super) fn columns_at_once(depth: usize) -> usize {
    (4096 / TILE_COLS / depth.max(1)).max(1) * TILE_COLS
}

impl Tile {
    /// Computes the first `m` rows, 1 to 6.
    ///
    /// # Safety
    /// The panels must be readable and the first `m` rows of C writable for `cols` elements that overlap neither one another, A nor B.
    pub(super) unsafe fn run(&self, m: usize) {
        let whole = self.cols / TILE_COLS * TILE_COLS;
        // SAFETY: the caller's, for a part of the columns each.
        unsafe {
            match m {
                6 => self.tiles::<6>(whole),
                5 => self.tiles::<5>(whole),
                4 => self.tiles::<4>(whole),
                3 => self.tiles::<3>(whole),
                2 => self.tiles::<2>(whole),
                1 => self.tiles::<1>(whole),
                _ => debug_assert!(false, "a tile has 1 to 6 rows, not {m}"),
            }
        }
    }

    /// # Safety
    /// That of [`Tile::run`] for `M` rows; `whole` is the greatest multiple of a tile's columns.
    #[inline(always)]
    unsafe fn tiles<const M: usize>(&self, whole: usize) {
        // SAFETY: the caller's, for a part of the columns each.
        unsafe {
            if whole > 0 {
                kernel::<M, 2>(self, 0, whole);
            }
            if self.cols > whole {
                match panel_width(self.cols - whole) {
                    LANES => kernel::<M, 1>(self, whole, self.cols),
                    _ => kernel::<M, 2>(self, whole, self.cols),
                }
            }
        }
    }
}

// Indices, since iterators over the accumulators keep them in memory. Never inlined, so that each is a function of its own to the browser's optimising compiler, hot after a few thousand tiles.
#[allow(clippy::needless_range_loop)]
#[inline(never)]
unsafe fn kernel<const M: usize, const N: usize>(t: &Tile, from: usize, to: usize) {
    let mut b_at = t.b.expose_provenance() + from * t.depth * size_of::<f32>();
    let mut col = from;
    while col < to {
        let mut acc = [[V::zero(); N]; M];
        // Addresses as integers and a count that goes down: from a pointer or a range LLVM would make address arithmetic that costs an
        // instruction a load, or a loop that the engine unrolls and then spills (0.74 of the peak rather than 0.90).
        let mut a_at = t.a.expose_provenance();
        let mut k = t.depth;
        // SAFETY: the caller promises that the panels are readable, and columns `from..to` of C writable. A whole tile is written only where
        // there are N vectors of them.
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
            if to - col < N * LANES {
                for (acc, &c) in acc.iter().zip(&t.c) {
                    let mut lanes = [0.0; TILE_COLS];
                    for (j, v) in acc.iter().enumerate() {
                        v.store(lanes.as_mut_ptr().add(j * LANES));
                    }
                    store_part(c.add(col), &lanes, to - col, t.accumulate);
                }
            } else if t.accumulate {
                for (acc, &c) in acc.iter().zip(&t.c) {
                    for (j, v) in acc.iter().enumerate() {
                        let c = c.add(col + j * LANES);
                        V::load(c).add(*v).store(c);
                    }
                }
            } else {
                for (acc, &c) in acc.iter().zip(&t.c) {
                    for (j, v) in acc.iter().enumerate() {
                        v.store(c.add(col + j * LANES));
                    }
                }
            }
        }
        col += N * LANES;
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
