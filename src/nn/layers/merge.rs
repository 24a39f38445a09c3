//! Layers that bring branches together.

use std::ops::RangeInclusive;

use super::Build;
use crate::error::{Error, ErrorCode, Result};
use crate::fields::spec;
use crate::graph::NodeId;
use crate::nn::build::LayerCx;

spec! {
    /// The sum of its inputs, which have one shape (Keras's `Add`): what joins a residual branch to the path that it left.
    pub struct Add: Default {}
}

impl Build for Add {
    fn inputs(&self) -> RangeInclusive<usize> {
        2..=usize::MAX
    }

    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let others = cx.inputs[1..].to_vec();
        others.into_iter().try_fold(x, |sum, other| {
            let (left, right) = (cx.graph.shape(sum), cx.graph.shape(other));
            match left == right {
                true => cx.graph.add(sum, other),
                false => Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &"Add"), ("left", left), ("right", right)])),
            }
        })
    }
}
