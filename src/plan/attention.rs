//! Attention that is composed of ordinary nodes as one operation, forward and backward, where nobody looks at what lies between.

use crate::error::Result;
use crate::graph::{Kind, Leaf, NodeId, Phase};
use crate::ops::attention::{Attention, AttentionGrad, HIDDEN};
use crate::ops::matmul::MatMul;
use crate::ops::pointwise::Pointwise;
use crate::ops::{Graph, Op, OpDef};
use crate::tensor::{Meta, Shape};

/// Positions and heads changed.
const CHANGED: [usize; 4] = [0, 2, 1, 3];

/// A part of the graph that one operation can stand for, and one for its gradient.
struct Found {
    op: Attention,
    /// Queries, keys, values, and the mask if there is one.
    inputs: Vec<NodeId>,
    /// The attended values.
    out: NodeId,
    /// The operations in the new graph.
    forward: Option<NodeId>,
    backward: Option<NodeId>,
}

/// The graph with attention as one operation, and where each node went; none where there is no attention, or somebody looks into it.
pub(super) fn fuse(graph: &Graph, keep: &[NodeId]) -> Result<Option<(Graph, Vec<NodeId>)>> {
    let count = graph.nodes().len();
    let mut search = Search { graph, kept: vec![false; count], readers: vec![Vec::new(); count] };
    keep.iter().chain(graph.writes().iter().map(|(node, _)| node)).for_each(|node| search.kept[node.index()] = true);
    for id in graph.ids().filter(|&id| !matches!(graph.node(id).phase, Phase::Backward { .. })) {
        graph.node(id).inputs.iter().for_each(|input| search.readers[input.index()].push(id));
    }
    let mut found: Vec<Found> = graph.ids().filter_map(|id| search.attention(id)).collect();
    if found.is_empty() {
        return Ok(None);
    }
    let replace = |new: &mut Graph, id: NodeId, moved: &[NodeId]| -> Result<Option<NodeId>> {
        for one in &mut found {
            if let Some(node) = one.node(graph, new, id, moved)? {
                return Ok(Some(node));
            }
        }
        Ok(None)
    };
    graph.clone().rewritten(replace).map(Some)
}

impl Found {
    /// What stands in the new graph for node `id`, if one of the two operations makes it. All of a query's gradient comes by way of the attended values,
    /// since nothing else reads it; so it is with keys and values.
    fn node(&mut self, graph: &Graph, new: &mut Graph, id: NodeId, moved: &[NodeId]) -> Result<Option<NodeId>> {
        let position = self.inputs[..3].iter().position(|&input| graph.gradient_of(input) == Some(id));
        if id != self.out && position.is_none() {
            return Ok(None);
        }
        let mut inputs: Vec<NodeId> = self.inputs.iter().map(|input| moved[input.index()]).collect();
        if id == self.out {
            let packed = new.push(self.op.clone().into(), &inputs)?;
            self.forward = Some(packed);
            let shape = graph.shape(id).clone();
            let attended = new.slice_axis(packed, 0, 0, shape.numel())?;
            return new.reshape(attended, shape).map(Some);
        }
        let (Some(saved), Some(dy), Some(position)) = (self.forward, graph.gradient_of(self.out), position) else { return Ok(None) };
        let operands = inputs[..3].to_vec();
        inputs.splice(3..3, [saved, moved[dy.index()]]);
        let packed = match self.backward {
            Some(packed) => packed,
            None => new.push(AttentionGrad { of: self.op.clone() }.into(), &inputs)?,
        };
        self.backward = Some(packed);
        new.unpack(packed, &operands).map(|parts| parts.get(position).copied())
    }
}

struct Search<'a> {
    graph: &'a Graph,
    /// What must be there after a run.
    kept: Vec<bool>,
    /// Who reads each node, but for the backward pass.
    readers: Vec<Vec<NodeId>>,
}

