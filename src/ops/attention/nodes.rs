//! Attention's gradient as ordinary nodes: what its own gradient is made of. Heads that share keys are an axis of their own:
//! queries are `[N, G, H / G, T, D]`, keys `[N, G, 1, S, D]`.

use super::Attention;
use crate::error::Result;
use crate::graph::NodeId;
use crate::ops::Graph;
use crate::ops::reduce::Reduction;
use crate::simd::HIDDEN;
use crate::tensor::Shape;

/// How heads lie.
#[derive(Clone, Copy)]
struct Heads {
    first: bool,
    groups: usize,
    shared_by: usize,
}

impl Heads {
    fn count(self, shape: &Shape) -> usize {
        shape[if self.first { 1 } else { 2 }]
    }

    /// What has this shape, or as many elements, with five axes.
    fn split(self, g: &mut Graph, x: NodeId, shape: &Shape) -> Result<NodeId> {
        let mut x = g.reshape(x, shape.clone())?;
        if !self.first {
            x = g.transpose(x, &[0, 2, 1, 3])?;
        }
        let &[batch, heads, length, cols] = &g.shape(x)[..] else { return Ok(x) };
        g.reshape(x, [batch, self.groups, heads / self.groups, length, cols])
    }

    /// The reverse, with the sum over the heads that share where the shape has but one for them.
    fn join(self, g: &mut Graph, mut x: NodeId, shape: &Shape) -> Result<NodeId> {
        if self.shared_by > 1 && self.count(shape) == self.groups {
            x = g.sum(x, &[2], true)?;
        }
        let &[batch, groups, shared, length, cols] = &g.shape(x)[..] else { return Ok(x) };
        let x = g.reshape(x, [batch, groups * shared, length, cols])?;
        if self.first { Ok(x) } else { g.transpose(x, &[0, 2, 1, 3]) }
    }
}

/// Values in front and a number for each row behind them: both with five axes, the latter if it is there.
fn parts(g: &mut Graph, heads: Heads, packed: NodeId, shape: &Shape) -> Result<(NodeId, Option<NodeId>)> {
    let (values, all) = (shape.numel(), g.shape(packed).numel());
    let packed = g.reshape(packed, [all])?;
    let front = g.slice_axis(packed, 0, 0, values)?;
    let front = heads.split(g, front, shape)?;
    if all == values {
        return Ok((front, None));
    }
    let behind = g.slice_axis(packed, 0, values, all)?;
    let rows: Shape = shape[..3].iter().copied().chain([1]).collect();
    Ok((front, Some(heads.split(g, behind, &rows)?)))
}

/// The reverse of [`parts`].
fn packed(g: &mut Graph, heads: Heads, front: NodeId, behind: NodeId, shape: &Shape) -> Result<NodeId> {
    let rows: Shape = shape[..3].iter().copied().chain([1]).collect();
    let (front, behind) = (heads.join(g, front, shape)?, heads.join(g, behind, &rows)?);
    let (front, behind) = (g.reshape(front, [shape.numel()])?, g.reshape(behind, [rows.numel()])?);
    g.concat(&[front, behind], 0)
}

/// What is added to the scores of hidden keys, less that of a query that sees no other.
fn hiding(g: &mut Graph, causal: bool, mask: NodeId, scores: NodeId) -> Result<NodeId> {
    let zero = g.constant(0.0);
    let is_hidden = g.equal(mask, zero)?;
    let hidden = g.scale(is_hidden, HIDDEN)?;
    let &[batch, keys] = &g.shape(mask)[..] else { return Ok(scores) };
    let hidden = g.reshape(hidden, [batch, 1, 1, 1, keys])?;
    let queries = g.shape(scores)[3];
    let mut seen = g.broadcast_to(hidden, Shape::from([batch, 1, 1, queries, keys]))?;
    if causal {
        seen = g.tril(seen, 0, 2.0 * HIDDEN)?;
    }
    let top = g.reduce(Reduction::Max, seen, &[4], true)?;
    g.sub(hidden, top)
}

fn row_sums(g: &mut Graph, x: NodeId) -> Result<NodeId> {
    let last = g.shape(x).rank() - 1;
    g.sum(x, &[last], true)
}

/// The steps from the inputs of [`super::AttentionGrad`] to the scores' gradient, with five axes each.
pub(super) struct Composed {
    heads: Heads,
    scale: f32,
    q: NodeId,
    k: NodeId,
    v: NodeId,
    y: NodeId,
    /// Shape of the attended values.
    shape: Shape,
    dy: NodeId,
    /// P.
    weights: NodeId,
    /// dY Vᵀ − rowsum(dY Y) + dl.
    centred: NodeId,
    /// P times that.
    slopes: NodeId,
}

