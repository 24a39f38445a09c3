//! Adding up what a value's readers contribute to its gradient, and where that is one operation instead of a sum of many: the parts that slices
//! read lie side by side, and what a matrix gets from all its uses, as from the time steps of a recurrent layer, is one tall product.

use crate::error::Result;
use crate::graph::{Kind, NodeId};
use crate::ops::matmul::MatMul;
use crate::ops::reduce::{Reduce, Reduction};
use crate::ops::{Graph, Op};

/// Uses of a matrix from which on one product is worth the stacking.
const MANY: usize = 4;

/// Adds another part: to the sum at once, unless all of them may become one operation.
pub(super) fn gather(graph: &mut Graph, parts: &mut Vec<NodeId>, part: NodeId) -> Result<()> {
    let waits = |&other: &NodeId| is_piece(graph, other) && is_piece(graph, part) || over_rows(graph, other, part);
    if parts.last().is_none_or(waits) {
        parts.push(part);
        return Ok(());
    }
    let sum = total(graph, parts)?;
    *parts = vec![graph.add(sum, part)?];
    Ok(())
}

/// The sum of the parts.
pub(super) fn total(graph: &mut Graph, parts: &[NodeId]) -> Result<NodeId> {
    if parts.len() > 1 {
        let joined = if is_piece(graph, parts[0]) { tiled(graph, parts)? } else { stacked(graph, parts)? };
        if let Some(joined) = joined {
            return Ok(joined);
        }
    }
    parts[1..].iter().try_fold(parts[0], |sum, &part| graph.add(sum, part))
}

fn is_piece(graph: &Graph, id: NodeId) -> bool {
    matches!(&graph.node(id).kind, Kind::Op(Op::Pad(_)))
}

/// Whether both are the same sum over the rows of what they read, AᵀB or the sum of each column.
fn over_rows(graph: &Graph, a: NodeId, b: NodeId) -> bool {
    let (Kind::Op(first), Kind::Op(second)) = (&graph.node(a).kind, &graph.node(b).kind) else { return false };
    let sums = match first {
        Op::MatMul(MatMul { transpose_a, transpose_b }) => *transpose_a && !*transpose_b,
        Op::Reduce(Reduce { reduction: Reduction::Sum, axes, keep_dims: false }) => axes[..] == [0],
        _ => false,
    };
    let flat = |id: NodeId| graph.node(id).inputs.iter().all(|&input| graph.shape(input).rank() == 2);
    sums && first == second && flat(a) && flat(b)
}

/// Pieces with zeros around them that fill the whole along one axis are one behind the other.
fn tiled(graph: &mut Graph, parts: &[NodeId]) -> Result<Option<NodeId>> {
    let mut pieces = Vec::with_capacity(parts.len());
    for &part in parts {
        let Kind::Op(Op::Pad(pad)) = &graph.node(part).kind else { return Ok(None) };
        let mut padded = (0..pad.pads.len()).filter(|&axis| pad.pads[axis] != [0; 2]);
        let (Some(axis), None) = (padded.next(), padded.next()) else { return Ok(None) };
        if pad.value != 0.0 || pad.interior.iter().any(|&between| between > 0) {
            return Ok(None);
        }
        let inner = graph.node(part).inputs[0];
        pieces.push((axis, pad.pads[axis][0], inner));
    }
    pieces.sort_unstable();
    let axis = pieces[0].0;
    let mut end = 0;
    for &(along, start, inner) in &pieces {
        if along != axis || start != end {
            return Ok(None);
        }
        end += graph.shape(inner)[axis];
    }
    if end != graph.shape(parts[0])[axis] {
        return Ok(None);
    }
    let inner: Vec<NodeId> = pieces.into_iter().map(|(.., inner)| inner).collect();
    graph.concat(&inner, axis).map(Some)
}

/// Σ AᵢᵀBᵢ is AᵀB with all Aᵢ one below the other, and so all Bᵢ; in the order of the uses, which is the reverse of that of the gradients.
fn stacked(graph: &mut Graph, parts: &[NodeId]) -> Result<Option<NodeId>> {
    let Kind::Op(op) = graph.node(parts[0]).kind.clone() else { return Ok(None) };
    if parts.len() < MANY {
        return Ok(None);
    }
    let operands = (0..graph.node(parts[0]).inputs.len()).map(|operand| {
        let uses: Vec<NodeId> = parts.iter().rev().map(|&part| graph.node(part).inputs[operand]).collect();
        stack(graph, &uses)
    });
    let operands = operands.collect::<Result<Vec<_>>>()?;
    graph.push(op, &operands).map(Some)
}

/// These one below the other; where they stand so in what is there already, as rows of that.
fn stack(graph: &mut Graph, parts: &[NodeId]) -> Result<NodeId> {
    let known = graph.ids().find_map(|id| match &graph.node(id).kind {
        Kind::Op(Op::Concat(concat)) if concat.axis == 0 => {
            let inputs = &graph.node(id).inputs;
            inputs.windows(parts.len()).position(|window| window == parts).map(|first| (id, inputs[..first].to_vec()))
        }
        _ => None,
    });
    let Some((stack, before)) = known else { return graph.concat(parts, 0) };
    let rows = |graph: &Graph, nodes: &[NodeId]| -> usize { nodes.iter().map(|&node| graph.shape(node)[0]).sum() };
    let (start, count) = (rows(graph, &before), rows(graph, parts));
    match count == graph.shape(stack)[0] {
        true => Ok(stack),
        false => graph.slice_axis(stack, 0, start, start + count),
    }
}
