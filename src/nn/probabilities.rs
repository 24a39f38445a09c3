//! Losses of probabilities, as Keras computes them where a model's outputs are no logits.

use crate::error::Result;
use crate::graph::NodeId;
use crate::ops::Graph;

/// Keras's `epsilon()`: probabilities are kept this far from 0 and 1 before a logarithm.
pub(super) const EPSILON: f64 = 1e-7;

/// p within [ε, 1 − ε].
pub(super) fn clip(graph: &mut Graph, p: NodeId) -> Result<NodeId> {
    let low = graph.constant(EPSILON as f32);
    let high = graph.constant((1.0 - EPSILON) as f32);
    let above = graph.maximum(p, low)?;
    graph.minimum(above, high)
}

/// −Σ y log p with p scaled to a sum of 1 and clipped, as Keras does.
pub(super) fn cross_entropy_of_probabilities(graph: &mut Graph, p: NodeId, y: NodeId) -> Result<NodeId> {
    let axis = graph.shape(p).rank() - 1;
    let total = graph.sum(p, &[axis], true)?;
    let p = graph.div(p, total)?;
    let p = clip(graph, p)?;
    let log = graph.log(p)?;
    let terms = graph.mul(y, log)?;
    let sum = graph.sum(terms, &[axis], false)?;
    graph.neg(sum)
}

/// −y log p − (1 − y) log(1 − p) with p clipped, as Keras does.
pub(super) fn binary_cross_entropy_of_probabilities(graph: &mut Graph, p: NodeId, y: NodeId) -> Result<NodeId> {
    let p = clip(graph, p)?;
    let one = graph.constant(1.0);
    let log = graph.log(p)?;
    let yes = graph.mul(y, log)?;
    let rest = graph.sub(one, p)?;
    let log = graph.log(rest)?;
    let others = graph.sub(one, y)?;
    let no = graph.mul(others, log)?;
    let sum = graph.add(yes, no)?;
    graph.neg(sum)
}
