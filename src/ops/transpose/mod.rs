//! Axes in another order.

use serde::Serialize;

use super::kernel::{ravel, unravel};
use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, OpDef, Pass, Real, Sample, View, strided};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::tensor::{Meta, Shape};

/// Axis k of the result is axis `perm[k]` of a (`numpy.transpose`, `torch.permute`).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "transpose")]
pub struct Transpose {
    /// Each axis once.
    pub perm: Vec<usize>,
}

impl Graph {
    /// `a` with its axes in the order `perm`.
    pub fn transpose(&mut self, a: NodeId, perm: &[usize]) -> Result<NodeId> {
        self.push(Transpose { perm: perm.to_vec() }.into(), &[a])
    }
}

impl Transpose {
    /// Strides of a along the axes of the result.
    fn strides(&self, a: &Shape) -> Vec<usize> {
        let own = a.strides();
        self.perm.iter().map(|&axis| own[axis]).collect()
    }

    fn result(&self, a: &Shape) -> Shape {
        self.perm.iter().map(|&axis| a[axis]).collect()
    }
}

impl OpDef for Transpose {
    fn name(&self) -> &'static str {
        "transpose"
    }

    fn formula(&self) -> String {
        r"y_{i_{\pi(1)} i_{\pi(2)} \ldots} = a_{i_1 i_2 \ldots}".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let shape = &inputs[0].shape;
        if self.perm.len() != shape.rank() || !(0..shape.rank()).all(|axis| self.perm.contains(&axis)) {
            let expected = format!("axes {:?}", self.perm);
            return Err(Error::new(ErrorCode::BadShape, &[("op", &self.name()), ("expected", &expected), ("got", shape)]));
        }
        Ok(Meta { shape: self.result(shape), dtype: inputs[0].dtype })
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let mut inverse = vec![0; self.perm.len()];
        for (position, &axis) in self.perm.iter().enumerate() {
            inverse[axis] = position;
        }
        Ok(vec![Some(cx.graph.transpose(cx.dy, &inverse)?)])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let shape = inputs[0].shape;
        strided::read(&self.result(shape), &self.strides(shape), 0, inputs[0].data, out);
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let coordinates = unravel(&cx.out.shape, "i", "i");
        let index = ravel(&self.strides(&cx.inputs[0].shape), "i");
        vec![Pass::elementwise(cx.out.shape.numel(), &[0], &format!("{coordinates}    store(i, load0({index}));"))]
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let shape = &inputs[0].shape;
        let index = self.result(shape).unravel(out);
        Expr::element(0, index.iter().zip(self.strides(shape)).map(|(i, stride)| i * stride).sum())
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(0, inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let sample = |shape: &[usize], perm: &[usize]| {
            let name = format!("transpose {shape:?} {perm:?}");
            Sample::new(&name, Transpose { perm: perm.to_vec() }, &[shape], (-1.0, 1.0))
        };
        vec![
            sample(&[3, 5], &[1, 0]),
            sample(&[2, 3, 4, 5], &[0, 2, 1, 3]),
            sample(&[2, 3, 4], &[2, 0, 1]),
            sample(&[2, 1, 3, 2], &[3, 2, 1, 0]),
            sample(&[4], &[0]),
            sample(&[], &[]),
        ]
    }
}
