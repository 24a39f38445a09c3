//! Which elements are the largest.

use serde::Serialize;

use super::pointwise::Pointwise;
use super::softmax::matrix;
use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::tensor::{Meta, falling_order};

/// 1 for each of the k largest elements of the last axis and 0 for the others, of equal ones the first: `[..., C]` to `[..., C]`. These are the
/// indices of `torch.topk` as a mask, so that the values stay where they are: `where(top_k(x), x, ...)`. No gradient.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "top_k")]
pub struct TopK {
    /// How many.
    pub k: usize,
}

impl Graph {
    /// 1 for each of the `k` largest elements of the last axis of `a`, else 0.
    pub fn top_k(&mut self, a: NodeId, k: usize) -> Result<NodeId> {
        self.push(TopK { k }.into(), &[a])
    }
}

impl OpDef for TopK {
    fn name(&self) -> &'static str {
        "top_k"
    }

    fn formula(&self) -> String {
        format!(r"y_i = [\#\{{j : a_j > a_i \lor (a_j = a_i \land j < i)\}} < {}]", self.k)
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let shape = &inputs[0].shape;
        if self.k == 0 || shape.last().is_none_or(|&columns| columns < self.k) {
            let expected = format!("a last axis of at least {} elements", self.k.max(1));
            return Err(Error::new(ErrorCode::BadShape, &[("op", &self.name()), ("expected", &expected), ("got", shape)]));
        }
        Ok(Meta::f32(shape.clone()))
    }

    fn grad(&self, _: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        Ok(vec![None])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let (_, columns) = matrix(inputs[0].shape);
        out.fill(T::ZERO);
        for (row, y) in inputs[0].data.chunks_exact(columns.max(1)).zip(out.chunks_exact_mut(columns.max(1))) {
            // The two zeros are equal.
            let keys: Vec<f64> = row.iter().map(|x| x.double() + 0.0).collect();
            falling_order(&keys)[..self.k].iter().for_each(|&winner| y[winner] = T::ONE);
        }
    }

    /// A thread counts those that come before its element.
    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let (_, columns) = matrix(&cx.inputs[0].shape);
        let code = format!(
            "let first = i / {columns}u * {columns}u;
    let own = load0(i);
    var before = 0u;
    for (var j = first; j < first + {columns}u; j++) {{
        let other = load0(j);
        if (other > own || (other == own && j < i)) {{ before++; }}
    }}
    store(i, select(0.0, 1.0, before < {}u));",
            self.k
        );
        vec![Pass::elementwise(cx.out.shape.numel(), &[0], &code)]
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let (_, columns) = matrix(&inputs[0].shape);
        if self.k == columns {
            return Expr::Constant(1.0);
        }
        let (first, own) = (out / columns * columns, Expr::element(0, out));
        let before = |j: usize| {
            let larger = Expr::call(Pointwise::Greater, [Expr::element(0, j), own.clone()]);
            match j < out {
                true => vec![larger, Expr::Equal(Box::new([Expr::element(0, j), own.clone()]))],
                false => vec![larger],
            }
        };
        let others = (first..first + columns).filter(|&j| j != out);
        Expr::call(Pointwise::Greater, [Expr::Constant(self.k as f64), Expr::Sum(others.flat_map(before).collect())])
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        let (_, columns) = matrix(&inputs[0].shape);
        Cost::new(columns * out.shape.numel(), inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let sample = |shape: &[usize], k: usize| Sample::new(&format!("top_k {k} of {shape:?}"), TopK { k }, &[shape], (-1.0, 1.0));
        let mut ties = sample(&[4, 9], 4);
        ties.name += " with ties";
        ties.inputs[0].0.data.iter_mut().for_each(|x| *x = (*x * 2.0).round());
        vec![sample(&[10], 3), sample(&[2, 3, 6], 1), sample(&[3, 5], 5), sample(&[3, 20], 8), ties]
    }
}
