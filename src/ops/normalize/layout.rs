//! Which elements are normalised together, and how they lie in memory.

use crate::ops::kernel::{ravel, unravel};
use crate::tensor::Shape;

/// How the groups of elements that share a mean lie.
pub(super) enum Layout {
    /// A group is a row: the axes are the last ones.
    Rows {
        /// Groups.
        count: usize,
        /// Elements of each.
        length: usize,
    },
    /// A group is a column: the axes are the first ones.
    Columns {
        /// Elements of each group.
        rows: usize,
        /// Groups.
        cols: usize,
    },
    /// Anything else.
    Scattered {
        /// Extents and strides along the axes that tell groups apart.
        kept: (Shape, Vec<usize>),
        /// Extents and strides along the normalised axes.
        reduced: (Shape, Vec<usize>),
    },
}

fn positions((extents, strides): &(Shape, Vec<usize>)) -> Vec<usize> {
    let at = |flat| extents.unravel(flat).iter().zip(strides).map(|(i, stride)| i * stride).sum();
    (0..extents.numel()).map(at).collect()
}

impl Layout {
    pub(super) fn new(shape: &Shape, axes: &[usize]) -> Self {
        let count = axes.iter().map(|&axis| shape[axis]).product::<usize>();
        let rest = shape.numel() / count.max(1);
        let kept: Vec<usize> = (0..shape.rank()).filter(|axis| !axes.contains(axis)).collect();
        let (Some(&first), Some(&last)) = (axes.first(), axes.last()) else { return Layout::Rows { count: shape.numel(), length: 1 } };
        let contiguous = last - first + 1 == axes.len();
        if contiguous && last + 1 == shape.rank() {
            return Layout::Rows { count: rest, length: count };
        }
        if contiguous && first == 0 {
            return Layout::Columns { rows: count, cols: rest };
        }
        let strides = shape.strides();
        let part = |axes: &[usize]| (axes.iter().map(|&axis| shape[axis]).collect(), axes.iter().map(|&axis| strides[axis]).collect());
        Layout::Scattered { kept: part(&kept), reduced: part(axes) }
    }

    /// (groups, elements of each)
    pub(super) fn extents(&self) -> (usize, usize) {
        match self {
            Layout::Rows { count, length } => (*count, *length),
            Layout::Columns { rows, cols } => (*cols, *rows),
            Layout::Scattered { kept, reduced } => (kept.0.numel(), reduced.0.numel()),
        }
    }

    /// Where groups begin, and where their elements are from there.
    pub(super) fn offsets(&self) -> (Vec<usize>, Vec<usize>) {
        match self {
            Layout::Rows { count, length } => ((0..*count).map(|i| i * length).collect(), (0..*length).collect()),
            Layout::Columns { rows, cols } => ((0..*cols).collect(), (0..*rows).map(|r| r * cols).collect()),
            Layout::Scattered { kept, reduced } => (positions(kept), positions(reduced)),
        }
    }

    /// Positions of the elements in the group of element `at`, in order.
    pub(super) fn members(&self, at: usize) -> Vec<usize> {
        let (starts, offsets) = self.offsets();
        let start = match self {
            Layout::Rows { length, .. } => at / length * length,
            Layout::Columns { cols, .. } => at % cols,
            Layout::Scattered { .. } => {
                let known: std::collections::HashSet<usize> = offsets.iter().copied().collect();
                let holds = |&start: &usize| at.checked_sub(start).is_some_and(|offset| known.contains(&offset));
                starts.into_iter().find(holds).unwrap_or(0)
            }
        };
        offsets.into_iter().map(|offset| start + offset).collect()
    }

    /// WGSL function `place(i, r)`: where element `r` of group `i` is.
    pub(super) fn place_function(&self) -> String {
        let (code, index) = match self {
            Layout::Rows { length, .. } => (String::new(), format!("i * {length}u + r")),
            Layout::Columns { cols, .. } => (String::new(), format!("r * {cols}u + i")),
            Layout::Scattered { kept, reduced } => (
                unravel(&kept.0, "i", "k") + &unravel(&reduced.0, "r", "r"),
                format!("{} + {}", ravel(&kept.1, "k"), ravel(&reduced.1, "r")),
            ),
        };
        format!("fn place(i: u32, r: u32) -> u32 {{\n{code}    return {index};\n}}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_layout_knows_who_belongs_together() {
        let shape = Shape::from([2, 3, 4]);
        for axes in [&[2][..], &[0, 1], &[0], &[1], &[0, 2]] {
            let layout = Layout::new(&shape, axes);
            for at in 0..shape.numel() {
                let own = shape.unravel(at);
                let together = |other: &usize| (0..3).all(|axis| axes.contains(&axis) || shape.unravel(*other)[axis] == own[axis]);
                assert!(layout.members(at).into_iter().eq((0..shape.numel()).filter(together)), "{at} over {axes:?}");
            }
        }
    }
}
