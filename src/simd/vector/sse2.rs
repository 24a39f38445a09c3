//! [`V`] in SSE2, which every x86-64 has: native tests train networks through it.

use core::arch::x86_64::*;

macro_rules! sse2 {
    ($value:expr) => {
        // SAFETY: every x86-64 has SSE2, and these instructions touch no memory.
        unsafe { $value }
    };
}

/// Four f32 lanes.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct V(__m128);

#[allow(missing_docs)]
impl V {
    #[inline(always)]
    pub fn splat(x: f32) -> V {
        V(sse2!(_mm_set1_ps(x)))
    }
    #[inline(always)]
    pub fn splat_bits(x: i32) -> V {
        V::splat(f32::from_bits(x as u32))
    }
    /// # Safety
    /// Four f32 must be readable at `p`.
    #[inline(always)]
    pub unsafe fn load(p: *const f32) -> V {
        // SAFETY: the caller's; no alignment is needed.
        V(unsafe { _mm_loadu_ps(p) })
    }
    /// # Safety
    /// One f32 must be readable at `p`.
    #[inline(always)]
    pub unsafe fn load_splat(p: *const f32) -> V {
        // SAFETY: the caller's.
        V(unsafe { _mm_load1_ps(p) })
    }
    /// # Safety
    /// Four f32 must be writable at `p`.
    #[inline(always)]
    pub unsafe fn store(self, p: *mut f32) {
        // SAFETY: the caller's; no alignment is needed.
        unsafe { _mm_storeu_ps(p, self.0) }
    }
    #[inline(always)]
    pub fn add(self, o: V) -> V {
        V(sse2!(_mm_add_ps(self.0, o.0)))
    }
    #[inline(always)]
    pub fn sub(self, o: V) -> V {
        V(sse2!(_mm_sub_ps(self.0, o.0)))
    }
    #[inline(always)]
    pub fn mul(self, o: V) -> V {
        V(sse2!(_mm_mul_ps(self.0, o.0)))
    }
    #[inline(always)]
    pub fn div(self, o: V) -> V {
        V(sse2!(_mm_div_ps(self.0, o.0)))
    }
    #[inline(always)]
    pub fn sqrt(self) -> V {
        V(sse2!(_mm_sqrt_ps(self.0)))
    }
    /// self · a + b, rounded twice.
    #[inline(always)]
    pub fn mul_add(self, a: V, b: V) -> V {
        self.mul(a).add(b)
    }
    /// `self` where it is at least 0 or NaN, 0 elsewhere.
    #[inline(always)]
    pub fn relu(self) -> V {
        V(sse2!(_mm_andnot_ps(_mm_cmplt_ps(self.0, _mm_setzero_ps()), self.0)))
    }
    #[inline(always)]
    pub fn gt(self, o: V) -> V {
        V(sse2!(_mm_cmpgt_ps(self.0, o.0)))
    }
    #[inline(always)]
    pub fn lt(self, o: V) -> V {
        V(sse2!(_mm_cmplt_ps(self.0, o.0)))
    }
    #[inline(always)]
    pub fn is_nan(self) -> V {
        V(sse2!(_mm_cmpunord_ps(self.0, self.0)))
    }
    #[inline(always)]
    pub fn eq_bits(self, o: V) -> V {
        V(sse2!(_mm_castsi128_ps(_mm_cmpeq_epi32(_mm_castps_si128(self.0), _mm_castps_si128(o.0)))))
    }
    #[inline(always)]
    pub fn and(self, o: V) -> V {
        V(sse2!(_mm_and_ps(self.0, o.0)))
    }
    #[inline(always)]
    pub fn or(self, o: V) -> V {
        V(sse2!(_mm_or_ps(self.0, o.0)))
    }
    /// `a` where the mask self is set, `b` elsewhere.
    #[inline(always)]
    pub fn select(self, a: V, b: V) -> V {
        V(sse2!(_mm_or_ps(_mm_and_ps(self.0, a.0), _mm_andnot_ps(self.0, b.0))))
    }
    #[inline(always)]
    pub fn add_bits(self, o: V) -> V {
        V(sse2!(_mm_castsi128_ps(_mm_add_epi32(_mm_castps_si128(self.0), _mm_castps_si128(o.0)))))
    }
    #[inline(always)]
    pub fn sub_bits(self, o: V) -> V {
        V(sse2!(_mm_castsi128_ps(_mm_sub_epi32(_mm_castps_si128(self.0), _mm_castps_si128(o.0)))))
    }
    #[inline(always)]
    pub fn shl_bits<const N: u32>(self) -> V {
        V(sse2!(_mm_castsi128_ps(_mm_sll_epi32(_mm_castps_si128(self.0), _mm_cvtsi32_si128(N as i32)))))
    }
    /// Arithmetic shift.
    #[inline(always)]
    pub fn shr_bits<const N: u32>(self) -> V {
        V(sse2!(_mm_castsi128_ps(_mm_sra_epi32(_mm_castps_si128(self.0), _mm_cvtsi32_si128(N as i32)))))
    }
    /// The lanes as i32, converted to f32.
    #[inline(always)]
    pub fn bits_to_f32(self) -> V {
        V(sse2!(_mm_cvtepi32_ps(_mm_castps_si128(self.0))))
    }
    /// Writes the first two lanes.
    ///
    /// # Safety
    /// Two f32 must be writable at `p`.
    #[inline(always)]
    pub unsafe fn store_low(self, p: *mut f32) {
        // SAFETY: the caller's; no alignment is needed.
        unsafe { _mm_storel_pd(p.cast(), _mm_castps_pd(self.0)) }
    }
    /// Writes the last two lanes.
    ///
    /// # Safety
    /// Two f32 must be writable at `p`.
    #[inline(always)]
    pub unsafe fn store_high(self, p: *mut f32) {
        // SAFETY: the caller's; no alignment is needed.
        unsafe { _mm_storeh_pd(p.cast(), _mm_castps_pd(self.0)) }
    }
    /// [a0, b0, a1, b1] and [a2, b2, a3, b3].
    #[inline(always)]
    pub fn zip(self, o: V) -> [V; 2] {
        [V(sse2!(_mm_unpacklo_ps(self.0, o.0))), V(sse2!(_mm_unpackhi_ps(self.0, o.0)))]
    }
    /// [a0, a1, b0, b1] and [a2, a3, b2, b3].
    #[inline(always)]
    pub fn halves(self, o: V) -> [V; 2] {
        [V(sse2!(_mm_movelh_ps(self.0, o.0))), V(sse2!(_mm_movehl_ps(o.0, self.0)))]
    }
    #[inline(always)]
    pub fn xor(self, o: V) -> V {
        V(sse2!(_mm_xor_ps(self.0, o.0)))
    }
    #[inline(always)]
    pub fn eq(self, o: V) -> V {
        V(sse2!(_mm_cmpeq_ps(self.0, o.0)))
    }
    /// Within `low`, below 0, and `high`, above; a NaN becomes one of them.
    #[inline(always)]
    pub fn clamp(self, low: V, high: V) -> V {
        V(sse2!(_mm_min_ps(_mm_max_ps(self.0, low.0), high.0)))
    }
}
