//! Dropout.

use serde::Serialize;

use super::mask_tokens::MaskTokens;
use super::pointwise::Pointwise;
use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, Op, OpDef, Pass, Real, Sample, View};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::{Kind, NodeId};
use crate::tensor::{HostTensor, Meta};

/// y = x [u ≥ rate] / (1 − rate), with u uniform in [0, 1): x of any shape, the rate a scalar (Srivastava et al. 2014; inverted as in
/// `keras.layers.Dropout` and `torch.nn.Dropout`). u is a function of seed, stream, step and position, so that the gradient, which is the
/// same operation on dy, drops what the forward pass dropped. No gradient reaches the rate.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "dropout")]
pub struct Dropout {
    /// Tells the dropouts of a graph apart.
    pub stream: u32,
}

/// Streams below this number belong to the first values of variables.
const FIRST_STREAM: u32 = 1 << 16;

impl Graph {
    /// Drops elements of `x` with probability `rate`, a scalar, and scales up the others. Each call draws its own numbers.
    pub fn dropout(&mut self, x: NodeId, rate: NodeId) -> Result<NodeId> {
        let stream = self.fresh_stream();
        self.push(Dropout { stream }.into(), &[x, rate])
    }

    /// A stream of random numbers that no operation of the graph draws from.
    pub(super) fn fresh_stream(&self) -> u32 {
        let taken = self.nodes().iter().filter_map(|node| match node.kind {
            Kind::Op(Op::Dropout(Dropout { stream }) | Op::MaskTokens(MaskTokens { stream, .. })) => Some(stream + 1),
            _ => None,
        });
        taken.max().unwrap_or(FIRST_STREAM)
    }
}

impl OpDef for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn formula(&self) -> String {
        r"y_i = \frac{x_i \, [u_i \ge p]}{1 - p}".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let (x, rate) = (&inputs[0].shape, &inputs[1].shape);
        if rate.rank() > 0 {
            return Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &self.name()), ("left", x), ("right", rate)]));
        }
        Ok(Meta::f32(x.clone()))
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        Ok(vec![Some(cx.graph.push(self.clone().into(), &[cx.dy, cx.inputs[1]])?), None])
    }

    fn cpu<T: Real>(&self, cx: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let rate = inputs[1].data[0];
        let scale = T::ONE / (T::ONE - rate);
        for (index, (y, &x)) in out.iter_mut().zip(inputs[0].data).enumerate() {
            *y = if T::of(f64::from(cx.random(self.stream, index))) >= rate { x * scale } else { T::ZERO };
        }
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let code = format!(
            "let rate = load1(0u);
    var value = 0.0;
    if (random({}u, i) >= rate) {{ value = load0(i) * (1.0 / (1.0 - rate)); }}
    store(i, value);",
            self.stream
        );
        vec![Pass::elementwise(cx.out.shape.numel(), &[0, 1], &code)]
    }

    fn explain(&self, _: &[&Meta], out: usize) -> Expr {
        let (rate, one) = (Expr::element(1, 0), Expr::Constant(1.0));
        let dropped = Expr::call(Pointwise::Greater, [rate.clone(), Expr::Random { stream: self.stream, index: out }]);
        let kept = Expr::call(Pointwise::Sub, [one.clone(), dropped]);
        let share = Expr::call(Pointwise::Sub, [one, rate]);
        Expr::call(Pointwise::Div, [Expr::Product(vec![Expr::element(0, out), kept]), share])
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(2 * out.shape.numel(), inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let sample = |shape: &[usize], rate: f32, stream: u32| {
            let mut sample = Sample::new(&format!("dropout {rate} of {shape:?}"), Dropout { stream }, &[shape, &[]], (-1.0, 1.0));
            sample.inputs[1].0 = HostTensor::scalar(rate);
            sample
        };
        vec![sample(&[4, 9], 0.5, FIRST_STREAM), sample(&[2, 3, 4, 5], 0.2, FIRST_STREAM + 1), sample(&[600], 0.9, 7), sample(&[5], 0.0, 0)]
    }
}
