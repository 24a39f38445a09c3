//! The gradient of attention.

use serde::Serialize;

use super::{Attention, Case, cases, explain, kernel, masked, pairs, views};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::ops::{Cost, CpuCx, Expr, GradCx, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::simd::AttentionShape;
use crate::tensor::Meta;

/// With P = e^(scale Q Kᵀ − l) where keys are seen and S = P (dY Vᵀ − rowsum(dY Y) + dl): dQ = scale S K, dK = scale Sᵀ Q and dV = Pᵀ dY, one behind the other
/// as a vector, each in the order of its operand. Inputs are those of [`Attention`], its result (Y, l), and the gradient with respect to that or to Y alone,
/// with the mask as the last (Dao et al. 2022, algorithm 4; `torch.ops.aten._scaled_dot_product_flash_attention_backward`).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "attention_grad")]
pub struct AttentionGrad {
    /// The attention.
    pub of: Attention,
}

impl AttentionGrad {
    fn shape(&self, inputs: &[&Meta]) -> Result<AttentionShape> {
        let shape = self.of.shape(self.name(), inputs, inputs.get(5))?;
        let (saved, dy) = (&inputs[3].shape, &inputs[4].shape);
        if saved[..] != [shape.out_len()] || ![shape.out_len(), shape.query_rows() * shape.value_dim].contains(&dy.numel()) {
            return Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &self.name()), ("left", saved), ("right", dy)]));
        }
        Ok(shape)
    }
}

impl OpDef for AttentionGrad {
    fn name(&self) -> &'static str {
        "attention_grad"
    }

    fn formula(&self) -> String {
        r"\partial S = P \left( \partial Y V^\top - \sum \partial Y \, Y \right), \quad \partial Q = s \, \partial S \, K, \quad \partial K = s \, \partial S^\top Q, \quad \partial V = P^\top \partial Y"
            .into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        Ok(Meta::f32([self.shape(inputs)?.grads_len()]))
    }

    /// None of second order: plans put it in when all is differentiated.
    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        Ok(vec![None; cx.inputs.len()])
    }

    fn cpu<T: Real>(&self, cx: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let metas: Vec<Meta> = inputs.iter().map(|view| Meta::f32(view.shape.clone())).collect();
        let Ok(shape) = self.shape(&metas.iter().collect::<Vec<_>>()) else { return };
        T::attention_grad(&shape, views(inputs, inputs.get(5)), inputs[3].data, inputs[4].data, out, &mut cx.scratch);
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        match self.shape(cx.inputs) {
            Ok(shape) => kernel::backward(&shape, cx.inputs.len() > 5, cx.inputs[4].shape.numel() == shape.out_len(), cx.tuning.threads),
            Err(_) => Vec::new(),
        }
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        match self.shape(inputs) {
            Ok(shape) => explain::backward(&shape, inputs.get(5).map(|_| 5), inputs[4].shape.numel() == shape.out_len(), out),
            Err(_) => Expr::Sum(Vec::new()),
        }
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        let flops = self.shape(inputs).map_or(0, |s| pairs(&s) * (6 * s.dim + 4 * s.value_dim + 6));
        Cost::new(flops, inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let one = |(name, of, mut shapes, mask): Case| {
            let rows = shapes[0][..3].iter().product::<usize>();
            let attended = rows * shapes[2][3];
            let (saved, dy) = ([attended + rows], if of.causal { [attended] } else { [attended + rows] });
            let mut all: Vec<&[usize]> = std::mem::take(&mut shapes);
            all.extend([&saved[..], &dy[..]]);
            masked(Sample::new(&format!("attention_grad {name}"), AttentionGrad { of }, &all, (-1.0, 1.0)), 5, mask)
        };
        cases().into_iter().map(one).collect()
    }
}
