//! [`V`] in WebAssembly's SIMD128.

use core::arch::wasm32::*;

/// Four f32 lanes.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct V(v128);

#[allow(missing_docs)]
impl V {
    #[inline(always)]
    pub fn splat(x: f32) -> V {
        V(f32x4_splat(x))
    }
    #[inline(always)]
    pub fn splat_bits(x: i32) -> V {
        V(i32x4_splat(x))
    }
    /// # Safety
    /// Four f32 must be readable at `p`.
    #[inline(always)]
    pub unsafe fn load(p: *const f32) -> V {
        // SAFETY: the caller's; no alignment is needed.
        V(unsafe { v128_load(p.cast()) })
    }
    /// # Safety
    /// One f32 must be readable at `p`.
    #[inline(always)]
    pub unsafe fn load_splat(p: *const f32) -> V {
        // SAFETY: the caller's.
        V(unsafe { v128_load32_splat(p.cast()) })
    }
    /// # Safety
    /// Four f32 must be writable at `p`.
    #[inline(always)]
    pub unsafe fn store(self, p: *mut f32) {
        // SAFETY: the caller's; no alignment is needed.
        unsafe { v128_store(p.cast(), self.0) }
    }
    #[inline(always)]
    pub fn add(self, o: V) -> V {
        V(f32x4_add(self.0, o.0))
    }
    #[inline(always)]
    pub fn sub(self, o: V) -> V {
        V(f32x4_sub(self.0, o.0))
    }
    #[inline(always)]
    pub fn mul(self, o: V) -> V {
        V(f32x4_mul(self.0, o.0))
    }
    #[inline(always)]
    pub fn div(self, o: V) -> V {
        V(f32x4_div(self.0, o.0))
    }
    #[inline(always)]
    pub fn sqrt(self) -> V {
        V(f32x4_sqrt(self.0))
    }
    /// self · a + b, fused where the binary has relaxed SIMD and the machine the instruction.
    #[inline(always)]
    pub fn mul_add(self, a: V, b: V) -> V {
        #[cfg(target_feature = "relaxed-simd")]
        return V(f32x4_relaxed_madd(self.0, a.0, b.0));
        #[cfg(not(target_feature = "relaxed-simd"))]
        V(f32x4_add(f32x4_mul(self.0, a.0), b.0))
    }
    /// `self` where it is at least 0 or NaN, 0 elsewhere.
    #[inline(always)]
    pub fn relu(self) -> V {
        V(v128_andnot(self.0, f32x4_lt(self.0, f32x4_splat(0.0))))
    }
    #[inline(always)]
    pub fn gt(self, o: V) -> V {
        V(f32x4_gt(self.0, o.0))
    }
    #[inline(always)]
    pub fn lt(self, o: V) -> V {
        V(f32x4_lt(self.0, o.0))
    }
    #[inline(always)]
    pub fn is_nan(self) -> V {
        V(f32x4_ne(self.0, self.0))
    }
    #[inline(always)]
    pub fn eq_bits(self, o: V) -> V {
        V(i32x4_eq(self.0, o.0))
    }
    #[inline(always)]
    pub fn and(self, o: V) -> V {
        V(v128_and(self.0, o.0))
    }
    #[inline(always)]
    pub fn or(self, o: V) -> V {
        V(v128_or(self.0, o.0))
    }
    /// `a` where the mask self is set, `b` elsewhere.
    #[inline(always)]
    pub fn select(self, a: V, b: V) -> V {
        V(v128_bitselect(a.0, b.0, self.0))
    }
    #[inline(always)]
    pub fn add_bits(self, o: V) -> V {
        V(i32x4_add(self.0, o.0))
    }
    #[inline(always)]
    pub fn sub_bits(self, o: V) -> V {
        V(i32x4_sub(self.0, o.0))
    }
    #[inline(always)]
    pub fn shl_bits<const N: u32>(self) -> V {
        V(i32x4_shl(self.0, N))
    }
    /// Arithmetic shift.
    #[inline(always)]
    pub fn shr_bits<const N: u32>(self) -> V {
        V(i32x4_shr(self.0, N))
    }
    /// The lanes as i32, converted to f32.
    #[inline(always)]
    pub fn bits_to_f32(self) -> V {
        V(f32x4_convert_i32x4(self.0))
    }
    /// Writes the first two lanes.
    ///
    /// # Safety
    /// Two f32 must be writable at `p`.
    #[inline(always)]
    pub unsafe fn store_low(self, p: *mut f32) {
        // SAFETY: the caller's; no alignment is needed.
        unsafe { v128_store64_lane::<0>(self.0, p.cast()) }
    }
    /// Writes the last two lanes.
    ///
    /// # Safety
    /// Two f32 must be writable at `p`.
    #[inline(always)]
    pub unsafe fn store_high(self, p: *mut f32) {
        // SAFETY: the caller's; no alignment is needed.
        unsafe { v128_store64_lane::<1>(self.0, p.cast()) }
    }
    /// [a0, b0, a1, b1] and [a2, b2, a3, b3].
    #[inline(always)]
    pub fn zip(self, o: V) -> [V; 2] {
        [V(i32x4_shuffle::<0, 4, 1, 5>(self.0, o.0)), V(i32x4_shuffle::<2, 6, 3, 7>(self.0, o.0))]
    }
    /// [a0, a1, b0, b1] and [a2, a3, b2, b3].
    #[inline(always)]
    pub fn halves(self, o: V) -> [V; 2] {
        [V(i64x2_shuffle::<0, 2>(self.0, o.0)), V(i64x2_shuffle::<1, 3>(self.0, o.0))]
    }
    #[inline(always)]
    pub fn xor(self, o: V) -> V {
        V(v128_xor(self.0, o.0))
    }
    #[inline(always)]
    pub fn eq(self, o: V) -> V {
        V(f32x4_eq(self.0, o.0))
    }
    /// Within `low`, below 0, and `high`, above; a NaN becomes one of them.
    #[inline(always)]
    pub fn clamp(self, low: V, high: V) -> V {
        // As integers: negative numbers rise as unsigned ones with their size, and any is less than a positive one when signed.
        V(i32x4_min(u32x4_min(self.0, low.0), high.0))
    }
}
