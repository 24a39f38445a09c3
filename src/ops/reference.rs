//! The heavy kernels as plain loops: what double precision runs, and what the SIMD kernels are tested against.

use super::real::Real;
use crate::simd::{AttentionInputs, AttentionShape, ConvShape, HIDDEN, Mat, PoolShape};

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

/// Σᵢ aᵢ bᵢ.
fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    a.iter().zip(b).map(|(&a, &b)| a * b).sum()
}

/// Calls `visit(query, keys, scores)` for each row of the queries, with the rows of the keys that it sees and its score with each.
fn each_query<T: Real>(s: &AttentionShape, x: AttentionInputs<T>, mut visit: impl FnMut(usize, &[usize], &[T])) {
    let scale = T::of(f64::from(s.scale));
    for (n, h) in grid(s.batch, s.heads) {
        let ((query, step), (key, key_step), mask) = (s.query(n, h), s.key(n, h), x.mask_of(n, s.keys));
        for i in 0..s.queries {
            let row = query + i * step;
            let keys: Vec<usize> = (0..s.seen(i)).map(|j| key + j * key_step).collect();
            let q = &x.q[row * s.dim..][..s.dim];
            let hidden = |j: usize| mask.is_some_and(|mask| mask[j] == T::ZERO);
            let below = |hidden: bool| if hidden { T::of(f64::from(HIDDEN)) } else { T::ZERO };
            let top = below((0..keys.len()).all(hidden));
            let score = |(j, &key): (usize, &usize)| scale * dot(q, &x.k[key * s.dim..][..s.dim]) + below(hidden(j)) - top;
            let scores: Vec<T> = keys.iter().enumerate().map(score).collect();
            visit(row, &keys, &scores);
        }
    }
}

/// See [`Real::attention`].
pub fn attention<T: Real>(s: &AttentionShape, x: AttentionInputs<T>, out: &mut [T]) {
    let (attended, lse) = out.split_at_mut(s.query_rows() * s.value_dim);
    each_query(s, x, |query, keys, scores| {
        let most = scores.iter().copied().fold(T::NEG_INFINITY, T::maximum);
        let powers: Vec<T> = scores.iter().map(|&score| (score - most).exp()).collect();
        let total: T = powers.iter().copied().sum();
        for (e, out) in attended[query * s.value_dim..][..s.value_dim].iter_mut().enumerate() {
            *out = powers.iter().zip(keys).map(|(&power, &key)| power / total * x.v[key * s.value_dim + e]).sum();
        }
        lse[query] = most + total.ln();
    });
}

/// See [`Real::attention_grad`].
pub fn attention_grad<T: Real>(s: &AttentionShape, x: AttentionInputs<T>, saved: &[T], dy: &[T], out: &mut [T]) {
    let (dim, value_dim, scale) = (s.dim, s.value_dim, T::of(f64::from(s.scale)));
    let attended = s.query_rows() * value_dim;
    let ((y, lse), (dy, d_lse)) = (saved.split_at(attended), dy.split_at(attended));
    out.fill(T::ZERO);
    let (dq, rest) = out.split_at_mut(s.query_rows() * dim);
    let (dk, dv) = rest.split_at_mut(s.key_rows() * dim);
    each_query(s, x, |query, keys, scores| {
        let dy = &dy[query * value_dim..][..value_dim];
        let level = dot(dy, &y[query * value_dim..][..value_dim]) - d_lse.get(query).copied().unwrap_or(T::ZERO);
        for (&score, &key) in scores.iter().zip(keys) {
            let weight = (score - lse[query]).exp();
            let slope = weight * (dot(dy, &x.v[key * value_dim..][..value_dim]) - level) * scale;
            (0..value_dim).for_each(|e| dv[key * value_dim + e] += weight * dy[e]);
            for d in 0..dim {
                dk[key * dim + d] += slope * x.q[query * dim + d];
                dq[query * dim + d] += slope * x.k[key * dim + d];
            }
        }
    });
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

/// The row's mean, and 1 / √(σ² + ε).
fn statistics<T: Real>(x: &[T], epsilon: T) -> (T, T) {
    let count = T::of(x.len() as f64);
    let mean = x.iter().copied().sum::<T>() / count;
    let variance = x.iter().map(|&x| (x - mean) * (x - mean)).sum::<T>() / count;
    (mean, T::ONE / (variance + epsilon).sqrt())
}

/// [`Real::normalize`].
pub fn normalize<T: Real>(x: &[T], epsilon: T, y: &mut [T]) {
    let (mean, scale) = statistics(x, epsilon);
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = (x - mean) * scale);
}

/// [`Real::normalize_dx`]: dx = s (dy − mean(dy) − h mean(dy h)), with h = s (x − μ).
pub fn normalize_dx<T: Real>(x: &[T], dy: &[T], epsilon: T, dx: &mut [T]) {
    let (mean, scale) = statistics(x, epsilon);
    let count = T::of(x.len() as f64);
    let level = dy.iter().copied().sum::<T>() / count;
    let slope = x.iter().zip(dy).map(|(&x, &dy)| dy * (x - mean) * scale).sum::<T>() / count;
    for ((dx, &x), &dy) in dx.iter_mut().zip(x).zip(dy) {
        *dx = scale * (dy - level - (x - mean) * scale * slope);
    }
}

/// Row sums.
pub fn sum_cols<T: Real>(x: &[T], rows: usize, cols: usize, out: &mut [T]) {
    for (out, row) in out.iter_mut().zip(x[..rows * cols].chunks_exact(cols)) {
        *out = row.iter().copied().sum();
    }
}
