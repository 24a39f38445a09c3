//! The heavy kernels as plain loops: what double precision runs, and what the SIMD kernels are tested against.

use super::real::Real;
use crate::simd::{ConvShape, Mat, PoolShape};

/// f of each element.
pub fn map<T: Copy>(x: &[T], out: &mut [T], f: impl Fn(T) -> T) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out = f(x);
    }
}

/// C = A B.
pub fn gemm<T: Real>(a: Mat<T>, b: Mat<T>, c: &mut [T]) {
    for i in 0..a.rows {
        let row = &mut c[i * b.cols..(i + 1) * b.cols];
        row.fill(T::ZERO);
        for k in 0..a.cols {
            let left = a.data[i * a.row_stride + k * a.col_stride];
            for (j, out) in row.iter_mut().enumerate() {
                *out += left * b.data[k * b.row_stride + j * b.col_stride];
            }
        }
    }
}

/// Calls `visit(x, w, y)` with the flat positions of every product of a convolution, in a fixed order.
fn each_product(s: &ConvShape, mut visit: impl FnMut(usize, usize, usize)) {
    let (group_in, group_out) = (s.in_c / s.groups, s.out_c / s.groups);
    for n in 0..s.batch {
        for (i, j) in grid(s.out_h, s.out_w) {
            for (p, q) in grid(s.k_h, s.k_w) {
                let row = (i * s.stride[0] + p * s.dilation[0]).wrapping_sub(s.pad_top);
                let col = (j * s.stride[1] + q * s.dilation[1]).wrapping_sub(s.pad_left);
                if row >= s.in_h || col >= s.in_w {
                    continue;
                }
                for c in 0..group_in {
                    for o in 0..s.out_c {
                        let channel = o / group_out * group_in + c;
                        visit(
                            ((n * s.in_h + row) * s.in_w + col) * s.in_c + channel,
                            ((p * s.k_w + q) * group_in + c) * s.out_c + o,
                            ((n * s.out_h + i) * s.out_w + j) * s.out_c + o,
                        );
                    }
                }
            }
        }
    }
}

fn grid(rows: usize, cols: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).flat_map(move |i| (0..cols).map(move |j| (i, j)))
}

/// See [`Real::conv2d`].
pub fn conv2d<T: Real>(s: &ConvShape, x: &[T], w: &[T], y: &mut [T]) {
    y.fill(T::ZERO);
    each_product(s, |xi, wi, yi| y[yi] += x[xi] * w[wi]);
}

/// See [`Real::conv2d_dx`].
pub fn conv2d_dx<T: Real>(s: &ConvShape, dy: &[T], w: &[T], dx: &mut [T]) {
    dx.fill(T::ZERO);
    each_product(s, |xi, wi, yi| dx[xi] += dy[yi] * w[wi]);
}

/// See [`Real::conv2d_dw`].
pub fn conv2d_dw<T: Real>(s: &ConvShape, x: &[T], dy: &[T], dw: &mut [T]) {
    dw.fill(T::ZERO);
    each_product(s, |xi, wi, yi| dw[wi] += dy[yi] * x[xi]);
}

/// Calls `visit(y, window)` for every output of a pooling, with the flat positions that its window covers, padding left out.
fn each_window(s: &PoolShape, mut visit: impl FnMut(usize, &[usize])) {
    let mut window = Vec::with_capacity(s.k_h * s.k_w);
    for n in 0..s.batch {
        for (i, j) in grid(s.out_h, s.out_w) {
            for c in 0..s.channels {
                window.clear();
                for (p, q) in grid(s.k_h, s.k_w) {
                    let row = (i * s.stride[0] + p).wrapping_sub(s.pad_top);
                    let col = (j * s.stride[1] + q).wrapping_sub(s.pad_left);
                    if row < s.in_h && col < s.in_w {
                        window.push(((n * s.in_h + row) * s.in_w + col) * s.channels + c);
                    }
                }
                visit(((n * s.out_h + i) * s.out_w + j) * s.channels + c, &window);
            }
        }
    }
}

fn first_max<T: Real>(x: &[T], window: &[usize]) -> usize {
    let mut best = window[0];
    for &candidate in &window[1..] {
        if x[candidate] > x[best] {
            best = candidate;
        }
    }
    best
}

/// See [`Real::max_pool2d`].
pub fn max_pool2d<T: Real>(s: &PoolShape, x: &[T], y: &mut [T]) {
    each_window(s, |yi, window| y[yi] = x[first_max(x, window)]);
}

/// See [`Real::max_pool2d_dx`].
pub fn max_pool2d_dx<T: Real>(s: &PoolShape, x: &[T], dy: &[T], dx: &mut [T]) {
    dx.fill(T::ZERO);
    each_window(s, |yi, window| dx[first_max(x, window)] += dy[yi]);
}

/// See [`Real::avg_pool2d`].
pub fn avg_pool2d<T: Real>(s: &PoolShape, x: &[T], y: &mut [T]) {
    each_window(s, |yi, window| {
        y[yi] = window.iter().map(|&xi| x[xi]).sum::<T>() / T::of(window.len() as f64);
    });
}

/// See [`Real::avg_pool2d_dx`].
pub fn avg_pool2d_dx<T: Real>(s: &PoolShape, dy: &[T], dx: &mut [T]) {
    dx.fill(T::ZERO);
    each_window(s, |yi, window| {
        let share = dy[yi] / T::of(window.len() as f64);
        window.iter().for_each(|&xi| dx[xi] += share);
    });
}

/// Column sums.
pub fn sum_rows<T: Real>(x: &[T], rows: usize, cols: usize, out: &mut [T]) {
    out.fill(T::ZERO);
    for row in x[..rows * cols].chunks_exact(cols) {
        for (out, &x) in out.iter_mut().zip(row) {
            *out += x;
        }
    }
}

/// Row sums.
pub fn sum_cols<T: Real>(x: &[T], rows: usize, cols: usize, out: &mut [T]) {
    for (out, row) in out.iter_mut().zip(x[..rows * cols].chunks_exact(cols)) {
        *out = row.iter().copied().sum();
    }
}
