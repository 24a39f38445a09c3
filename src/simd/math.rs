//! exp, log, tanh and the sigmoid, four lanes at a time, within 2 units in the last place; limits, NaN, overflow and subnormals as in `f32`.

use super::vector::{LANES, V};

/// out = eˣ.
pub fn exp(x: &[f32], out: &mut [f32]) {
    map(x, out, exp_v);
}

/// out = ln x: −∞ at 0, NaN below.
pub fn log(x: &[f32], out: &mut [f32]) {
    map(x, out, log_v);
}

/// out = tanh x.
pub fn tanh(x: &[f32], out: &mut [f32]) {
    map(x, out, tanh_v);
}

/// out = 1 / (1 + e⁻ˣ).
pub fn sigmoid(x: &[f32], out: &mut [f32]) {
    map(x, out, sigmoid_v);
}

#[inline(always)]
fn map(x: &[f32], out: &mut [f32], f: impl Fn(V) -> V) {
    assert_eq!(x.len(), out.len(), "a function of as many elements");
    let (lanes, rest) = x.as_chunks::<LANES>();
    let (out_lanes, out_rest) = out.as_chunks_mut::<LANES>();
    for (x, out) in lanes.iter().zip(out_lanes) {
        f(V::read(x)).write(out);
    }
    if !rest.is_empty() {
        f(V::read_part(rest, 1.0)).write_part(out_rest);
    }
}

const SIGN: u32 = 1 << 31;

/// Horner's scheme: ((c\[0\] x + c\[1\]) x + ...) x + c\[last\].
#[inline(always)]
fn polynomial<const N: usize>(x: V, c: [f32; N]) -> V {
    let mut sum = V::splat(c[0]);
    for c in &c[1..] {
        sum = sum.mul_add(x, V::splat(*c));
    }
    sum
}

/// x = n ln 2 + r, |r| <= ln 2 / 2, and eˣ = 2ⁿ eʳ, eʳ by Taylor's series to r⁷ (error 1e-9).
#[inline(always)]
fn exp_v(x: V) -> V {
    // Beyond these the result is 0 or ∞ for certain; within, n fits. Either keeps a NaN.
    let (high, low) = (V::splat(89.0), V::splat(-104.0));
    let x = x.gt(high).select(high, x);
    let x = x.lt(low).select(low, x);
    // Adding 1.5 · 2²³ rounds to an integer, which is then the low bits of the sum.
    let magic = V::splat(12_582_912.0);
    let shifted = x.mul(V::splat(core::f32::consts::LOG2_E)).add(magic);
    let n = shifted.sub(magic);
    // ln 2 in two parts: n times the first, of 9 bits, is exact.
    let r = n.mul_add(V::splat(-355.0 / 512.0), x);
    let r = n.mul_add(V::splat(2.121_944_4e-4), r);
    let e = polynomial(r, [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5]);
    let e = e.mul_add(r.mul(r), r).add(V::splat(1.0));
    // 2ⁿ as the product of two powers, since n goes from -150 to 128; the result is rounded once, in the second product.
    let n = shifted.sub_bits(magic);
    let half = n.shr_bits::<1>();
    let one = V::splat_bits(127);
    let power = half.add_bits(one).shl_bits::<23>();
    let other = n.sub_bits(half).add_bits(one).shl_bits::<23>();
    e.mul(power).mul(other)
}

/// 1 / (1 + e⁻ˣ) for x >= 0, eˣ / (1 + eˣ) below: small results keep their digits.
#[inline(always)]
fn sigmoid_v(x: V) -> V {
    let e = exp_v(x.or(V::splat_bits(SIGN as i32)));
    let numerator = x.lt(V::zero()).select(e, V::splat(1.0));
    numerator.div(e.add(V::splat(1.0)))
}

/// For |x| < 0.625 an odd polynomial, from `tanhf` of Cephes (S. Moshier); above, 1 − 2 / (e²ˣ + 1).
#[inline(always)]
fn tanh_v(x: V) -> V {
    let sign = x.and(V::splat_bits(SIGN as i32));
    let size = x.and(V::splat_bits(i32::MAX));
    let square = x.mul(x);
    let series = polynomial(square, [-5.704_988_7e-3, 2.063_909e-2, -5.373_971_5e-2, 1.333_144_2e-1, -3.333_328e-1]);
    let small = series.mul(square).mul_add(x, x);
    let e = exp_v(size.add(size));
    let large = V::splat(1.0).sub(V::splat(2.0).div(e.add(V::splat(1.0))));
    size.lt(V::splat(0.625)).select(small, large.or(sign))
}

/// x = 2ᵉ m with √½ <= m < √2, ln x = e ln 2 + ln m: `logf` of Cephes (S. Moshier).
#[inline(always)]
fn log_v(x: V) -> V {
    let tiny = x.lt(V::splat(f32::MIN_POSITIVE));
    let scaled = tiny.select(x.mul(V::splat(8_388_608.0)), x);
    // Bits relative to those of √½: the exponent's field is then e, counted from where m is in range.
    let offset = V::splat_bits(core::f32::consts::FRAC_1_SQRT_2.to_bits() as i32);
    let shifted = scaled.sub_bits(offset);
    let e = shifted.shr_bits::<23>();
    let m = scaled.sub_bits(e.shl_bits::<23>()).sub(V::splat(1.0));
    let e = e.bits_to_f32().sub(tiny.and(V::splat(23.0)));
    let square = m.mul(m);
    let p = polynomial(
        m,
        [
            7.037_683_6e-2,
            -1.151_461e-1,
            1.167_699_9e-1,
            -1.242_014_1e-1,
            1.424_932_3e-1,
            -1.666_805_7e-1,
            2.000_071_4e-1,
            -2.499_999_4e-1,
            3.333_333e-1,
        ],
    );
    let y = p.mul(m).mul(square);
    let y = e.mul_add(V::splat(-2.121_944_4e-4), y);
    let y = square.mul_add(V::splat(-0.5), y);
    let ln = e.mul_add(V::splat(355.0 / 512.0), m.add(y));
    let zero = V::zero();
    let infinity = V::splat(f32::INFINITY);
    let ln = x.lt(zero).or(x.is_nan()).select(V::splat(f32::NAN), ln);
    let ln = x.lt(infinity).or(x.is_nan()).select(ln, infinity);
    let nonzero = x.lt(zero).or(x.gt(zero)).or(x.is_nan());
    nonzero.select(ln, V::splat(f32::NEG_INFINITY))
}
