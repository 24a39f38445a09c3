//! The gradient of the cross-entropy with respect to the logits.

use serde::Serialize;

use super::{Labels, each_target, kind, labels_of, target, target_function};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::ops::pointwise::Pointwise;
use crate::ops::rows::{Fold, Rows};
use crate::ops::softmax::{each_row, folds, matrix, power, sum_of_powers};
use crate::ops::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::tensor::{DType, Meta, Shape};

/// dx[..., j] = dy[...] (p[..., j] Σₖ t[..., k] − t[..., j]) with p = softmax(x) and the targets t of
/// [`SoftmaxCrossEntropy`](super::SoftmaxCrossEntropy): logits x `[..., C]`, labels as there, dy `[...]`; dx `[..., C]`. Σ t is 1 for
/// probabilities.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(tag = "op", rename = "softmax_cross_entropy_grad")]
pub struct SoftmaxCrossEntropyGrad {
    /// As in the loss.
    pub label_smoothing: f32,
}

/// A tensor `[...]` as `[..., 1]`.
pub(super) fn as_column(g: &mut Graph, dy: NodeId) -> Result<NodeId> {
    let shape: Shape = g.shape(dy).iter().copied().chain([1]).collect();
    g.reshape(dy, shape)
}

impl OpDef for SoftmaxCrossEntropyGrad {
    fn name(&self) -> &'static str {
        "softmax_cross_entropy_grad"
    }

    fn formula(&self) -> String {
        r"\partial x_j = \partial L \left( \frac{e^{x_j}}{\sum_k e^{x_k}} - t_j \right)".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let (logits, dy) = (&inputs[0].shape, &inputs[2].shape);
        labels_of(self.name(), inputs[0], inputs[1], self.label_smoothing)?;
        if dy[..] != logits[..logits.rank() - 1] {
            return Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &self.name()), ("left", logits), ("right", dy)]));
        }
        Ok(Meta::f32(logits.clone()))
    }

    /// With u the upstream gradient and T = Σ t: to x as through a softmax, dy T p (u − Σ u p); to dy, Σ u (T p − t); to labels,
    /// dy (1 − s) (Σ u p − u).
    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let (g, u) = (&mut *cx.graph, cx.dy);
        let &[logits, labels, dy] = cx.inputs else { return Ok(Vec::new()) };
        let last = g.shape(logits).rank() - 1;
        let column = as_column(g, dy)?;
        let p = g.softmax(logits)?;
        let weighted = g.mul(u, p)?;
        let mean = g.sum(weighted, &[last], true)?;
        let centred = g.sub(u, mean)?;

        let scaled = g.mul(p, column)?;
        let mut to_logits = g.mul(scaled, centred)?;
        let mut to_labels = None;
        if g.node(labels).meta.dtype == DType::F32 {
            let kept = 1.0 - self.label_smoothing;
            let total = g.sum(labels, &[last], true)?;
            let total = g.scale(total, kept)?;
            let spread = g.constant(self.label_smoothing);
            let total = g.add(total, spread)?;
            to_logits = g.mul(to_logits, total)?;
            let weight = g.scale(column, -kept)?;
            to_labels = Some(g.mul(centred, weight)?);
        }

        let one = g.constant(1.0);
        let shape = g.shape(dy).clone();
        let ones = g.broadcast_to(one, shape)?;
        let slope = g.push(self.clone().into(), &[logits, labels, ones])?;
        let products = g.mul(u, slope)?;
        let to_dy = g.sum(products, &[last], false)?;
        Ok(vec![Some(to_logits), to_labels, Some(to_dy)])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let (_, cols) = matrix(inputs[0].shape);
        let (labels, dy, smoothing) = (inputs[1].data, inputs[2].data, self.label_smoothing);
        let kind = kind(inputs[0].shape, inputs[1].shape);
        each_row(inputs[0].data, cols, out, cols, |example, _, powers, _, y| {
            let mut weight = T::ZERO;
            match kind {
                Labels::Classes => weight = T::ONE,
                Labels::Probabilities => each_target(kind, labels, example, cols, smoothing, |_, target| weight += target),
            }
            let share = weight / powers.iter().copied().sum();
            each_target(kind, labels, example, cols, smoothing, |j, target| y[j] = dy[example] * (powers[j] * share - target));
        });
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let (count, cols) = matrix(&cx.inputs[0].shape);
        let kind = kind(&cx.inputs[0].shape, &cx.inputs[1].shape);
        let mut folds = folds(cols);
        let weight = match kind {
            Labels::Classes => "1.0",
            Labels::Probabilities => {
                folds.push(Fold::sum("weight", "target_(i, r)"));
                "weight"
            }
        };
        let each = format!("let at = i * {cols}u + r; store(at, load2(i) * (exp(load0(at) - most) / total * {weight} - target_(i, r)));");
        let prelude = target_function(kind, cols, self.label_smoothing);
        vec![Rows { count, length: cols, inputs: vec![0, 1, 2], prelude, folds, each: Some(each), once: None }.pass(cx.tuning.threads)]
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let (_, cols) = matrix(&inputs[0].shape);
        let kind = kind(&inputs[0].shape, &inputs[1].shape);
        let (example, j) = (out / cols, out % cols);
        let targets = |j: usize| target(kind, example, j, cols, self.label_smoothing);
        let mut probability = Expr::call(Pointwise::Div, [power(0, out), sum_of_powers(0, example * cols, cols)]);
        if kind == Labels::Probabilities {
            probability = Expr::Product(vec![probability, Expr::Sum((0..cols).map(targets).collect())]);
        }
        Expr::Product(vec![Expr::element(2, example), Expr::call(Pointwise::Sub, [probability, targets(j)])])
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(7 * out.shape.numel(), inputs, out)
    }

    fn samples() -> Vec<Sample> {
        super::samples("softmax_cross_entropy_grad", true, |label_smoothing| SoftmaxCrossEntropyGrad { label_smoothing })
    }
}
