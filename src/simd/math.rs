//! exp, log, tanh and the sigmoid, four lanes at a time, within 2 units in the last place; limits, NaN, overflow and subnormals as in `f32`.

use core::hint::black_box;

use super::vector::{LANES, V};

/// out = eˣ.
#[inline(never)]
pub fn exp(x: &[f32], out: &mut [f32]) {
    let c = black_box(EXP);
    map(x, out, |x| exp_v(x, &c), exp);
}

/// out = 1 / (1 + e⁻ˣ).
#[inline(never)]
pub fn sigmoid(x: &[f32], out: &mut [f32]) {
    let c = black_box(EXP);
    map(x, out, |x| sigmoid_v(x, &c), sigmoid);
}

/// out = tanh x.
#[inline(never)]
pub fn tanh(x: &[f32], out: &mut [f32]) {
    let c = black_box((EXP, TANH));
    map(x, out, |x| tanh_v(x, &c.0, &c.1), tanh);
}

/// out = Φ(x), the standard normal distribution's integral; off by less than 3e-7.
#[inline(never)]
pub fn normal_cdf(x: &[f32], out: &mut [f32]) {
    let c = black_box((EXP, NORMAL_CDF));
    map(x, out, |x| normal_cdf_v(x, &c.0, &c.1), normal_cdf);
}

/// out = x Φ(x).
#[inline(never)]
pub fn gelu(x: &[f32], out: &mut [f32]) {
    let c = black_box((EXP, NORMAL_CDF));
    map(x, out, |x| x.mul(normal_cdf_v(x, &c.0, &c.1)), gelu);
}

/// out = ln x: −∞ at 0, NaN below.
#[inline(never)]
pub fn log(x: &[f32], out: &mut [f32]) {
    let c = black_box(LOG);
    map(x, out, |x| log_v(x, &c), log);
}

/// out = f(x). What is left over of whole vectors goes through the `whole` function again, so that f is called in one place, and inlined there.
#[inline(always)]
fn map(x: &[f32], out: &mut [f32], f: impl Fn(V) -> V, whole: fn(&[f32], &mut [f32])) {
    assert_eq!(x.len(), out.len(), "a function of as many elements");
    let (lanes, rest) = x.as_chunks::<LANES>();
    let (out_lanes, out_rest) = out.as_chunks_mut::<LANES>();
    for (x, out) in lanes.iter().zip(out_lanes) {
        f(V::read(x)).write(out);
    }
    if !rest.is_empty() {
        let (mut from, mut to) = ([1.0; LANES], [0.0; LANES]);
        from[..rest.len()].copy_from_slice(rest);
        whole(&from, &mut to);
        out_rest.copy_from_slice(&to[..rest.len()]);
    }
}

// Constants come through `black_box`, so that the compiler reads them from memory: a vector constant in WebAssembly is five instructions in
// the engine's code, each time round the loop.

/// Constants of [`exp_v`].
pub(super) struct Exp {
    /// Beyond these the result is ∞ or 0 for certain; within, n fits.
    high: f32,
    low: f32,
    log2_e: f32,
    /// 1.5 · 2²³: adding it rounds to an integer, which is then the low bits of the sum.
    magic: f32,
    /// −ln 2 in two parts: n times the first, of 9 bits, is exact.
    ln2_high: f32,
    ln2_low: f32,
    /// Of Taylor's series, from r⁷ down to r².
    series: [f32; 6],
    one: f32,
    /// Of an f32's exponent, as bits.
    bias: f32,
}

pub(super) const EXP: Exp = Exp {
    high: 89.0,
    low: -104.0,
    log2_e: core::f32::consts::LOG2_E,
    magic: 12_582_912.0,
    ln2_high: -355.0 / 512.0,
    ln2_low: 2.121_944_4e-4,
    series: [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5],
    one: 1.0,
    bias: f32::from_bits(127),
};

/// Horner's scheme: ((c\[0\] x + c\[1\]) x + ...) x + c\[last\].
#[inline(always)]
fn polynomial<const N: usize>(x: V, c: &[f32; N]) -> V {
    let mut sum = V::splat(c[0]);
    for c in &c[1..] {
        sum = sum.mul_add(x, V::splat(*c));
    }
    sum
}

/// x = n ln 2 + r, |r| <= ln 2 / 2, and eˣ = 2ⁿ eʳ, eʳ by Taylor's series to r⁷ (error 1e-9).
#[inline(always)]
pub(super) fn exp_v(x: V, c: &Exp) -> V {
    let nan = x.is_nan();
    let x = x.clamp(V::splat(c.low), V::splat(c.high));
    let magic = V::splat(c.magic);
    let shifted = x.mul_add(V::splat(c.log2_e), magic);
    let n = shifted.sub(magic);
    let r = n.mul_add(V::splat(c.ln2_high), x);
    let r = n.mul_add(V::splat(c.ln2_low), r);
    let e = polynomial(r, &c.series).mul_add(r.mul(r), r).add(V::splat(c.one));
    // 2ⁿ as the product of two powers, since n goes from -150 to 128; the result is rounded once, in the second product.
    let n = shifted.sub_bits(magic);
    let half = n.shr_bits::<1>();
    let bias = V::splat(c.bias);
    let power = half.add_bits(bias).shl_bits::<23>();
    let other = n.sub_bits(half).add_bits(bias).shl_bits::<23>();
    e.mul(power).mul(other).or(nan)
}

