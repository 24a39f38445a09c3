//! Tensors that a program writes out or draws: known before anything runs.

use std::ops::Range;

use super::MOST_CELLS;
use super::problem::{Checked, Problem};
use crate::error::{ErrorCode, Result};
use crate::graph::NodeId;
use crate::ops::eval::evaluate;
use crate::ops::pointwise::Pointwise;
use crate::ops::{CpuCx, Graph, Op};
use crate::tensor::{Meta, Shape};

/// Values with their shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Data {
    pub shape: Shape,
    pub values: Vec<f64>,
    /// Whether it stays as it is: a step does not change it.
    pub fixed: bool,
}

impl Data {
    /// A variable with the value computed at each row-major position.
    pub fn from_fn(shape: &Shape, value: impl FnMut(usize) -> f64) -> Self {
        Self { shape: shape.clone(), values: (0..shape.numel()).map(value).collect(), fixed: false }
    }

    /// A scalar.
    pub fn number(value: f64) -> Self {
        Self { shape: Shape::scalar(), values: vec![value], fixed: false }
    }

    /// The result of an operation over known values.
    pub fn computed(op: Op, inputs: &[Data]) -> Result<Self> {
        let mut graph = Graph::default();
        let nodes: Vec<NodeId> = inputs.iter().enumerate().map(|(k, data)| graph.input(k, Meta::f32(data.shape.clone()))).collect();
        let out = graph.push(op, &nodes)?;
        let shape = graph.shape(out).clone();
        if shape.numel() > MOST_CELLS {
            return Err(too_many_cells(&shape));
        }
        let mut leaves = inputs.iter().map(|data| data.values.iter().map(|&value| value as f32).collect());
        let mut values: Vec<Vec<f32>> = evaluate(&graph, &mut CpuCx::default(), |_, _| leaves.next().unwrap_or_default());
        let values = values.pop().unwrap_or_default().into_iter().map(f64::from).collect();
        Ok(Self { shape, values, fixed: inputs.iter().any(|data| data.fixed) })
    }
}

/// Whether known values stay known behind an operation, so that `0.1 * randn(2, 3)` is a variable too. Other functions become nodes, whatever
/// they are applied to: a program is written to see them.
pub(super) fn stays_known(op: &Op) -> bool {
    match op {
        Op::Pointwise(function) => {
            use Pointwise::{Add, Div, Mul, Neg, Pow, Sub};
            matches!(function, Add | Sub | Mul | Div | Pow | Neg)
        }
        Op::Reshape(_) | Op::Transpose(_) | Op::Slice(_) | Op::Concat(_) => true,
        _ => false,
    }
}

fn too_many_cells(shape: &Shape) -> crate::error::Error {
    let what = format!("cells in a tensor of shape {shape}");
    crate::error::Error::new(ErrorCode::TooLarge, &[("what", &what), ("most", &MOST_CELLS)])
}

/// The shape, if every extent is at least 1 and it has no more cells than may be.
pub(super) fn checked(shape: Shape, span: &Range<usize>) -> Checked<Shape> {
    if shape.contains(&0) {
        let args: [(&str, &dyn std::fmt::Display); 3] = [("name", &"shape"), ("expected", &"at least 1 along every axis"), ("got", &shape)];
        return Err(Problem::new(ErrorCode::BadValue, &args, span));
    }
    let cells = shape.iter().try_fold(1usize, |cells, &extent| cells.checked_mul(extent));
    match cells {
        Some(cells) if cells <= MOST_CELLS => Ok(shape),
        _ => Err(Problem::from(too_many_cells(&shape), span)),
    }
}