impl<'a> Search<'a> {
    fn op(&self, id: NodeId) -> Option<&'a Op> {
        self.graph.op(id)
    }

    fn input(&self, id: NodeId, position: usize) -> Option<NodeId> {
        self.graph.node(id).inputs.get(position).copied()
    }

    fn changes_places(&self, id: NodeId) -> bool {
        matches!(self.op(id), Some(Op::Transpose(transpose)) if transpose.perm == CHANGED)
    }

    /// Who alone reads a value that nobody else wants to see.
    fn reader(&self, id: NodeId) -> Option<NodeId> {
        match self.readers[id.index()][..] {
            [reader] if !self.kept[id.index()] => Some(reader),
            _ => None,
        }
    }

    /// Input `position` of a node, reshapes left out, if nothing else reads it.
    fn source(&self, id: NodeId, position: usize) -> Option<NodeId> {
        let mut source = self.input(id, position)?;
        self.reader(source)?;
        while let Some(Op::Reshape(_)) = self.op(source) {
            source = self.input(source, 0)?;
            self.reader(source)?;
        }
        Some(source)
    }

    /// What a value goes to alone, reshapes left out.
    fn target(&self, id: NodeId) -> Option<NodeId> {
        let mut target = self.reader(id)?;
        while let Some(Op::Reshape(_)) = self.op(target) {
            target = self.reader(target)?;
        }
        Some(target)
    }

    /// The mask of `a + b` `[N, 1, 1, S]` where b is −10⁹ (1 − mask) and the mask nothing but zeros and ones.
    fn mask(&self, added: NodeId) -> Option<NodeId> {
        let through = |mut id: NodeId, skipped: fn(&Op) -> bool| {
            while self.op(id).is_some_and(skipped) {
                id = self.input(id, 0)?;
            }
            Some(id)
        };
        let is = |id: NodeId, function: Pointwise| matches!(self.op(id), Some(Op::Pointwise(own)) if *own == function);
        let number = |id: NodeId| match self.graph.node(id).kind {
            Kind::Leaf(Leaf::Constant(number)) => Some(number),
            _ => None,
        };
        let lowered = through(added, |op| matches!(op, Op::Reshape(_)))?;
        let padding =
            self.input(lowered, 0).filter(|_| is(lowered, Pointwise::Mul) && self.input(lowered, 1).and_then(number) == Some(HIDDEN))?;
        let mask =
            self.input(padding, 1).filter(|_| is(padding, Pointwise::Sub) && self.input(padding, 0).and_then(number) == Some(1.0))?;
        let compared = through(mask, |op| matches!(op, Op::Reshape(_) | Op::Slice(_)))?;
        (is(compared, Pointwise::Greater) || is(compared, Pointwise::Equal)).then_some(mask)
    }

    /// The attention that has the weights `weights`: `softmax(tril(scale Q Kᵀ) − 10⁹ (1 − mask)) V`, with or without either mask.
    fn attention(&self, weights: NodeId) -> Option<Found> {
        let Some(Op::Softmax(_)) = self.op(weights) else { return None };
        let product = self.target(weights)?;
        let Some(Op::MatMul(MatMul { transpose_a: false, transpose_b: false })) = self.op(product) else { return None };
        if self.source(product, 0)? != weights {
            return None;
        }
        let (mut scores, mut mask, mut causal) = (self.source(weights, 0)?, None, false);
        if let Some(Op::Pointwise(Pointwise::Add)) = self.op(scores) {
            let added = self.input(scores, 1)?;
            mask = Some(self.mask(added)?);
            scores = self.source(scores, 0)?;
        }
        if let Some(Op::Tril(tril)) = self.op(scores) {
            causal = true;
            scores = self.source(scores, 0).filter(|_| tril.diagonal == 0 && tril.fill <= 2.0 * HIDDEN)?;
        }
        let Some(Op::MatMul(MatMul { transpose_a: false, transpose_b: true })) = self.op(scores) else { return None };
        let scaled = self.source(scores, 0)?;
        let (Some(Op::Pointwise(Pointwise::Mul)), factor) = (self.op(scaled), self.input(scaled, 1)?) else { return None };
        let Kind::Leaf(Leaf::Constant(scale)) = self.graph.node(factor).kind else { return None };

        let mut heads = [self.source(scaled, 0)?, self.source(scores, 1)?, self.source(product, 1)?];
        let shape = |id: NodeId| self.graph.shape(id);
        let (&[batch, count, queries, _], &[_, groups, keys, _]) = (&shape(heads[0])[..], &shape(heads[1])[..]) else { return None };
        let of_scores = Shape::from([batch, count, queries, keys]);
        let mut out = if shape(product).rank() == 4 { product } else { self.reader(product)? };
        let pairs = [(scores, heads[0], heads[1]), (product, weights, heads[2])];
        let fits = |&(product, a, b): &(NodeId, NodeId, NodeId)| self.by_group(product, shape(a), shape(b), groups);
        if *shape(weights) != of_scores || shape(out).rank() != 4 || !pairs.iter().all(fits) {
            return None;
        }
        let mut op = Attention { scale, causal, heads_first: true };
        // Where heads were brought in front of positions just for this, and back, they need not be.
        let before: Option<Vec<NodeId>> = heads
            .iter()
            .map(|&head| self.input(head, 0).filter(|&before| self.changes_places(head) && self.reader(before).is_some()))
            .collect();
        let behind = self.reader(out).filter(|&reader| self.changes_places(reader));
        if let (Some(&[q, k, v]), Some(behind)) = (before.as_deref(), behind) {
            (heads, out, op.heads_first) = ([q, k, v], behind, false);
        }
        let inputs: Vec<NodeId> = heads.into_iter().chain(mask).collect();
        let metas: Vec<&Meta> = inputs.iter().map(|&input| &self.graph.node(input).meta).collect();
        op.infer(&metas).ok()?;
        Some(Found { op, inputs, out, forward: None, backward: None })
    }

    /// Whether a product of heads is that of `a` and `b`, head by head, or each head of `b` with those of `a` that share it.
    fn by_group(&self, product: NodeId, a: &Shape, b: &Shape, groups: usize) -> bool {
        let (&[batch, heads, rows, cols], &[_, _, length, dim]) = (&a[..], &b[..]) else { return false };
        let [left, right] = [0, 1].map(|position| self.input(product, position).map(|input| self.graph.shape(input)));
        let alone = left == Some(a) && right == Some(b) && heads == groups;
        let shared = groups > 0
            && left == Some(&Shape::from([batch, groups, heads / groups, rows, cols]))
            && right == Some(&Shape::from([batch, groups, 1, length, dim]));
        alone || shared
    }
}
