//! Walking a tensor by other strides than its own, a line of the last axis at a time: how the CPU transposes, slices and pads.

use crate::tensor::Shape;

/// Calls `visit(flat, at)` for every line along the last axis of a box of these extents: `flat` is where the line begins in row-major order,
/// `at` where it begins when a step along axis `k` is `strides[k]`, from `offset`.
fn each_line(extents: &Shape, strides: &[usize], offset: usize, mut visit: impl FnMut(usize, usize)) {
    let outer = extents.rank().saturating_sub(1);
    let length = extents.last().copied().unwrap_or(1);
    let mut index = vec![0; outer];
    let mut at = offset;
    for flat in (0..extents.numel()).step_by(length.max(1)) {
        visit(flat, at);
        for axis in (0..outer).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < extents[axis] {
                break;
            }
            at -= strides[axis] * extents[axis];
            index[axis] = 0;
        }
    }
}

/// out[i, j, ...] = source[offset + i·strides[0] + j·strides[1] + ...] with `out` contiguous.
pub(super) fn read<T: Copy>(extents: &Shape, strides: &[usize], offset: usize, source: &[T], out: &mut [T]) {
    let (length, step) = (extents.last().copied().unwrap_or(1), strides.last().copied().unwrap_or(1));
    each_line(extents, strides, offset, |flat, at| {
        let line = &mut out[flat..flat + length];
        match step {
            1 => line.copy_from_slice(&source[at..at + length]),
            _ => line.iter_mut().zip(source[at..].iter().step_by(step)).for_each(|(out, &value)| *out = value),
        }
    });
}

/// out[offset + i·strides[0] + j·strides[1] + ...] = source[i, j, ...] with `source` contiguous.
pub(super) fn write<T: Copy>(extents: &Shape, strides: &[usize], offset: usize, source: &[T], out: &mut [T]) {
    let (length, step) = (extents.last().copied().unwrap_or(1), strides.last().copied().unwrap_or(1));
    each_line(extents, strides, offset, |flat, at| {
        let line = &source[flat..flat + length];
        match step {
            1 => out[at..at + length].copy_from_slice(line),
            _ => out[at..].iter_mut().step_by(step).zip(line).for_each(|(out, &value)| *out = value),
        }
    });
}
