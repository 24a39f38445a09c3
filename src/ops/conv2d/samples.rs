//! Convolutions that every suite runs, forward and both gradients.

use super::Conv2d;
use crate::ops::window::Padding;

/// A convolution with its extents.
pub(super) struct Case {
    label: &'static str,
    pub(super) conv: Conv2d,
    pub(super) x: [usize; 4],
    pub(super) w: [usize; 4],
}

impl Case {
    pub(super) fn name(&self, op: &str) -> String {
        format!("{op} {}", self.label)
    }

    /// Shape of the result.
    pub(super) fn y(&self) -> [usize; 4] {
        let s = self.conv.shape(&self.x.into(), &self.w.into()).expect("the cases fit");
        [s.batch, s.out_h, s.out_w, s.out_c]
    }
}

pub(super) fn cases() -> Vec<Case> {
    use Padding::{Same, Valid};
    let case = |label, x, w, stride, padding, dilation, groups| Case {
        label,
        conv: Conv2d { stride, padding, dilation, groups, only: None },
        x,
        w,
    };
    let uneven = Padding::Explicit { top: 2, bottom: 0, left: 1, right: 3 };
    vec![
        case("valid", [2, 6, 5, 3], [3, 3, 3, 4], [1, 1], Valid, [1, 1], 1),
        case("same", [1, 5, 7, 2], [3, 3, 2, 5], [1, 1], Same, [1, 1], 1),
        case("same even kernel", [1, 4, 5, 1], [2, 4, 1, 3], [1, 1], Same, [1, 1], 1),
        case("stride 2 same", [3, 6, 7, 2], [3, 3, 2, 3], [2, 2], Same, [1, 1], 1),
        case("stride 2 valid odd", [1, 7, 6, 2], [3, 2, 2, 3], [2, 2], Valid, [1, 1], 1),
        case("stride 3 by 1 same", [1, 8, 4, 2], [2, 3, 2, 2], [3, 1], Same, [1, 1], 1),
        case("stride beyond kernel", [1, 7, 7, 2], [1, 1, 2, 3], [3, 3], Same, [1, 1], 1),
        case("explicit padding", [2, 4, 3, 2], [3, 2, 2, 3], [2, 1], uneven, [1, 1], 1),
        case("dilated", [1, 7, 8, 2], [3, 2, 2, 3], [1, 1], Valid, [2, 3], 1),
        case("dilated same stride 2", [1, 7, 6, 1], [3, 3, 1, 2], [2, 2], Same, [2, 2], 1),
        case("1x1", [2, 3, 4, 5], [1, 1, 5, 6], [1, 1], Valid, [1, 1], 1),
        case("kernel as large as the input", [3, 4, 5, 2], [4, 5, 2, 3], [1, 1], Valid, [1, 1], 1),
        case("groups", [2, 5, 4, 4], [3, 3, 2, 6], [1, 1], Same, [1, 1], 2),
        case("groups stride 2", [1, 6, 5, 6], [3, 2, 2, 3], [2, 2], Same, [1, 1], 3),
        case("depthwise", [2, 5, 6, 5], [3, 3, 1, 5], [1, 1], Same, [1, 1], 5),
        case("depthwise multiplier dilated", [1, 6, 6, 3], [2, 2, 1, 6], [1, 1], Valid, [2, 1], 3),
        case("wide", [1, 5, 6, 16], [3, 3, 16, 20], [1, 1], Same, [1, 1], 1),
        case("one channel", [4, 8, 8, 1], [5, 5, 1, 8], [1, 1], Valid, [1, 1], 1),
    ]
}
