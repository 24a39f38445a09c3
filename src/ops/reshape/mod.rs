//! The same elements under another shape. Plans make it an alias: no kernel runs.

use serde::Serialize;

use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::tensor::{Meta, Shape};

/// `reshape(a)`: row-major order stays (`numpy.reshape`).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "reshape")]
pub struct Reshape {
    /// The new shape, with as many elements.
    pub shape: Shape,
}

impl Graph {
    /// The same elements under another shape.
    pub fn reshape(&mut self, a: NodeId, shape: impl Into<Shape>) -> Result<NodeId> {
        self.push(Reshape { shape: shape.into() }.into(), &[a])
    }
}

impl OpDef for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn formula(&self) -> String {
        r"y_i = a_i".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let from = &inputs[0].shape;
        if from.numel() != self.shape.numel() {
            return Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &"reshape"), ("left", from), ("right", &self.shape)]));
        }
        Ok(Meta { shape: self.shape.clone(), dtype: inputs[0].dtype })
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let shape = cx.graph.shape(cx.inputs[0]).clone();
        Ok(vec![Some(cx.graph.reshape(cx.dy, shape)?)])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        out.copy_from_slice(inputs[0].data);
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        vec![Pass::elementwise(cx.out.shape.numel(), &[0], "store(i, load0(i));")]
    }

    fn explain(&self, _: &[&Meta], out: usize) -> Expr {
        Expr::element(0, out)
    }

    fn cost(&self, _: &[&Meta], _: &Meta) -> Cost {
        Cost::default()
    }

    fn samples() -> Vec<Sample> {
        let op = |shape: &[usize]| Reshape { shape: shape.into() };
        vec![
            Sample::new("reshape flatten", op(&[2, 60]), &[&[2, 3, 4, 5]], (-1.0, 1.0)),
            Sample::new("reshape scalar", op(&[]), &[&[1, 1]], (-1.0, 1.0)),
        ]
    }
}
