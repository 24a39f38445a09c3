//! Normalisation of rows.

use super::gemm::dot;
use super::reduce::sum;
use super::vector::{LANES, V};

/// y = s (x − μ) with s = 1 / √(σ² + ε), μ and σ² the row's mean and variance.
///
/// # Panics
/// Unless both are as long.
#[inline(never)]
pub fn normalize(x: &[f32], epsilon: f32, y: &mut [f32]) {
    let scale = centre(x, epsilon, y);
    zip(x, x, y, |_, _, y| y.mul(V::splat(scale)));
}

/// The gradient of [`normalize`]: dx = s (dy − mean(dy) − h mean(dy h)), with h = s (x − μ).
///
/// # Panics
/// Unless all are as long.
#[inline(never)]
pub fn normalize_dx(x: &[f32], dy: &[f32], epsilon: f32, dx: &mut [f32]) {
    let scale = centre(x, epsilon, dx);
    let count = x.len() as f32;
    let slope = V::splat(dot(dy, dx) / count * scale * scale);
    let level = V::splat(sum(dy) / count);
    zip(x, dy, dx, |_, dy, dx| V::splat(scale).mul(dy.sub(level).sub(dx.mul(slope))));
}

/// y = x − μ; returns s.
fn centre(x: &[f32], epsilon: f32, y: &mut [f32]) -> f32 {
    let count = x.len() as f32;
    let mean = V::splat(sum(x) / count);
    zip(x, x, y, |x, _, _| x.sub(mean));
    1.0 / (dot(y, y) / count + epsilon).sqrt()
}

/// out = f(a, b, out).
#[inline(always)]
fn zip(a: &[f32], b: &[f32], out: &mut [f32], f: impl Fn(V, V, V) -> V) {
    assert!(a.len() == out.len() && b.len() == out.len(), "rows of {}, {} and {} elements", a.len(), b.len(), out.len());
    let ((a, a_rest), (b, b_rest), (out, out_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>(), out.as_chunks_mut::<LANES>());
    for ((a, b), out) in a.iter().zip(b).zip(out) {
        f(V::read(a), V::read(b), V::read(out)).write(out);
    }
    if !out_rest.is_empty() {
        f(V::read_part(a_rest, 0.0), V::read_part(b_rest, 0.0), V::read_part(out_rest, 0.0)).write_part(out_rest);
    }
}
