//! Random numbers drawn in the graph.

use serde::Serialize;

use super::kernel::literal;
use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, Op, OpDef, Pass, Real, Sample, View};
use crate::error::Result;
use crate::graph::{Kind, NodeId};
use crate::tensor::{Meta, Shape};

/// yᵢ = a + (b − a) uᵢ, with u uniform in [0, 1), a low and b high: of any shape, from nothing (`keras.random.uniform`, `torch.rand`). u is a function of
/// seed, stream, step and position, so that every step draws anew and a replay draws the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "random_uniform")]
pub struct RandomUniform {
    /// Of the result.
    pub shape: Shape,
    /// The least.
    pub low: f32,
    /// What no number reaches.
    pub high: f32,
    /// Tells the draws of a graph apart.
    pub stream: u32,
}

/// Streams from here on are draws': below are dropouts, and first values of variables.
const FIRST_STREAM: u32 = 1 << 24;

impl Graph {
    /// Random numbers in [low, high). Each call draws its own.
    pub fn random_uniform(&mut self, shape: impl Into<Shape>, low: f32, high: f32) -> Result<NodeId> {
        let former = self.nodes().iter().filter(|node| matches!(node.kind, Kind::Op(Op::RandomUniform(_)))).count();
        self.push(RandomUniform { shape: shape.into(), low, high, stream: FIRST_STREAM + former as u32 }.into(), &[])
    }
}

impl OpDef for RandomUniform {
    fn name(&self) -> &'static str {
        "random_uniform"
    }

    fn formula(&self) -> String {
        r"y_i = a + (b - a) \, u_i".into()
    }

    fn infer(&self, _: &[&Meta]) -> Result<Meta> {
        Ok(Meta::f32(self.shape.clone()))
    }

    fn grad(&self, _: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        Ok(Vec::new())
    }

    fn cpu<T: Real>(&self, cx: &mut CpuCx, _: &[View<T>], out: &mut [T]) {
        let (low, width) = (T::of(f64::from(self.low)), T::of(f64::from(self.high - self.low)));
        for (index, y) in out.iter_mut().enumerate() {
            *y = low + width * T::of(f64::from(cx.random(self.stream, index)));
        }
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let (low, width) = (literal(self.low), literal(self.high - self.low));
        let code = format!("store(i, {low} + {width} * random({}u, i));", self.stream);
        vec![Pass::elementwise(cx.out.shape.numel(), &[], &code)]
    }

    fn explain(&self, _: &[&Meta], out: usize) -> Expr {
        let drawn = Expr::Random { stream: self.stream, index: out };
        let width = Expr::Constant(f64::from(self.high - self.low));
        Expr::Sum(vec![Expr::Constant(f64::from(self.low)), Expr::Product(vec![width, drawn])])
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(2 * out.shape.numel(), inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let sample = |shape: &[usize], low: f32, high: f32, stream: u32| {
            let op = RandomUniform { shape: shape.into(), low, high, stream };
            Sample::new(&format!("random uniform {low} to {high} of {shape:?}"), op, &[], (0.0, 1.0))
        };
        vec![sample(&[4, 9], -1.0, 1.0, FIRST_STREAM), sample(&[3], 0.0, 1.0, FIRST_STREAM + 1), sample(&[2, 300], 0.25, 2.0, 7)]
    }
}
