//! Shapes, in the order of memory (the last axis varies fastest), and NumPy's broadcasting.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorCode, Result};

/// Extents of a tensor, outermost first: `[N, H, W, C]`. A scalar has no axes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// Shape of a scalar, `[]`.
    pub fn scalar() -> Self {
        Self(Vec::new())
    }

    /// Number of elements: the product of the extents, 1 for a scalar.
    pub fn numel(&self) -> usize {
        self.0.iter().product()
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// Row-major strides, in elements.
    pub fn strides(&self) -> Vec<usize> {
        let mut strides = vec![1; self.rank()];
        for axis in (1..self.rank()).rev() {
            strides[axis - 1] = strides[axis] * self.0[axis];
        }
        strides
    }

    /// Strides that read this shape as if it were broadcast to `target`: 0 along every axis that is repeated.
    /// The caller knows that it broadcasts (see [`Shape::broadcast`]).
    pub fn broadcast_strides(&self, target: &[usize]) -> Vec<usize> {
        let missing = target.len() - self.rank();
        let own = self.strides();
        (0..target.len())
            .map(|axis| match axis.checked_sub(missing) {
                Some(own_axis) if self.0[own_axis] != 1 => own[own_axis],
                _ => 0,
            })
            .collect()
    }

    /// The shape that both broadcast to by NumPy's rules: aligned at the last axis, extents equal or 1.
    pub fn broadcast(op: &str, left: &Shape, right: &Shape) -> Result<Shape> {
        let rank = left.rank().max(right.rank());
        let extent = |shape: &Shape, axis: usize| match (axis + shape.rank()).checked_sub(rank) {
            Some(own) => shape.0[own],
            None => 1,
        };
        (0..rank)
            .map(|axis| match (extent(left, axis), extent(right, axis)) {
                (l, r) if l == r => Ok(l),
                (1, r) => Ok(r),
                (l, 1) => Ok(l),
                _ => Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &op), ("left", left), ("right", right)])),
            })
            .collect()
    }

    /// Coordinates of the element at `flat` in row-major order.
    pub fn unravel(&self, mut flat: usize) -> Vec<usize> {
        let mut index = vec![0; self.rank()];
        for axis in (0..self.rank()).rev() {
            index[axis] = flat % self.0[axis];
            flat /= self.0[axis];
        }
        index
    }

    /// Row-major position of the element at `index`.
    pub fn ravel(&self, index: &[usize]) -> usize {
        index.iter().zip(&self.0).fold(0, |flat, (&i, &extent)| flat * extent + i)
    }

    /// The same shape with `axes` kept as extent 1 or dropped.
    pub fn reduced(&self, axes: &[usize], keep_dims: bool) -> Shape {
        let kept = self.0.iter().enumerate().filter_map(|(axis, &extent)| match axes.contains(&axis) {
            true => keep_dims.then_some(1),
            false => Some(extent),
        });
        kept.collect()
    }
}

impl Deref for Shape {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl From<Vec<usize>> for Shape {
    fn from(extents: Vec<usize>) -> Self {
        Self(extents)
    }
}

impl From<&[usize]> for Shape {
    fn from(extents: &[usize]) -> Self {
        Self(extents.to_vec())
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(extents: [usize; N]) -> Self {
        Self(extents.to_vec())
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(extents: I) -> Self {
        Self(extents.into_iter().collect())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// What the cells of a tensor mean. Every cell is stored as a 32-bit float: an index is a whole number below 2^24, which a float holds
/// exactly, so that a batch, a kernel and a read need to know one type only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DType {
    /// A real number.
    #[default]
    F32,
    /// A whole number (class, position): no gradient flows through it.
    Index,
}

/// Shape and meaning of a tensor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Meta {
    /// Extents.
    pub shape: Shape,
    /// Meaning of the cells.
    pub dtype: DType,
}

impl Meta {
    /// Real numbers of that shape.
    pub fn f32(shape: impl Into<Shape>) -> Self {
        Self { shape: shape.into(), dtype: DType::F32 }
    }

    /// Whole numbers of that shape.
    pub fn index(shape: impl Into<Shape>) -> Self {
        Self { shape: shape.into(), dtype: DType::Index }
    }
}
