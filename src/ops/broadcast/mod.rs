//! A tensor repeated to a larger shape. Inside a fused chain it costs nothing: the chain reads with broadcasting.

use serde::Serialize;

use super::kernel::broadcast_index;
use super::pointwise::{Arg, Chain, Instr, Pointwise};
use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::tensor::{Meta, Shape};

/// `broadcast_to(a, shape)` by NumPy's rules.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "broadcast_to")]
pub struct Broadcast {
    /// The larger shape.
    pub shape: Shape,
}

impl Graph {
    /// a repeated to `shape`; a itself if it has that shape.
    pub fn broadcast_to(&mut self, a: NodeId, shape: impl Into<Shape>) -> Result<NodeId> {
        let shape = shape.into();
        if *self.shape(a) == shape { Ok(a) } else { self.push(Broadcast { shape }.into(), &[a]) }
    }
}

impl OpDef for Broadcast {
    fn name(&self) -> &'static str {
        "broadcast_to"
    }

    fn formula(&self) -> String {
        r"y_{ij} = a_j".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let from = &inputs[0].shape;
        if Shape::broadcast("broadcast_to", from, &self.shape)? != self.shape {
            return Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &"broadcast_to"), ("left", from), ("right", &self.shape)]));
        }
        Ok(Meta { shape: self.shape.clone(), dtype: inputs[0].dtype })
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let shape = cx.graph.shape(cx.inputs[0]).clone();
        Ok(vec![Some(cx.graph.sum_to(cx.dy, &shape)?)])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let copy = Instr { function: Pointwise::Add, args: vec![Arg::Input(0), Arg::Constant(0.0)] };
        Chain { instrs: vec![copy], outputs: vec![0] }.run(&self.shape, inputs, None, &mut [out]);
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let index = broadcast_index(&cx.inputs[0].shape, &self.shape, "i");
        vec![Pass::elementwise(self.shape.numel(), &[0], &format!("store(i, load0({index}));"))]
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let strides = inputs[0].shape.broadcast_strides(&self.shape);
        Expr::element(0, self.shape.unravel(out).iter().zip(strides).map(|(c, stride)| c * stride).sum())
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(0, inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let sample = |name: &str, from: &[usize], to: &[usize]| Sample::new(name, Broadcast { shape: to.into() }, &[from], (-1.0, 1.0));
        vec![
            sample("broadcast_to scalar", &[], &[3, 4]),
            sample("broadcast_to bias", &[4], &[2, 3, 4]),
            sample("broadcast_to middle", &[2, 1, 3], &[2, 5, 3]),
        ]
    }
}
