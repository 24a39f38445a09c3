//! Heavy kernels over plain slices, knowing nothing of graphs or ops.

use crate::ops::reference;

/// A matrix view: element (i, j) at `data[i * row_stride + j * col_stride]`.
#[derive(Clone, Copy, Debug)]
pub struct Mat<'a, T = f32> {
    /// Elements.
    pub data: &'a [T],
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Elements between rows.
    pub row_stride: usize,
    /// Elements between columns.
    pub col_stride: usize,
}

/// Packing buffers.
#[derive(Clone, Debug, Default)]
pub struct Scratch;

/// Extents of a convolution: x `[N, H, W, C]`, kernel `[k_h, k_w, C / groups, O]`, y `[N, H', W', O]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ConvShape {
    pub batch: usize,
    pub in_h: usize,
    pub in_w: usize,
    pub in_c: usize,
    pub out_h: usize,
    pub out_w: usize,
    pub out_c: usize,
    pub k_h: usize,
    pub k_w: usize,
    pub stride: [usize; 2],
    pub pad_top: usize,
    pub pad_left: usize,
    pub dilation: [usize; 2],
    pub groups: usize,
}

/// Extents of a pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct PoolShape {
    pub batch: usize,
    pub in_h: usize,
    pub in_w: usize,
    pub channels: usize,
    pub out_h: usize,
    pub out_w: usize,
    pub k_h: usize,
    pub k_w: usize,
    pub stride: [usize; 2],
    pub pad_top: usize,
    pub pad_left: usize,
}

macro_rules! plain {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {$(
        #[allow(missing_docs)]
        pub fn $name($($argument: $kind,)* _: &mut Scratch) { reference::$name($($argument),*) }
    )*};
}
plain! {
    conv2d(s: &ConvShape, x: &[f32], w: &[f32], y: &mut [f32]);
    conv2d_dx(s: &ConvShape, dy: &[f32], w: &[f32], dx: &mut [f32]);
    conv2d_dw(s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]);
}
#[allow(missing_docs)]
pub fn gemm(a: Mat, b: Mat, c: &mut [f32], _accumulate: bool, _: &mut Scratch) {
    reference::gemm(a, b, c);
}
pub use reference::{avg_pool2d, avg_pool2d_dx, max_pool2d, max_pool2d_dx, sum_cols, sum_rows};
#[allow(missing_docs)]
pub fn exp(x: &[f32], out: &mut [f32]) {
    reference::map(x, out, f32::exp);
}
#[allow(missing_docs)]
pub fn tanh(x: &[f32], out: &mut [f32]) {
    reference::map(x, out, f32::tanh);
}
#[allow(missing_docs)]
pub fn sigmoid(x: &[f32], out: &mut [f32]) {
    reference::map(x, out, |x| 1.0 / (1.0 + (-x).exp()));
}
