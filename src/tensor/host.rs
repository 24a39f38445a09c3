//! A tensor in ordinary memory.

use super::Shape;
use crate::error::{Error, ErrorCode, Result};

/// Values with their shape, row-major.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostTensor {
    /// Extents.
    pub shape: Shape,
    /// Elements in row-major order.
    pub data: Vec<f32>,
}

impl HostTensor {
    /// Values of that shape; an error if their number is not the shape's.
    pub fn new(shape: impl Into<Shape>, data: Vec<f32>) -> Result<Self> {
        let shape = shape.into();
        if shape.numel() != data.len() {
            let what = format!("a tensor of shape {shape}");
            return Err(Error::new(ErrorCode::WrongLength, &[("what", &what), ("expected", &shape.numel()), ("got", &data.len())]));
        }
        Ok(Self { shape, data })
    }

    /// The value computed at each row-major position.
    pub fn from_fn(shape: impl Into<Shape>, value: impl FnMut(usize) -> f32) -> Self {
        let shape = shape.into();
        let data = (0..shape.numel()).map(value).collect();
        Self { shape, data }
    }

    /// A scalar.
    pub fn scalar(value: f32) -> Self {
        Self { shape: Shape::scalar(), data: vec![value] }
    }
}
