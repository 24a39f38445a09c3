//! Depthwise convolution: every channel by itself, so channels are the lanes and there is no matrix product in it.
//!
//! All three work on images whose windows lie inside ([`Frame`]); slices hold whole images of it.

use super::conv_shape::{ConvShape, Frame};

/// Calls `visit(offset of y's pixel, offset of the pixel that it reads, offset of w's row)` for each pixel and element of the window, in order.
fn each(s: &ConvShape, frame: &Frame, images: usize, mut visit: impl FnMut(usize, usize, usize)) {
    let c = s.in_c;
    for n in 0..images {
        for oy in 0..s.out_h {
            for ox in 0..s.out_w {
                let y = ((n * s.out_h + oy) * s.out_w + ox) * c;
                for ky in 0..s.k_h {
                    let row = (n * frame.h + oy * s.stride[0] + ky * s.dilation[0]) * frame.w;
                    for kx in 0..s.k_w {
                        visit(y, (row + ox * s.stride[1] + kx * s.dilation[1]) * c, (ky * s.k_w + kx) * c);
                    }
                }
            }
        }
    }
}

/// y = x * w; y overwritten.
pub(super) fn forward(s: &ConvShape, frame: &Frame, x: &[f32], w: &[f32], y: &mut [f32]) {
    y.fill(0.0);
    let c = s.in_c;
    each(s, frame, y.len() / (s.out_h * s.out_w * c), |to, from, tap| add_product(&mut y[to..][..c], &x[from..][..c], &w[tap..][..c]));
}

/// Adds the gradient with respect to x.
pub(super) fn dx(s: &ConvShape, frame: &Frame, dy: &[f32], w: &[f32], dx: &mut [f32]) {
    let c = s.in_c;
    each(s, frame, dy.len() / (s.out_h * s.out_w * c), |from, to, tap| add_product(&mut dx[to..][..c], &dy[from..][..c], &w[tap..][..c]));
}

/// Adds the gradient with respect to w.
pub(super) fn dw(s: &ConvShape, frame: &Frame, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let c = s.in_c;
    each(s, frame, dy.len() / (s.out_h * s.out_w * c), |y, from, tap| add_product(&mut dw[tap..][..c], &x[from..][..c], &dy[y..][..c]));
}

/// c += a · b, element by element.
#[inline(always)]
fn add_product(c: &mut [f32], a: &[f32], b: &[f32]) {
    for ((c, a), b) in c.iter_mut().zip(a).zip(b) {
        *c += a * b;
    }
}