/// 1 / (1 + e⁻ˣ) for x >= 0, eˣ / (1 + eˣ) below: small results keep their digits.
#[inline(always)]
fn sigmoid_v(x: V, c: &Exp) -> V {
    let one = V::splat(c.one);
    let e = exp_v(x.or(V::splat(-0.0)), c);
    let numerator = x.lt(V::zero()).select(e, one);
    numerator.div(e.add(one))
}

/// Constants of [`tanh_v`].
struct Tanh {
    limit: f32,
    two: f32,
    /// From x⁹ down to x.
    series: [f32; 5],
}

const TANH: Tanh = Tanh { limit: 0.625, two: 2.0, series: [-5.704_988_7e-3, 2.063_909e-2, -5.373_971_5e-2, 1.333_144_2e-1, -3.333_328e-1] };

/// For |x| < 0.625 an odd polynomial, from `tanhf` of Cephes (S. Moshier); above, 1 − 2 / (e²ˣ + 1).
#[inline(always)]
fn tanh_v(x: V, exp: &Exp, c: &Tanh) -> V {
    let sign = x.and(V::splat(-0.0));
    let size = sign.xor(x);
    let square = x.mul(x);
    let small = polynomial(square, &c.series).mul(square).mul_add(x, x);
    let one = V::splat(exp.one);
    let e = exp_v(size.add(size), exp);
    let large = one.sub(V::splat(c.two).div(e.add(one)));
    size.lt(V::splat(c.limit)).select(small, large.or(sign))
}

/// Constants of [`normal_cdf_v`].
struct NormalCdf {
    /// 0.3275911 / √2.
    slope: f32,
    minus_half: f32,
    /// Half of Abramowitz and Stegun's, from t⁵ down to t.
    series: [f32; 5],
}

const NORMAL_CDF: NormalCdf =
    NormalCdf { slope: 0.231_641_9, minus_half: -0.5, series: [0.530_702_7, -0.726_576, 0.710_706_9, -0.142_248_37, 0.127_414_8] };

/// ½ erfc(|x| / √2) by Abramowitz and Stegun's 7.1.26 for the smaller side, and 1 less that for the larger.
#[inline(always)]
fn normal_cdf_v(x: V, exp: &Exp, c: &NormalCdf) -> V {
    let one = V::splat(exp.one);
    let size = x.and(V::splat(-0.0)).xor(x);
    let t = one.div(size.mul_add(V::splat(c.slope), one));
    let bell = exp_v(x.mul(x).mul(V::splat(c.minus_half)), exp);
    let tail = polynomial(t, &c.series).mul(t).mul(bell);
    x.lt(V::zero()).select(tail, one.sub(tail))
}

/// Constants of [`log_v`].
struct Log {
    min_normal: f32,
    /// 2²³, and its logarithm to the base 2.
    scale: f32,
    scale_log2: f32,
    /// √½.
    root_half: f32,
    one: f32,
    /// From m¹¹ down to m³.
    series: [f32; 9],
    half: f32,
    ln2_high: f32,
    ln2_low: f32,
    infinity: f32,
}

const LOG: Log = Log {
    min_normal: f32::MIN_POSITIVE,
    scale: 8_388_608.0,
    scale_log2: 23.0,
    root_half: core::f32::consts::FRAC_1_SQRT_2,
    one: 1.0,
    series: [
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
    half: -0.5,
    ln2_high: 355.0 / 512.0,
    ln2_low: -2.121_944_4e-4,
    infinity: f32::INFINITY,
};

/// x = 2ᵉ (1 + m) with √½ <= 1 + m < √2, ln x = e ln 2 + ln (1 + m): `logf` of Cephes (S. Moshier).
#[inline(always)]
fn log_v(x: V, c: &Log) -> V {
    let tiny = x.lt(V::splat(c.min_normal));
    let scaled = tiny.select(x.mul(V::splat(c.scale)), x);
    // Bits relative to those of √½: the exponent's field is then e, counted from where m is in range.
    let e = scaled.sub_bits(V::splat(c.root_half)).shr_bits::<23>();
    let m = scaled.sub_bits(e.shl_bits::<23>()).sub(V::splat(c.one));
    let e = e.bits_to_f32().sub(tiny.and(V::splat(c.scale_log2)));
    let square = m.mul(m);
    let y = polynomial(m, &c.series).mul(m).mul(square);
    let y = e.mul_add(V::splat(c.ln2_low), y);
    let y = square.mul_add(V::splat(c.half), y);
    let ln = e.mul_add(V::splat(c.ln2_high), m.add(y));
    // All bits set are a NaN.
    let (zero, infinity) = (V::zero(), V::splat(c.infinity));
    let ln = x.lt(infinity).select(ln, infinity).or(x.lt(zero)).or(x.is_nan());
    x.eq(zero).select(zero.sub(infinity), ln)
}
