//! Computes a graph node by node, without a plan: the oracle that plans, backends and gradients are tested against.

use super::{CpuCx, Graph, Real, View};
use crate::error::Result;
use crate::graph::{Kind, Leaf, NodeId};

/// The value of every node, given each leaf's.
pub fn evaluate<T: Real>(graph: &Graph, cx: &mut CpuCx, mut leaf: impl FnMut(NodeId, &Leaf) -> Vec<T>) -> Vec<Vec<T>> {
    let mut values: Vec<Vec<T>> = Vec::with_capacity(graph.nodes().len());
    for (id, node) in graph.ids().zip(graph.nodes()) {
        let value = match &node.kind {
            Kind::Leaf(Leaf::Constant(number)) => vec![T::of(f64::from(*number))],
            Kind::Leaf(source) => leaf(id, source),
            Kind::Op(op) => {
                let view = |&input: &NodeId| View { data: &values[input.index()], shape: graph.shape(input) };
                let inputs: Vec<View<T>> = node.inputs.iter().map(view).collect();
                let mut out = vec![T::ZERO; node.meta.shape.numel()];
                op.cpu(cx, &inputs, &mut out);
                out
            }
        };
        values.push(value);
    }
    values
}

/// A graph of one op over leaves, with its scalar loss: the sum of the result times fixed weights that differ from element to element, so
/// that no error in a gradient cancels out.
pub fn weighted_loss(graph: &mut Graph, out: NodeId) -> Result<NodeId> {
    let count = graph.shape(out).numel();
    let weights = graph.input(usize::MAX, crate::tensor::Meta::f32(graph.shape(out).clone()));
    debug_assert_eq!(graph.shape(weights).numel(), count);
    let weighted = graph.mul(out, weights)?;
    let axes: Vec<usize> = (0..graph.shape(weighted).rank()).collect();
    graph.sum(weighted, &axes, false)
}

/// The weight of element `index` in [`weighted_loss`].
pub fn loss_weight(index: usize) -> f64 {
    0.25 + f64::from((index as u32).wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24)
}
