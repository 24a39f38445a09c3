//! Windows that slide over images `[N, H, W, C]`: what convolutions and poolings share. Padding is TensorFlow's.

use serde::Serialize;

use crate::error::{Error, ErrorCode, Result};
use crate::tensor::Shape;

/// Rows and columns of zeros around the image (for poolings: of nothing).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// None.
    #[default]
    Valid,
    /// As many as give ⌈input / stride⌉ outputs, the odd one at the bottom and at the right (TensorFlow's and Keras's `same`).
    Same,
    /// So many (`torch.nn.ZeroPad2d`).
    Explicit {
        /// Rows above.
        top: usize,
        /// Rows below.
        bottom: usize,
        /// Columns at the left.
        left: usize,
        /// Columns at the right.
        right: usize,
    },
}

/// Where windows lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Rows and columns of the result.
    pub out: [usize; 2],
    /// Padding above and at the left.
    pub before: [usize; 2],
    /// Padding below and at the right.
    pub after: [usize; 2],
}

impl Padding {
    /// Places windows of that many taps, `dilation` apart, `stride` from one window to the next.
    pub fn place(self, input: [usize; 2], window: [usize; 2], stride: [usize; 2], dilation: [usize; 2]) -> Result<Placement> {
        for (name, pair) in [("kernel size", window), ("stride", stride), ("dilation", dilation)] {
            if pair.contains(&0) {
                let got = format!("{}×{}", pair[0], pair[1]);
                return Err(Error::new(ErrorCode::BadValue, &[("name", &name), ("expected", &"at least 1"), ("got", &got)]));
            }
        }
        let mut placement = Placement { out: [0; 2], before: [0; 2], after: [0; 2] };
        for axis in 0..2 {
            let reach = (window[axis] - 1) * dilation[axis] + 1;
            let (before, after) = match self {
                Padding::Valid => (0, 0),
                Padding::Same => {
                    let count = input[axis].div_ceil(stride[axis]);
                    let total = (count.saturating_sub(1) * stride[axis] + reach).saturating_sub(input[axis]);
                    (total / 2, total - total / 2)
                }
                Padding::Explicit { top, bottom, left, right } => [(top, bottom), (left, right)][axis],
            };
            let Some(room) = (input[axis] + before + after).checked_sub(reach).filter(|_| input[axis] > 0) else {
                let window = format!("{}×{}", (window[0] - 1) * dilation[0] + 1, (window[1] - 1) * dilation[1] + 1);
                let input = format!("{}×{}", input[0], input[1]);
                return Err(Error::new(ErrorCode::WindowTooLarge, &[("window", &window), ("input", &input)]));
            };
            placement.out[axis] = room / stride[axis] + 1;
            placement.before[axis] = before;
            placement.after[axis] = after;
        }
        Ok(placement)
    }
}

/// The extents of an image batch `[N, H, W, C]`, or an error that says what was expected.
pub(super) fn image(op: &str, shape: &Shape) -> Result<[usize; 4]> {
    <[usize; 4]>::try_from(&shape[..])
        .map_err(|_| Error::new(ErrorCode::BadShape, &[("op", &op), ("expected", &"images [N, H, W, C]"), ("got", shape)]))
}

/// WGSL of `value / divisor` and `value % divisor`, without an operation where there is none to do, and without a division, which is dear on
/// every GPU, by a power of two.
pub(super) fn quotient(value: &str, divisor: usize) -> String {
    match divisor {
        1 => value.to_owned(),
        _ if divisor.is_power_of_two() => format!("(({value}) >> {}u)", divisor.trailing_zeros()),
        _ => format!("(({value}) / {divisor}u)"),
    }
}

/// See [`quotient`].
pub(super) fn remainder(value: &str, divisor: usize) -> String {
    match divisor {
        1 => "0u".to_owned(),
        _ if divisor.is_power_of_two() => format!("(({value}) & {}u)", divisor - 1),
        _ => format!("(({value}) % {divisor}u)"),
    }
}

/// WGSL of the position along one axis that tap `tap` of window `window` reads; wraps around to beyond every extent in the padding.
pub(super) fn tap(window: &str, stride: usize, tap: &str, dilation: usize, before: usize) -> String {
    let scaled = |value: &str, factor: usize| if factor == 1 { value.to_owned() } else { format!("{value} * {factor}u") };
    let offset = if before == 0 { String::new() } else { format!(" - {before}u") };
    format!("{} + {}{offset}", scaled(window, stride), scaled(tap, dilation))
}

/// The window along one axis whose tap `tap` reads `position`, if there is one: the inverse of [`tap`].
pub(super) fn window_of(position: usize, tap: usize, count: usize, stride: usize, dilation: usize, before: usize) -> Option<usize> {
    let from = (position + before).checked_sub(tap * dilation)?;
    (from.is_multiple_of(stride) && from / stride < count).then_some(from / stride)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_is_asymmetric_at_stride_2() {
        let placed = Padding::Same.place([28, 5], [3, 2], [2, 1], [1, 1]).expect("fits");
        assert_eq!(placed, Placement { out: [14, 5], before: [0, 0], after: [1, 1] });
    }

    #[test]
    fn a_window_larger_than_its_input_is_refused() {
        let error = Padding::Valid.place([4, 9], [3, 3], [1, 1], [2, 2]).expect_err("a reach of 5 in 4 rows");
        assert_eq!(error.message, "a window of 5×5 does not fit into an input of 4×9");
    }
}
