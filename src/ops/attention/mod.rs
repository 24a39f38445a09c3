//! Attention as one operation, which never stores its scores. `nn` composes attention of ordinary nodes, so that each can be looked at; the plan
//! `Train` puts these operations in their place (`plan/attention.rs`).

mod explain;
mod grad;
mod kernel;
mod nodes;

use serde::Serialize;

pub use grad::AttentionGrad;

use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::simd::{AttentionInputs, AttentionShape};
use crate::tensor::{HostTensor, Meta};
use nodes::Composed;

/// softmax(scale Q Kᵀ + bias) V for each head, and behind it, for the gradient, the logarithm of each query's sum of powers (Dao et al. 2022,
/// "FlashAttention"; `torch.nn.functional.scaled_dot_product_attention`): queries `[N, T, H, D]`, keys `[N, S, G, D]`, values `[N, S, G, E]`, bias
/// `[N, 1, 1, S]` or none, to `[N · T · H · (E + 1)]`, which is `[N, T, H, E]` and then `[N, T, H]`. H / G heads of queries that follow each other look at
/// the same keys and values.
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
    fn shape(&self, op: &str, inputs: &[&Meta], bias: Option<&&Meta>) -> Result<AttentionShape> {
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
        if let Some(bias) = bias
            && bias.shape[..] != [batch, 1, 1, keys]
        {
            return Err(mismatch(k, bias));
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

fn views<'a, T>(inputs: &[View<'a, T>], bias: Option<&View<'a, T>>) -> AttentionInputs<'a, T> {
    AttentionInputs { q: inputs[0].data, k: inputs[1].data, v: inputs[2].data, bias: bias.map(|bias| bias.data) }
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
        r"Y = \operatorname{softmax}(s \, Q K^\top + b) \, V".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        Ok(Meta::f32([self.shape(self.name(), inputs, inputs.get(3))?.out_len()]))
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let (q, k, v, bias) = (cx.inputs[0], cx.inputs[1], cx.inputs[2], cx.inputs.get(3).copied());
        let inputs: Vec<NodeId> = [q, k, v, cx.out, cx.dy].into_iter().chain(bias).collect();
        let packed = cx.graph.push(AttentionGrad { of: self.clone() }.into(), &inputs)?;
        let mut gradients: Vec<Option<NodeId>> = cx.graph.unpack(packed, &[q, k, v])?.into_iter().map(Some).collect();
        if bias.is_some() {
            let composed = Composed::new(cx.graph, self, &inputs)?;
            gradients.push(Some(composed.to_bias(cx.graph, composed.slopes)?));
        }
        Ok(gradients)
    }

    fn cpu<T: Real>(&self, cx: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let metas: Vec<Meta> = inputs.iter().map(|view| Meta::f32(view.shape.clone())).collect();
        let metas: Vec<&Meta> = metas.iter().collect();
        let Ok(shape) = self.shape(self.name(), &metas, metas.get(3)) else { return };
        T::attention(&shape, views(inputs, inputs.get(3)), out, &mut cx.scratch);
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        match self.shape(self.name(), cx.inputs, cx.inputs.get(3)) {
            Ok(shape) => kernel::forward(&shape, cx.inputs.len() > 3),
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
        let mut samples = Vec::new();
        each_case(|name, of, shapes| samples.push(biased(Sample::new(&format!("attention {name}"), of, shapes, (-1.0, 1.0)), 3)));
        samples
    }
}

/// A name, the operation, and the shapes of its inputs.
fn each_case(mut add: impl FnMut(&str, Attention, &[&[usize]])) {
    let of = |scale: f32, causal: bool, heads_first: bool| Attention { scale, causal, heads_first };
    add("of one head", of(0.5, false, false), &[&[1, 3, 1, 4], &[1, 5, 1, 4], &[1, 5, 1, 2]]);
    add("causal", of(0.6, true, false), &[&[2, 5, 2, 3], &[2, 5, 2, 3], &[2, 5, 2, 3]]);
    add("with a bias", of(0.5, false, false), &[&[2, 3, 2, 4], &[2, 4, 2, 4], &[2, 4, 2, 5], &[2, 1, 1, 4]]);
    add("causal with a bias", of(0.5, true, true), &[&[2, 1, 4, 4], &[2, 1, 4, 4], &[2, 1, 4, 4], &[2, 1, 1, 4]]);
    add("of heads that share keys", of(0.4, true, true), &[&[1, 4, 3, 6], &[1, 2, 4, 6], &[1, 2, 4, 1]]);
    add("of wide heads", of(0.2, false, false), &[&[1, 2, 1, 36], &[1, 18, 1, 36], &[1, 18, 1, 34]]);
    add("of many positions", of(0.5, true, false), &[&[1, 37, 2, 4], &[1, 35, 1, 4], &[1, 35, 1, 4]]);
}

/// The same with one key of the first example that is not seen, if there is a bias.
fn biased(mut sample: Sample, position: usize) -> Sample {
    if let Some((bias, _)) = sample.inputs.get_mut(position) {
        let own = bias.clone();
        *bias = HostTensor::from_fn(own.shape.clone(), |i| if i == 1 { -1e9 } else { own.data[i] });
    }
    sample
}
