//! The numbers that CPU code runs on: `f32` to train, `f64` to check gradients, and the heavy kernels of each.

use std::fmt::Debug;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

use crate::simd::{self, AttentionInputs, AttentionShape, ConvShape, Lanes, Mat, PoolShape};
use crate::tensor::{Shape, threefry2x32, uniform};

use super::reference;

/// What CPU code may use beside its inputs.
#[derive(Default)]
pub struct CpuCx {
    /// Seed of the session.
    pub seed: u32,
    /// Step number.
    pub step: u32,
    /// Packing buffers of the SIMD kernels.
    pub scratch: simd::Scratch,
}

impl CpuCx {
    /// The random number in [0, 1) of a stream at an index, at the present seed and step; as `random` in WGSL.
    pub fn random(&self, stream: u32, index: usize) -> f32 {
        uniform(threefry2x32([self.seed, stream], [self.step, index as u32])[0])
    }
}

/// A contiguous tensor that CPU code reads.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T> {
    /// Elements, row-major.
    pub data: &'a [T],
    /// Extents.
    pub shape: &'a Shape,
}

macro_rules! functions {
    ($($(#[$meta:meta])* $name:ident),*) => { $($(#[$meta])* #[must_use] fn $name(self) -> Self;)* };
}

/// A floating-point type with its kernels. Kernels of `f32` are SIMD code ([`crate::simd`]), those of `f64` the plain loops of
/// [`reference`], so that a check in double precision is a check against other code too.
pub trait Real:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Sum
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Negative infinity.
    const NEG_INFINITY: Self;
    /// The nearest number.
    fn of(value: f64) -> Self;
    /// As a double.
    fn double(self) -> f64;
    functions! {
        /// eˣ.
        exp,
        /// Natural logarithm.
        ln,
        /// Square root.
        sqrt,
        /// Magnitude.
        abs,
        /// Sine.
        sin,
        /// Cosine.
        cos,
        /// Hyperbolic tangent.
        tanh,
        /// The error function.
        erf,
        /// ln(1 + x).
        ln_1p
    }
    /// self to the power of `exponent`.
    #[must_use]
    fn powf(self, exponent: Self) -> Self;
    /// The larger; NaN if either is, as in PyTorch's `maximum`.
    #[must_use]
    #[allow(clippy::eq_op)]
    fn maximum(self, other: Self) -> Self {
        if self > other || self != self { self } else { other }
    }
    /// The smaller; NaN if either is.
    #[must_use]
    #[allow(clippy::eq_op)]
    fn minimum(self, other: Self) -> Self {
        if self < other || self != self { self } else { other }
    }
    /// 1 if true, else 0.
    #[must_use]
    fn flag(condition: bool) -> Self {
        if condition { Self::ONE } else { Self::ZERO }
    }

    /// C[m, n] = A[m, k] B[k, n], with C contiguous.
    fn gemm(a: Mat<Self>, b: Mat<Self>, c: &mut [Self], scratch: &mut simd::Scratch);
    /// y[n, i, j, o] = Σ x[n, i·s + p, j·s + q, c] w[p, q, c, o].
    fn conv2d(shape: &ConvShape, x: &[Self], w: &[Self], y: &mut [Self], scratch: &mut simd::Scratch);
    /// Gradient of [`Real::conv2d`] with respect to x.
    fn conv2d_dx(shape: &ConvShape, dy: &[Self], w: &[Self], dx: &mut [Self], scratch: &mut simd::Scratch);
    /// Gradient of [`Real::conv2d`] with respect to w.
    fn conv2d_dw(shape: &ConvShape, x: &[Self], dy: &[Self], dw: &mut [Self], scratch: &mut simd::Scratch);
    /// Largest of each window.
    fn max_pool2d(shape: &PoolShape, x: &[Self], y: &mut [Self]);
    /// Hands dy to the first largest of each window.
    fn max_pool2d_dx(shape: &PoolShape, x: &[Self], dy: &[Self], dx: &mut [Self]);
    /// Mean of each window, padding not counted.
    fn avg_pool2d(shape: &PoolShape, x: &[Self], y: &mut [Self]);
    /// Hands dy in equal shares to each window.
    fn avg_pool2d_dx(shape: &PoolShape, dy: &[Self], dx: &mut [Self]);
    /// softmax(scale Q Kᵀ) V of every head, and behind it the logarithms of the sums of powers.
    fn attention(shape: &AttentionShape, x: AttentionInputs<Self>, out: &mut [Self], scratch: &mut simd::Scratch);
    /// Gradients of [`Real::attention`] with respect to Q, K and V, given its result and the gradient with respect to that.
    fn attention_grad(
        shape: &AttentionShape,
        x: AttentionInputs<Self>,
        saved: &[Self],
        dy: &[Self],
        out: &mut [Self],
        scratch: &mut simd::Scratch,
    );
    /// A row less its mean, by √(σ² + ε).
    fn normalize(x: &[Self], epsilon: Self, y: &mut [Self]);
    /// Gradient of [`Real::normalize`].
    fn normalize_dx(x: &[Self], dy: &[Self], epsilon: Self, dx: &mut [Self]);
    /// Column sums of a matrix [rows, cols].
    fn sum_rows(x: &[Self], rows: usize, cols: usize, out: &mut [Self]);
    /// Row sums of a matrix [rows, cols].
    fn sum_cols(x: &[Self], rows: usize, cols: usize, out: &mut [Self]);
    /// A function of each pair of elements by SIMD code; false where there is none.
    fn lanes(_: Lanes, _a: &[Self], _b: &[Self], _out: &mut [Self]) -> bool {
        false
    }
    /// Exponential of each.
    fn exp_all(x: &[Self], out: &mut [Self]);
    /// Hyperbolic tangent of each.
    fn tanh_all(x: &[Self], out: &mut [Self]);
    /// Logistic function of each.
    fn sigmoid_all(x: &[Self], out: &mut [Self]);
    /// Standard normal distribution's integral up to each.
    fn normal_cdf_all(x: &[Self], out: &mut [Self]);
    /// The same, times each.
    fn gelu_all(x: &[Self], out: &mut [Self]);
}

macro_rules! scalar_functions {
    ($float:ident, $erf:path) => {
        const ZERO: Self = 0.0;
        const ONE: Self = 1.0;
        const NEG_INFINITY: Self = $float::NEG_INFINITY;

        fn of(value: f64) -> Self {
            value as $float
        }
        fn double(self) -> f64 {
            f64::from(self)
        }
        fn exp(self) -> Self {
            $float::exp(self)
        }
        fn ln(self) -> Self {
            $float::ln(self)
        }
        fn sqrt(self) -> Self {
            $float::sqrt(self)
        }
        fn abs(self) -> Self {
            $float::abs(self)
        }
        fn sin(self) -> Self {
            $float::sin(self)
        }
        fn cos(self) -> Self {
            $float::cos(self)
        }
        fn tanh(self) -> Self {
            $float::tanh(self)
        }
        fn erf(self) -> Self {
            $erf(self)
        }
        fn ln_1p(self) -> Self {
            $float::ln_1p(self)
        }
        fn powf(self, exponent: Self) -> Self {
            $float::powf(self, exponent)
        }
    };
}

macro_rules! kernels {
    ($($name:ident($($argument:ident: $kind:ty),*) => $target:expr;)*) => {$(
        fn $name($($argument: $kind),*) {
            $target($($argument),*)
        }
    )*};
}

impl Real for f32 {
    scalar_functions!(f32, libm::erff);

    fn gemm(a: Mat<f32>, b: Mat<f32>, c: &mut [f32], scratch: &mut simd::Scratch) {
        simd::gemm(a, b, c, false, scratch);
    }
    fn lanes(function: Lanes, a: &[f32], b: &[f32], out: &mut [f32]) -> bool {
        simd::lanes(function, a, b, out);
        true
    }
    fn attention(shape: &AttentionShape, x: AttentionInputs, out: &mut [f32], scratch: &mut simd::Scratch) {
        simd::attention(shape, x, out, scratch);
    }
    fn attention_grad(s: &AttentionShape, x: AttentionInputs, saved: &[f32], dy: &[f32], out: &mut [f32], scratch: &mut simd::Scratch) {
        simd::attention_grad(s, x, saved, dy, out, scratch);
    }

    kernels! {
        conv2d(shape: &ConvShape, x: &[f32], w: &[f32], y: &mut [f32], scratch: &mut simd::Scratch) => simd::conv2d;
        conv2d_dx(shape: &ConvShape, dy: &[f32], w: &[f32], dx: &mut [f32], scratch: &mut simd::Scratch) => simd::conv2d_dx;
        conv2d_dw(shape: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32], scratch: &mut simd::Scratch) => simd::conv2d_dw;
        max_pool2d(shape: &PoolShape, x: &[f32], y: &mut [f32]) => simd::max_pool2d;
        max_pool2d_dx(shape: &PoolShape, x: &[f32], dy: &[f32], dx: &mut [f32]) => simd::max_pool2d_dx;
        avg_pool2d(shape: &PoolShape, x: &[f32], y: &mut [f32]) => simd::avg_pool2d;
        avg_pool2d_dx(shape: &PoolShape, dy: &[f32], dx: &mut [f32]) => simd::avg_pool2d_dx;
        normalize(x: &[f32], epsilon: f32, y: &mut [f32]) => simd::normalize;
        normalize_dx(x: &[f32], dy: &[f32], epsilon: f32, dx: &mut [f32]) => simd::normalize_dx;
        sum_rows(x: &[f32], rows: usize, cols: usize, out: &mut [f32]) => simd::sum_rows;
        sum_cols(x: &[f32], rows: usize, cols: usize, out: &mut [f32]) => simd::sum_cols;
        exp_all(x: &[f32], out: &mut [f32]) => simd::exp;
        tanh_all(x: &[f32], out: &mut [f32]) => simd::tanh;
        sigmoid_all(x: &[f32], out: &mut [f32]) => simd::sigmoid;
        normal_cdf_all(x: &[f32], out: &mut [f32]) => simd::normal_cdf;
        gelu_all(x: &[f32], out: &mut [f32]) => simd::gelu;
    }
}

impl Real for f64 {
    scalar_functions!(f64, libm::erf);

    fn gemm(a: Mat<f64>, b: Mat<f64>, c: &mut [f64], _: &mut simd::Scratch) {
        reference::gemm(a, b, c);
    }
    fn attention(shape: &AttentionShape, x: AttentionInputs<f64>, out: &mut [f64], _: &mut simd::Scratch) {
        reference::attention(shape, x, out);
    }
    fn attention_grad(s: &AttentionShape, x: AttentionInputs<f64>, saved: &[f64], dy: &[f64], out: &mut [f64], _: &mut simd::Scratch) {
        reference::attention_grad(s, x, saved, dy, out);
    }
    fn conv2d(shape: &ConvShape, x: &[f64], w: &[f64], y: &mut [f64], _: &mut simd::Scratch) {
        reference::conv2d(shape, x, w, y);
    }
    fn conv2d_dx(shape: &ConvShape, dy: &[f64], w: &[f64], dx: &mut [f64], _: &mut simd::Scratch) {
        reference::conv2d_dx(shape, dy, w, dx);
    }
    fn conv2d_dw(shape: &ConvShape, x: &[f64], dy: &[f64], dw: &mut [f64], _: &mut simd::Scratch) {
        reference::conv2d_dw(shape, x, dy, dw);
    }

    kernels! {
        max_pool2d(shape: &PoolShape, x: &[f64], y: &mut [f64]) => reference::max_pool2d;
        max_pool2d_dx(shape: &PoolShape, x: &[f64], dy: &[f64], dx: &mut [f64]) => reference::max_pool2d_dx;
        avg_pool2d(shape: &PoolShape, x: &[f64], y: &mut [f64]) => reference::avg_pool2d;
        avg_pool2d_dx(shape: &PoolShape, dy: &[f64], dx: &mut [f64]) => reference::avg_pool2d_dx;
        normalize(x: &[f64], epsilon: f64, y: &mut [f64]) => reference::normalize;
        normalize_dx(x: &[f64], dy: &[f64], epsilon: f64, dx: &mut [f64]) => reference::normalize_dx;
        sum_rows(x: &[f64], rows: usize, cols: usize, out: &mut [f64]) => reference::sum_rows;
        sum_cols(x: &[f64], rows: usize, cols: usize, out: &mut [f64]) => reference::sum_cols;
        exp_all(x: &[f64], out: &mut [f64]) => |x: &[f64], out: &mut [f64]| reference::map(x, out, f64::exp);
        tanh_all(x: &[f64], out: &mut [f64]) => |x: &[f64], out: &mut [f64]| reference::map(x, out, f64::tanh);
        sigmoid_all(x: &[f64], out: &mut [f64]) => |x: &[f64], out: &mut [f64]| reference::map(x, out, |x| 1.0 / (1.0 + (-x).exp()));
        normal_cdf_all(x: &[f64], out: &mut [f64]) => |x: &[f64], out: &mut [f64]| reference::map(x, out, super::pointwise::cdf);
        gelu_all(x: &[f64], out: &mut [f64]) => |x: &[f64], out: &mut [f64]| reference::map(x, out, |x| x * super::pointwise::cdf(x));
    }
}
