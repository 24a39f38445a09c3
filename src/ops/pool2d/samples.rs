//! Poolings that every suite runs.

use super::{Windows, result};
use crate::ops::Sample;
use crate::ops::window::Padding;

/// Label, windows, shape of x.
pub(super) type Case = (&'static str, Windows, [usize; 4]);

pub(super) fn cases() -> Vec<Case> {
    use Padding::{Same, Valid};
    let case = |label, x, window, stride, padding| (label, Windows { window, stride, padding }, x);
    vec![
        case("2x2", [2, 4, 6, 3], [2, 2], [2, 2], Valid),
        case("2x2 odd", [1, 5, 7, 2], [2, 2], [2, 2], Valid),
        case("2x2 odd same", [3, 5, 7, 1], [2, 2], [2, 2], Same),
        case("3x3 stride 2 same", [1, 6, 5, 2], [3, 3], [2, 2], Same),
        case("explicit padding", [1, 5, 4, 3], [3, 2], [2, 1], Padding::Explicit { top: 1, bottom: 2, left: 1, right: 0 }),
        case("overlapping", [1, 5, 6, 2], [3, 2], [1, 1], Valid),
        case("stride beyond window", [1, 8, 7, 2], [2, 1], [3, 2], Valid),
        case("whole image", [2, 4, 3, 5], [4, 3], [4, 3], Valid),
        case("1x1", [1, 3, 3, 4], [1, 1], [1, 1], Valid),
        case("many channels", [1, 6, 6, 19], [2, 2], [2, 2], Valid),
    ]
}

/// Shape of the result over images `x`.
pub(super) fn result_of(windows: &Windows, x: [usize; 4]) -> Vec<usize> {
    result(&windows.shape("pool2d", &x.into()).expect("the cases fit")).to_vec()
}

/// The sample with a first input whose elements all differ by more than a difference quotient moves them.
pub(super) fn distinct(mut sample: Sample) -> Sample {
    let x = &mut sample.inputs[0].0;
    let count = x.data.len();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| x.data[a].total_cmp(&x.data[b]));
    for (rank, position) in order.into_iter().enumerate() {
        x.data[position] = 2.0 * (rank as f32 + 0.5) / count as f32 - 1.0;
    }
    sample
}
