//! What each position of a sequence counts in a loss and in its metrics.

use super::probabilities::EPSILON;
use crate::error::Result;
use crate::graph::NodeId;
use crate::ops::Graph;

/// What each position counts: nothing where it is padding, elsewhere so much that a mean over all positions is one over those that count; in a sum, 1.
pub(super) fn share(graph: &mut Graph, mask: NodeId, in_sum: bool) -> Result<NodeId> {
    if in_sum {
        return Ok(mask);
    }
    let counted = graph.mean(mask, &[0, 1], false)?;
    let least = graph.constant(EPSILON as f32);
    let counted = graph.maximum(counted, least)?;
    let share = graph.div(mask, counted)?;
    graph.rename(share, "share_of_each_token");
    Ok(share)
}

/// Each element times its position's share, `[N, T]`.
pub(super) fn counted(graph: &mut Graph, each: NodeId, share: NodeId) -> Result<NodeId> {
    let mut shape = graph.shape(share).to_vec();
    shape.resize(graph.shape(each).rank(), 1);
    let share = if shape[..] == graph.shape(share)[..] { share } else { graph.reshape(share, shape)? };
    graph.mul(each, share)
}

/// How many examples have no wrong answer where it counts: those without a position of `right`, `[N, T]`, that is below the mask's.
pub(super) fn exact(graph: &mut Graph, right: NodeId, mask: NodeId) -> Result<NodeId> {
    let wrong = graph.greater(mask, right)?;
    let wrong = graph.sum(wrong, &[1], false)?;
    let none = graph.constant(0.0);
    let exact = graph.equal(wrong, none)?;
    let exact = graph.sum(exact, &[0], false)?;
    graph.rename(exact, "exact");
    Ok(exact)
}
