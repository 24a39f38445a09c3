//! Attention as one operation, which never stores its scores. `nn` composes attention of ordinary nodes, so that each can be looked at; the plan
//! `Train` puts these operations in their place (`plan/attention.rs`).

mod explain;
mod grad;
mod kernel;

use serde::Serialize;

pub use grad::AttentionGrad;

/// What is added to the scores of a key that is hidden: softmax makes exactly 0 of it, as of every number 104 below the largest.
pub use crate::simd::HIDDEN;

use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::simd::{AttentionInputs, AttentionShape};
use crate::tensor::Meta;

/// softmax(scale Q Kᵀ) V for each head, and behind it, for the gradient, the logarithm of each query's sum of powers (Dao et al. 2022, "FlashAttention";
/// `torch.nn.functional.scaled_dot_product_attention`): queries `[N, T, H, D]`, keys `[N, S, G, D]`, values `[N, S, G, E]` and, or not, a mask `[N, S]`, to
/// `[N · T · H · (E + 1)]`, which is `[N, T, H, E]` and then `[N, T, H]`. H / G heads of queries that follow each other look at the same keys and values.
/// A key whose mask is 0 has no weight, unless a query sees no other; no gradient reaches the mask.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "attention")]
pub struct Attention {
    /// What products of queries and keys are multiplied by.
    pub scale: f32,
    /// Whether query i sees only keys 0 to i.
    pub causal: bool,
    /// Whether all tensors are `[N, H, T, D]` and so on.
    pub heads_first: bool,
}

impl Attention {
    /// The extents, where the operands fit each other.
    fn shape(&self, op: &str, inputs: &[&Meta], mask: Option<&&Meta>) -> Result<AttentionShape> {
        let mismatch = |left: &Meta, right: &Meta| {
            Error::new(ErrorCode::ShapeMismatch, &[("op", &op), ("left", &left.shape), ("right", &right.shape)])
        };
        let (q, k, v) = (inputs[0], inputs[1], inputs[2]);
        let extents = |meta: &Meta| match meta.shape[..] {
            [n, a, b, dim] if n * a * b * dim > 0 => Ok(if self.heads_first { [n, b, a, dim] } else { [n, a, b, dim] }),
            _ => Err(Error::new(ErrorCode::BadShape, &[("op", &op), ("expected", &"heads of vectors"), ("got", &meta.shape)])),
        };
        let ([batch, queries, heads, dim], [of, keys, groups, key_dim], [values_of, values, value_groups, value_dim]) =
            (extents(q)?, extents(k)?, extents(v)?);
        if batch != of || dim != key_dim || heads % groups != 0 {
            return Err(mismatch(q, k));
        }
        if [of, keys, groups] != [values_of, values, value_groups] {
            return Err(mismatch(k, v));
        }
        if let Some(mask) = mask
            && mask.shape[..] != [batch, keys]
        {
            return Err(mismatch(k, mask));
        }
        let Self { scale, causal, heads_first } = *self;
        let shape = AttentionShape { batch, queries, keys, heads, groups, dim, value_dim, heads_first, causal, scale };
        match kernel::tile(&shape) {
            Some(_) => Ok(shape),
            None => Err(Error::new(
                ErrorCode::BadShape,
                &[("op", &op), ("expected", &"heads that fit a workgroup's memory"), ("got", &q.shape)],
            )),
        }
    }
}

/// Pairs of a query and a key that it sees.
fn pairs(s: &AttentionShape) -> usize {
    s.batch * s.heads * (0..s.queries).map(|i| s.seen(i)).sum::<usize>()
}

fn views<'a, T>(inputs: &[View<'a, T>], mask: Option<&View<'a, T>>) -> AttentionInputs<'a, T> {
    AttentionInputs { q: inputs[0].data, k: inputs[1].data, v: inputs[2].data, mask: mask.map(|mask| mask.data) }
}

impl Graph {
    /// The parts of a vector one behind the other, each in the shape of one of these nodes.
    pub fn unpack(&mut self, packed: NodeId, like: &[NodeId]) -> Result<Vec<NodeId>> {
        let mut end = 0;
        let part = |&like: &NodeId| {
            let shape = self.shape(like).clone();
            let start = end;
            end += shape.numel();
            let part = self.slice_axis(packed, 0, start, end)?;
            self.reshape(part, shape)
        };
        like.iter().map(part).collect()
    }
}