impl Composed {
    pub fn new(g: &mut Graph, of: &Attention, inputs: &[NodeId]) -> Result<Self> {
        let [q, k, v] = [inputs[0], inputs[1], inputs[2]].map(|node| g.shape(node).clone());
        let mut heads = Heads { first: of.heads_first, groups: 1, shared_by: 1 };
        heads.groups = heads.count(&k);
        heads.shared_by = heads.count(&q) / heads.groups;
        let shape: Shape = q[..3].iter().chain(&v[3..]).copied().collect();
        let (q, k, v) = (heads.split(g, inputs[0], &q)?, heads.split(g, inputs[1], &k)?, heads.split(g, inputs[2], &v)?);
        let ((y, lse), (dy, d_lse)) = (parts(g, heads, inputs[3], &shape)?, parts(g, heads, inputs[4], &shape)?);

        let scaled = g.scale(q, of.scale)?;
        let mut scores = g.matmul(scaled, k, false, true)?;
        if let Some(&mask) = inputs.get(5) {
            let hidden = hiding(g, of.causal, mask, scores)?;
            scores = g.add(scores, hidden)?;
        }
        if let Some(lse) = lse {
            scores = g.sub(scores, lse)?;
        }
        let mut weights = g.exp(scores)?;
        if of.causal {
            weights = g.tril(weights, 0, 0.0)?;
        }
        let (product, both) = (g.matmul(dy, v, false, true)?, g.mul(dy, y)?);
        let level = row_sums(g, both)?;
        let mut centred = g.sub(product, level)?;
        if let Some(d_lse) = d_lse {
            centred = g.add(centred, d_lse)?;
        }
        let slopes = g.mul(weights, centred)?;
        Ok(Self { heads, scale: of.scale, q, k, v, y, shape, dy, weights, centred, slopes })
    }

    /// The gradients of [`super::AttentionGrad`], with a, b and e upstream of dQ, dK and dV. To S: scale (a Kᵀ + Q bᵀ) = u; to the scores: P (u (dY Vᵀ − ...) +
    /// dY eᵀ) = w, which goes on to Q, K and l; to what P is multiplied by: u P = x, which goes on to V, Y, dY and dl.
    pub fn again(&self, g: &mut Graph, inputs: &[NodeId], upstream: NodeId) -> Result<Vec<Option<NodeId>>> {
        let of: Vec<Shape> = inputs[..3].iter().map(|&input| g.shape(input).clone()).collect();
        let own = g.unpack(upstream, &inputs[..3])?;
        let (a, b, e) = (self.heads.split(g, own[0], &of[0])?, self.heads.split(g, own[1], &of[1])?, self.heads.split(g, own[2], &of[2])?);

        let (left, right) = (g.matmul(a, self.k, false, true)?, g.matmul(self.q, b, false, true)?);
        let u = g.add(left, right)?;
        let u = g.scale(u, self.scale)?;
        let (through, values) = (g.mul(u, self.centred)?, g.matmul(self.dy, e, false, true)?);
        let w = g.add(through, values)?;
        let (w, x) = (g.mul(w, self.weights)?, g.mul(u, self.weights)?);

        let mut product = |of: NodeId, by: NodeId, transposed: bool, with: NodeId, and: NodeId| {
            let (first, second) = (g.matmul(of, by, transposed, false)?, g.matmul(with, and, transposed, false)?);
            g.add(first, second)
        };
        let to_q = product(w, self.k, false, self.slopes, b)?;
        let to_k = product(w, self.q, true, self.slopes, a)?;
        let to_dy = product(x, self.v, false, self.weights, e)?;
        let (to_q, to_k) = (g.scale(to_q, self.scale)?, g.scale(to_k, self.scale)?);
        let to_v = g.matmul(x, self.dy, true, false)?;

        let (level, sums) = (row_sums(g, x)?, row_sums(g, w)?);
        let (through_y, through_dy) = (g.mul(level, self.y)?, g.mul(level, self.dy)?);
        let to_dy = g.sub(to_dy, through_y)?;
        let (to_y, to_lse) = (g.neg(through_dy)?, g.neg(sums)?);
        let saved = packed(g, self.heads, to_y, to_lse, &self.shape)?;
        let dy = match g.shape(inputs[4]).numel() == self.shape.numel() {
            true => self.heads.join(g, to_dy, &self.shape)?,
            false => packed(g, self.heads, to_dy, level, &self.shape)?,
        };
        let of_dy = g.shape(inputs[4]).clone();
        let dy = g.reshape(dy, of_dy)?;
        let mut all = Vec::with_capacity(inputs.len());
        for (part, shape) in [to_q, to_k, to_v].into_iter().zip(&of) {
            all.push(Some(self.heads.join(g, part, shape)?));
        }
        all.extend([Some(saved), Some(dy)]);
        all.extend(inputs[5..].iter().map(|_| None));
        Ok(all)
    }
}
