//! Layers that bring branches together.

use std::ops::RangeInclusive;

use super::Build;
use crate::error::{Error, ErrorCode, Result};
use crate::fields::spec;
use crate::graph::NodeId;
use crate::nn::build::LayerCx;
use crate::ops::Graph;

spec! {
    /// The sum of its inputs, which have one shape (Keras's `Add`): what joins a residual branch to the path that it left.
    pub struct Add: Default {}

    /// The product of its inputs, element by element, which have one shape (Keras's `Multiply`): a gate on what it is multiplied with, as in SwiGLU,
    /// silu(x W) · x V (Shazeer 2020).
    pub struct Multiply: Default {}
}

/// All inputs of one shape, joined two by two.
fn joined(kind: &str, cx: &mut LayerCx, x: NodeId, join: fn(&mut Graph, NodeId, NodeId) -> Result<NodeId>) -> Result<NodeId> {
    cx.inputs[1..].iter().try_fold(x, |before, &other| {
        let (left, right) = (cx.graph.shape(before), cx.graph.shape(other));
        match left == right {
            true => join(cx.graph, before, other),
            false => Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &kind), ("left", left), ("right", right)])),
        }
    })
}

impl Build for Add {
    fn inputs(&self) -> RangeInclusive<usize> {
        2..=usize::MAX
    }

    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        joined("Add", cx, x, Graph::add)
    }
}

impl Build for Multiply {
    fn inputs(&self) -> RangeInclusive<usize> {
        2..=usize::MAX
    }

    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        joined("Multiply", cx, x, Graph::mul)
    }
}