impl OpDef for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn formula(&self) -> String {
        r"Y = \operatorname{softmax}(s \, Q K^\top) \, V".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        Ok(Meta::f32([self.shape(self.name(), inputs, inputs.get(3))?.out_len()]))
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let (operands, mask) = cx.inputs.split_at(3);
        let inputs: Vec<NodeId> = operands.iter().chain(&[cx.out, cx.dy]).chain(mask).copied().collect();
        let packed = cx.graph.push(AttentionGrad { of: self.clone() }.into(), &inputs)?;
        let gradients = cx.graph.unpack(packed, operands)?;
        Ok(gradients.into_iter().map(Some).chain(mask.iter().map(|_| None)).collect())
    }

    fn cpu<T: Real>(&self, cx: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let metas: Vec<Meta> = inputs.iter().map(|view| Meta::f32(view.shape.clone())).collect();
        let metas: Vec<&Meta> = metas.iter().collect();
        let Ok(shape) = self.shape(self.name(), &metas, metas.get(3)) else { return };
        T::attention(&shape, views(inputs, inputs.get(3)), out, &mut cx.scratch);
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        match self.shape(self.name(), cx.inputs, cx.inputs.get(3)) {
            Ok(shape) => kernel::forward(&shape, cx.inputs.len() > 3, cx.tuning.threads),
            Err(_) => Vec::new(),
        }
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        match self.shape(self.name(), inputs, inputs.get(3)) {
            Ok(shape) => explain::forward(&shape, inputs.get(3).map(|_| 3), out),
            Err(_) => Expr::Sum(Vec::new()),
        }
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        let flops = self.shape(self.name(), inputs, inputs.get(3)).map_or(0, |s| pairs(&s) * (2 * (s.dim + s.value_dim) + 5));
        Cost::new(flops, inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let one = |(name, of, shapes, mask): Case| masked(Sample::new(&format!("attention {name}"), of, &shapes, (-1.0, 1.0)), 3, mask);
        cases().into_iter().map(one).collect()
    }
}

/// A name, the operation, the shapes of queries, keys and values, and the mask of the keys.
type Case = (&'static str, Attention, Vec<&'static [usize]>, &'static [usize]);

fn cases() -> Vec<Case> {
    let of = |scale: f32, causal: bool, heads_first: bool| Attention { scale, causal, heads_first };
    vec![
        ("of one head", of(0.5, false, false), vec![&[1, 3, 1, 4], &[1, 5, 1, 4], &[1, 5, 1, 2]], &[]),
        ("causal", of(0.6, true, false), vec![&[2, 5, 2, 3], &[2, 5, 2, 3], &[2, 5, 2, 3]], &[]),
        ("masked", of(0.5, false, false), vec![&[3, 3, 2, 4], &[3, 3, 2, 4], &[3, 3, 2, 5]], &[1, 0, 1, 2, 1, 1, 1, 1, 0]),
        ("causal and masked", of(0.5, true, true), vec![&[2, 1, 4, 4], &[2, 1, 4, 4], &[2, 1, 4, 4]], &[1, 1, 0, 1, 1, 0, 1, 0]),
        ("of heads that share keys", of(0.4, true, true), vec![&[1, 4, 3, 6], &[1, 2, 4, 6], &[1, 2, 4, 1]], &[]),
        ("of wide heads", of(0.2, false, false), vec![&[1, 2, 1, 36], &[1, 18, 1, 36], &[1, 18, 1, 34]], &[]),
        ("of many positions", of(0.5, true, false), vec![&[1, 37, 2, 4], &[1, 35, 1, 4], &[1, 35, 1, 4]], &[]),
    ]
}

/// The same with that mask as input `position`, if there is one.
fn masked(sample: Sample, position: usize, mask: &[usize]) -> Sample {
    let metas = sample.metas();
    let keys = [metas[1].shape[0], mask.len() / metas[1].shape[0]];
    if mask.is_empty() { sample } else { sample.with_index(position, &keys, mask) }
}
