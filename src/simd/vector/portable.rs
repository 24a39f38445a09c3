//! [`V`] as an array, for targets without an implementation of their own.

use core::array::from_fn;

fn mask(set: bool) -> f32 {
    f32::from_bits(if set { u32::MAX } else { 0 })
}

/// Four f32 lanes.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct V([f32; 4]);

#[allow(missing_docs)]
impl V {
    #[inline(always)]
    pub fn splat(x: f32) -> V {
        V([x; 4])
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
        V(unsafe { p.cast::<[f32; 4]>().read_unaligned() })
    }
    /// # Safety
    /// One f32 must be readable at `p`.
    #[inline(always)]
    pub unsafe fn load_splat(p: *const f32) -> V {
        // SAFETY: the caller's.
        V::splat(unsafe { *p })
    }
    /// # Safety
    /// Four f32 must be writable at `p`.
    #[inline(always)]
    pub unsafe fn store(self, p: *mut f32) {
        // SAFETY: the caller's; no alignment is needed.
        unsafe { p.cast::<[f32; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    pub fn add(self, o: V) -> V {
        V(from_fn(|i| self.0[i] + o.0[i]))
    }
    #[inline(always)]
    pub fn sub(self, o: V) -> V {
        V(from_fn(|i| self.0[i] - o.0[i]))
    }
    #[inline(always)]
    pub fn mul(self, o: V) -> V {
        V(from_fn(|i| self.0[i] * o.0[i]))
    }
    #[inline(always)]
    pub fn div(self, o: V) -> V {
        V(from_fn(|i| self.0[i] / o.0[i]))
    }
    #[inline(always)]
    pub fn sqrt(self) -> V {
        V(from_fn(|i| self.0[i].sqrt()))
    }
    /// self · a + b, rounded twice.
    #[inline(always)]
    pub fn mul_add(self, a: V, b: V) -> V {
        self.mul(a).add(b)
    }
    /// `self` where it is at least 0 or NaN, 0 elsewhere.
    #[inline(always)]
    pub fn relu(self) -> V {
        V(self.0.map(|x| if x < 0.0 { 0.0 } else { x }))
    }
    #[inline(always)]
    pub fn gt(self, o: V) -> V {
        V(from_fn(|i| mask(self.0[i] > o.0[i])))
    }
    #[inline(always)]
    pub fn lt(self, o: V) -> V {
        V(from_fn(|i| mask(self.0[i] < o.0[i])))
    }
    #[inline(always)]
    pub fn is_nan(self) -> V {
        V(from_fn(|i| mask(self.0[i].is_nan())))
    }
    #[inline(always)]
    pub fn eq_bits(self, o: V) -> V {
        V(from_fn(|i| mask(self.0[i].to_bits() == o.0[i].to_bits())))
    }
    #[inline(always)]
    pub fn and(self, o: V) -> V {
        V(from_fn(|i| f32::from_bits(self.0[i].to_bits() & o.0[i].to_bits())))
    }
    #[inline(always)]
    pub fn or(self, o: V) -> V {
        V(from_fn(|i| f32::from_bits(self.0[i].to_bits() | o.0[i].to_bits())))
    }
    /// `a` where the mask self is set, `b` elsewhere.
    #[inline(always)]
    pub fn select(self, a: V, b: V) -> V {
        V(from_fn(|i| if self.0[i].to_bits() != 0 { a.0[i] } else { b.0[i] }))
    }
    #[inline(always)]
    pub fn add_bits(self, o: V) -> V {
        V(from_fn(|i| f32::from_bits(self.0[i].to_bits().wrapping_add(o.0[i].to_bits()))))
    }
    #[inline(always)]
    pub fn sub_bits(self, o: V) -> V {
        V(from_fn(|i| f32::from_bits(self.0[i].to_bits().wrapping_sub(o.0[i].to_bits()))))
    }
    #[inline(always)]
    pub fn shl_bits<const N: u32>(self) -> V {
        V(from_fn(|i| f32::from_bits(self.0[i].to_bits() << N)))
    }
    /// Arithmetic shift.
    #[inline(always)]
    pub fn shr_bits<const N: u32>(self) -> V {
        V(from_fn(|i| f32::from_bits((self.0[i].to_bits() as i32 >> N) as u32)))
    }
    /// The lanes as i32, converted to f32.
    #[inline(always)]
    pub fn bits_to_f32(self) -> V {
        V(from_fn(|i| self.0[i].to_bits() as i32 as f32))
    }
    /// Writes the first two lanes.
    ///
    /// # Safety
    /// Two f32 must be writable at `p`.
    #[inline(always)]
    pub unsafe fn store_low(self, p: *mut f32) {
        // SAFETY: the caller's; no alignment is needed.
        unsafe { p.cast::<[f32; 2]>().write_unaligned([self.0[0], self.0[1]]) }
    }
    /// Writes the last two lanes.
    ///
    /// # Safety
    /// Two f32 must be writable at `p`.
    #[inline(always)]
    pub unsafe fn store_high(self, p: *mut f32) {
        // SAFETY: the caller's; no alignment is needed.
        unsafe { p.cast::<[f32; 2]>().write_unaligned([self.0[2], self.0[3]]) }
    }
    /// [a0, b0, a1, b1] and [a2, b2, a3, b3].
    #[inline(always)]
    pub fn zip(self, o: V) -> [V; 2] {
        let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (self.0, o.0);
        [V([a0, b0, a1, b1]), V([a2, b2, a3, b3])]
    }
    /// [a0, a1, b0, b1] and [a2, a3, b2, b3].
    #[inline(always)]
    pub fn halves(self, o: V) -> [V; 2] {
        let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (self.0, o.0);
        [V([a0, a1, b0, b1]), V([a2, a3, b2, b3])]
    }
    #[inline(always)]
    pub fn xor(self, o: V) -> V {
        V(from_fn(|i| f32::from_bits(self.0[i].to_bits() ^ o.0[i].to_bits())))
    }
    #[inline(always)]
    pub fn eq(self, o: V) -> V {
        V(from_fn(|i| mask(self.0[i] == o.0[i])))
    }
    /// Within `low`, below 0, and `high`, above; a NaN becomes one of them.
    #[inline(always)]
    pub fn clamp(self, low: V, high: V) -> V {
        V(from_fn(|i| self.0[i].max(low.0[i]).min(high.0[i])))
    }
}
