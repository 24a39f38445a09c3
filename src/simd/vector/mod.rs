//! [`V`]: four f32 lanes, the same interface over three instruction sets.
//!
//! WebAssembly's SIMD128 (with the fused multiply-add of relaxed SIMD where the binary is built for it), SSE2 natively on x86-64, and plain
//! arrays elsewhere. A comparison gives a mask: all bits of a lane set or clear.
//!
//! There is no minimum or maximum on purpose: under relaxed SIMD, LLVM makes `f32x4_pmin` and `f32x4_pmax` into instructions that may lose a
//! NaN. Compare and select.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[path = "wasm.rs"]
mod imp;
#[cfg(target_arch = "x86_64")]
#[path = "sse2.rs"]
mod imp;
#[cfg(not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))))]
#[path = "portable.rs"]
mod imp;

pub(super) use imp::V;

/// Lanes of a [`V`].
pub(super) const LANES: usize = 4;

impl V {
    /// All lanes zero.
    #[inline(always)]
    pub fn zero() -> V {
        V::splat(0.0)
    }

    /// The lanes of an array.
    #[inline(always)]
    pub fn read(from: &[f32; LANES]) -> V {
        // SAFETY: the array holds four f32.
        unsafe { V::load(from.as_ptr()) }
    }

    /// Writes the lanes to an array.
    #[inline(always)]
    pub fn write(self, to: &mut [f32; LANES]) {
        // SAFETY: the array holds four f32.
        unsafe { self.store(to.as_mut_ptr()) }
    }

    /// The first `x.len()` lanes from a slice of at most four, the rest `fill`.
    #[inline(always)]
    pub fn read_part(x: &[f32], fill: f32) -> V {
        let mut lanes = [fill; LANES];
        lanes[..x.len()].copy_from_slice(x);
        V::read(&lanes)
    }

    /// Writes the first `to.len()` lanes.
    #[inline(always)]
    pub fn write_part(self, to: &mut [f32]) {
        let mut lanes = [0.0; LANES];
        self.write(&mut lanes);
        to.copy_from_slice(&lanes[..to.len()]);
    }

    /// (l0 + l2) + (l1 + l3).
    #[inline(always)]
    pub fn sum(self) -> f32 {
        let mut lanes = [0.0; LANES];
        self.write(&mut lanes);
        (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
    }

    /// The transpose of four vectors.
    #[inline(always)]
    pub fn transpose([a, b, c, d]: [V; 4]) -> [V; 4] {
        let ([ab_low, ab_high], [cd_low, cd_high]) = (a.zip(b), c.zip(d));
        let ([v0, v1], [v2, v3]) = (ab_low.halves(cd_low), ab_high.halves(cd_high));
        [v0, v1, v2, v3]
    }
}
