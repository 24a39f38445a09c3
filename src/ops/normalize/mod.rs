//! Mean 0 and variance 1 over some axes: what layer norm and batch norm share. Scale and shift are ordinary products and sums.

mod build;
mod cpu;
mod grad;
mod kernel;
mod layout;

use serde::Serialize;

pub use build::BatchNorm;
pub use grad::NormalizeGrad;

use super::pointwise::Pointwise;
use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::tensor::{Meta, Shape};
use layout::Layout;

/// y = (x − μ) / √(σ² + ε), with mean μ and population variance σ² of x over `axes`; y has x's shape. Over the last axis it is layer norm
/// (Ba et al. 2016; `torch.nn.functional.layer_norm`), over all but the last batch norm in training (Ioffe and Szegedy 2015;
/// `keras.layers.BatchNormalization`).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "normalize")]
pub struct Normalize {
    /// Over which axes, ascending.
    pub axes: Vec<usize>,
    /// ε.
    pub epsilon: f32,
}

impl Graph {
    /// `x` with mean 0 and variance 1 over `axes`.
    pub fn normalize(&mut self, x: NodeId, axes: &[usize], epsilon: f32) -> Result<NodeId> {
        self.push(Normalize { axes: axes.to_vec(), epsilon }.into(), &[x])
    }
}

impl Normalize {
    fn check(&self, op: &str, shape: &Shape) -> Result<()> {
        let ascending = self.axes.windows(2).all(|pair| pair[0] < pair[1]);
        if self.axes.is_empty() || !ascending || self.axes.iter().any(|&axis| axis >= shape.rank()) {
            let expected = format!("axes {:?} to exist", self.axes);
            return Err(Error::new(ErrorCode::BadShape, &[("op", &op), ("expected", &expected), ("got", shape)]));
        }
        Ok(())
    }

    /// The statistics that element `out` is normalised by, as expressions.
    fn statistics(&self, shape: &Shape, out: usize) -> Statistics {
        let members = Layout::new(shape, &self.axes).members(out);
        let share = Expr::Constant(1.0 / members.len() as f64);
        let x = |at: &usize| Expr::element(0, *at);
        let mean = Expr::Product(vec![share.clone(), Expr::Sum(members.iter().map(x).collect())]);
        let squares = Expr::Sum(members.iter().map(|at| Expr::Product(vec![x(at), x(at)])).collect());
        // The mean of the squares less the square of the mean: as many terms as elements, not as many squared.
        let square = Expr::Product(vec![mean.clone(), mean.clone()]);
        let variance = Expr::call(Pointwise::Sub, [Expr::Product(vec![share.clone(), squares]), square]);
        let spread = Expr::call(Pointwise::Sqrt, [Expr::Sum(vec![variance, Expr::Constant(f64::from(self.epsilon))])]);
        Statistics { members, share, mean, spread }
    }
}

/// Mean and standard deviation of the elements that are normalised together.
struct Statistics {
    /// Where these elements are.
    members: Vec<usize>,
    /// 1 / their number.
    share: Expr,
    mean: Expr,
    /// √(σ² + ε)
    spread: Expr,
}

impl OpDef for Normalize {
    fn name(&self) -> &'static str {
        "normalize"
    }

    fn formula(&self) -> String {
        r"y = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}}".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        self.check(self.name(), &inputs[0].shape)?;
        Ok(Meta::f32(inputs[0].shape.clone()))
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        Ok(vec![Some(cx.graph.push(NormalizeGrad { of: self.clone() }.into(), &[cx.inputs[0], cx.dy])?)])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        cpu::forward(&Layout::new(inputs[0].shape, &self.axes), T::of(f64::from(self.epsilon)), inputs[0].data, out);
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        kernel::forward(&Layout::new(&cx.inputs[0].shape, &self.axes), self.epsilon, cx.tuning.threads)
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let Statistics { mean, spread, .. } = self.statistics(&inputs[0].shape, out);
        let distance = Expr::call(Pointwise::Sub, [Expr::element(0, out), mean]);
        Expr::call(Pointwise::Div, [distance, spread])
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(6 * out.shape.numel(), inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let sample = |(shape, axes, epsilon): (&[usize], &[usize], f32)| {
            let op = Normalize { axes: axes.to_vec(), epsilon };
            Sample::new(&format!("normalize {axes:?} of {shape:?}"), op, &[shape], (-1.0, 2.0))
        };
        cases().into_iter().map(sample).collect()
    }
}

/// Shapes, axes and epsilons that every suite runs, forward and backward.
fn cases() -> Vec<(&'static [usize], &'static [usize], f32)> {
    vec![
        (&[3, 8], &[1], 1e-5),
        (&[2, 3, 70], &[2], 1e-3),
        (&[2, 4, 3, 5], &[0, 1, 2], 1e-3),
        (&[9, 4], &[0], 1e-5),
        (&[300, 3], &[0], 1e-3),
        (&[2, 3, 4, 3], &[1, 2], 1e-3),
        (&[2, 5, 3], &[1], 1e-3),
        (&[2, 3, 4], &[0, 2], 1e-2),
        (&[3, 4], &[0, 1], 1e-5),
        (&[2, 300], &[1], 1e-6),
    ]
}
