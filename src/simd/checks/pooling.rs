//! Pooling beside plain loops over each window.

use super::{Lcg, Sum, compare};
use crate::pool::{PoolShape, avg_pool2d, avg_pool2d_dx, max_pool2d, max_pool2d_dx};

fn pool_shape(x: [usize; 4], k: [usize; 2], stride: [usize; 2], pad: [usize; 4]) -> Option<PoolShape> {
    let [batch, in_h, in_w, channels] = x;
    let out_h = (in_h + pad[0] + pad[2]).checked_sub(k[0])? / stride[0] + 1;
    let out_w = (in_w + pad[1] + pad[3]).checked_sub(k[1])? / stride[1] + 1;
    Some(PoolShape { batch, in_h, in_w, channels, out_h, out_w, k_h: k[0], k_w: k[1], stride, pad_top: pad[0], pad_left: pad[1] })
}

/// Elements of x in the window of output element `yi`, in order.
fn window(s: &PoolShape, yi: usize) -> Vec<usize> {
    let (n, oy, ox, c) =
        (yi / (s.channels * s.out_w * s.out_h), yi / (s.channels * s.out_w) % s.out_h, yi / s.channels % s.out_w, yi % s.channels);
    let mut found = Vec::new();
    for (ky, kx) in (0..s.k_h).flat_map(|ky| (0..s.k_w).map(move |kx| (ky, kx))) {
        let (iy, ix) = (oy * s.stride[0] + ky, ox * s.stride[1] + kx);
        if iy >= s.pad_top && ix >= s.pad_left && iy - s.pad_top < s.in_h && ix - s.pad_left < s.in_w {
            found.push(((n * s.in_h + iy - s.pad_top) * s.in_w + ix - s.pad_left) * s.channels + c);
        }
    }
    found
}

fn check_pool(random: &mut Lcg, s: &PoolShape) -> Result<(), String> {
    // Few values, so that windows have ties.
    let x: Vec<f32> = (0..s.x_len()).map(|_| random.below(9) as f32 - 5.0).collect();
    let dy = random.values(s.y_len());
    let mut max = vec![Sum::default(); s.y_len()];
    let mut max_dx = vec![Sum::default(); s.x_len()];
    let mut avg = max.clone();
    let mut avg_dx = max_dx.clone();
    for yi in 0..s.y_len() {
        let window = window(s, yi);
        let Some(&first) = window.first() else { return Ok(()) };
        let best = window.iter().fold(first, |best, &i| if x[i] > x[best] { i } else { best });
        max[yi].add(f64::from(x[best]));
        max_dx[best].add(f64::from(dy[yi]));
        for &i in &window {
            avg[yi].add(f64::from(x[i]) / window.len() as f64);
            avg_dx[i].add(f64::from(dy[yi]) / window.len() as f64);
        }
    }
    let (mut y, mut dx) = (vec![f32::NAN; s.y_len()], vec![f32::NAN; s.x_len()]);
    max_pool2d(s, &x, &mut y);
    compare(|| format!("max_pool2d {s:?}"), &y, &max)?;
    max_pool2d_dx(s, &x, &dy, &mut dx);
    compare(|| format!("max_pool2d_dx {s:?}"), &dx, &max_dx)?;
    avg_pool2d(s, &x, &mut y);
    compare(|| format!("avg_pool2d {s:?}"), &y, &avg)?;
    avg_pool2d_dx(s, &dy, &mut dx);
    compare(|| format!("avg_pool2d_dx {s:?}"), &dx, &avg_dx)
}

pub(super) fn poolings() -> Result<(), String> {
    let random = &mut Lcg(5);
    let table = [
        pool_shape([2, 26, 26, 32], [2, 2], [2, 2], [0; 4]),
        pool_shape([2, 11, 11, 64], [2, 2], [2, 2], [0; 4]),
        pool_shape([2, 11, 11, 5], [2, 2], [2, 2], [0, 0, 1, 1]),
        pool_shape([2, 8, 8, 7], [3, 3], [2, 2], [1; 4]),
        pool_shape([1, 5, 4, 3], [5, 4], [1, 1], [0; 4]),
    ];
    for (i, s) in table.iter().enumerate() {
        check_pool(random, s.as_ref().ok_or_else(|| format!("row {i} is no pooling"))?)?;
    }
    for _ in 0..100 {
        let x = [random.range(1, 3), random.range(1, 9), random.range(1, 9), random.range(1, 13)];
        let k = [random.range(1, 4), random.range(1, 4)];
        let stride = [random.range(1, 4), random.range(1, 4)];
        let pad = [random.below(k[0]), random.below(k[1]), random.below(k[0]), random.below(k[1])];
        if let Some(s) = pool_shape(x, k, stride, pad) {
            check_pool(random, &s)?;
        }
    }
    Ok(())
}

pub(super) fn pooling_order() -> Result<(), String> {
    let s = pool_shape([1, 2, 2, 1], [2, 2], [2, 2], [0; 4]).ok_or("no pooling")?;
    let (nan, low) = (f32::NAN, f32::NEG_INFINITY);
    for (x, y, at) in [([1.0, 2.0, 2.0, 0.0], 2.0, 1), ([low; 4], low, 0), ([1.0, nan, 3.0, 0.0], nan, 1), ([-0.0, 0.0, -0.0, 0.0], 0.0, 0)]
    {
        let (mut got, mut dx) = ([0.5], [0.5; 4]);
        max_pool2d(&s, &x, &mut got);
        max_pool2d_dx(&s, &x, &[7.0], &mut dx);
        let expected: Vec<f32> = (0..4).map(|i| if i == at { 7.0 } else { 0.0 }).collect();
        if (got[0] != y && !(got[0].is_nan() && y.is_nan())) || dx[..] != expected {
            return Err(format!("maximum of {x:?}: {got:?}, gradient {dx:?}"));
        }
    }
    Ok(())
}
