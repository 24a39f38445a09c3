//! Normalisation on the CPU: rows one by one; columns all at a time, so that memory is read in order.

use super::layout::Layout;
use crate::ops::Real;

pub(super) fn forward<T: Real>(layout: &Layout, epsilon: T, x: &[T], y: &mut [T]) {
    match *layout {
        Layout::Rows { length, .. } => {
            x.chunks_exact(length).zip(y.chunks_exact_mut(length)).for_each(|(x, y)| T::normalize(x, epsilon, y));
        }
        Layout::Columns { rows, cols } => {
            let (mean, scale) = column_statistics(x, rows, cols, epsilon);
            for (y, x) in y.chunks_exact_mut(cols).zip(x.chunks_exact(cols)) {
                for (((y, &x), &mean), &scale) in y.iter_mut().zip(x).zip(&mean).zip(&scale) {
                    *y = (x - mean) * scale;
                }
            }
        }
        Layout::Scattered { .. } => each_group(layout, &[x], y, |parts, y| T::normalize(&parts[0], epsilon, y)),
    }
}

pub(super) fn backward<T: Real>(layout: &Layout, epsilon: T, x: &[T], dy: &[T], dx: &mut [T]) {
    match *layout {
        Layout::Rows { length, .. } => {
            let operands = x.chunks_exact(length).zip(dy.chunks_exact(length));
            operands.zip(dx.chunks_exact_mut(length)).for_each(|((x, dy), dx)| T::normalize_dx(x, dy, epsilon, dx));
        }
        Layout::Columns { rows, cols } => {
            let (mean, scale) = column_statistics(x, rows, cols, epsilon);
            let level = column_means(dy, rows, cols, |_, dy| dy);
            let products = x.chunks_exact(cols).zip(dy.chunks_exact(cols)).zip(dx.chunks_exact_mut(cols));
            for ((x, dy), product) in products {
                for (((product, &x), &dy), &mean) in product.iter_mut().zip(x).zip(dy).zip(&mean) {
                    *product = dy * (x - mean);
                }
            }
            let slope = column_means(dx, rows, cols, |col, product| product * scale[col] * scale[col]);
            for ((dx, x), dy) in dx.chunks_exact_mut(cols).zip(x.chunks_exact(cols)).zip(dy.chunks_exact(cols)) {
                for col in 0..cols {
                    dx[col] = scale[col] * (dy[col] - level[col] - (x[col] - mean[col]) * slope[col]);
                }
            }
        }
        Layout::Scattered { .. } => each_group(layout, &[x, dy], dx, |parts, dx| T::normalize_dx(&parts[0], &parts[1], epsilon, dx)),
    }
}

/// Rows whose sum is taken before it is added to the total: long sums in single precision lose less that way.
const BLOCK: usize = 256;

/// Means of the columns, each passed through `finish(column, mean)`.
fn column_means<T: Real>(x: &[T], rows: usize, cols: usize, finish: impl Fn(usize, T) -> T) -> Vec<T> {
    let mut total = vec![T::ZERO; cols];
    let mut part = vec![T::ZERO; cols];
    for block in x.chunks(BLOCK * cols) {
        T::sum_rows(block, block.len() / cols, cols, &mut part);
        total.iter_mut().zip(&part).for_each(|(total, &part)| *total += part);
    }
    let count = T::of(rows as f64);
    total.iter().enumerate().map(|(col, &total)| finish(col, total / count)).collect()
}

/// Means of the columns, and 1 / √(σ² + ε).
fn column_statistics<T: Real>(x: &[T], rows: usize, cols: usize, epsilon: T) -> (Vec<T>, Vec<T>) {
    let mean = column_means(x, rows, cols, |_, mean| mean);
    let mut total = vec![T::ZERO; cols];
    let mut part = vec![T::ZERO; cols];
    for block in x.chunks(BLOCK * cols) {
        part.fill(T::ZERO);
        for row in block.chunks_exact(cols) {
            for ((part, &x), &mean) in part.iter_mut().zip(row).zip(&mean) {
                *part += (x - mean) * (x - mean);
            }
        }
        total.iter_mut().zip(&part).for_each(|(total, &part)| *total += part);
    }
    let count = T::of(rows as f64);
    let scale = total.into_iter().map(|total| T::ONE / (total / count + epsilon).sqrt()).collect();
    (mean, scale)
}

/// Copies each group's elements together, has them worked on, and puts the results back.
fn each_group<T: Real>(layout: &Layout, operands: &[&[T]], out: &mut [T], mut work: impl FnMut(&[Vec<T>], &mut [T])) {
    let (starts, offsets) = layout.offsets();
    let mut parts = vec![vec![T::ZERO; offsets.len()]; operands.len()];
    let mut result = vec![T::ZERO; offsets.len()];
    for start in starts {
        for (part, operand) in parts.iter_mut().zip(operands) {
            part.iter_mut().zip(&offsets).for_each(|(part, offset)| *part = operand[start + offset]);
        }
        work(&parts, &mut result);
        offsets.iter().zip(&result).for_each(|(offset, &value)| out[start + offset] = value);
    }
}
