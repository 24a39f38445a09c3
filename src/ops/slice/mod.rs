//! A part of a tensor.

use serde::Serialize;

use super::kernel::unravel;
use super::pad::Pad;
use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, OpDef, Pass, Real, Sample, View, strided};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::tensor::{Meta, Shape};

/// `a[start:end:step, ...]` along every axis, with steps of at least 1 (`jax.lax.slice`).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "slice")]
pub struct Slice {
    /// First position.
    pub starts: Vec<usize>,
    /// The position behind the last one that may be taken.
    pub ends: Vec<usize>,
    /// From one position to the next.
    pub steps: Vec<usize>,
}

impl Graph {
    /// `a[start:end:step, ...]` along every axis.
    pub fn slice(&mut self, a: NodeId, starts: &[usize], ends: &[usize], steps: &[usize]) -> Result<NodeId> {
        self.push(Slice { starts: starts.to_vec(), ends: ends.to_vec(), steps: steps.to_vec() }.into(), &[a])
    }

    /// Positions `start..end` along one axis.
    pub fn slice_axis(&mut self, a: NodeId, axis: usize, start: usize, end: usize) -> Result<NodeId> {
        let shape = self.shape(a);
        let (mut starts, mut ends, steps) = (vec![0; shape.rank()], shape.to_vec(), vec![1; shape.rank()]);
        if let (Some(first), Some(last)) = (starts.get_mut(axis), ends.get_mut(axis)) {
            (*first, *last) = (start, end);
        }
        self.slice(a, &starts, &ends, &steps)
    }
}

impl Slice {
    fn result(&self) -> Shape {
        let count = |((start, end), step): ((&usize, &usize), &usize)| (end - start).div_ceil(*step);
        self.starts.iter().zip(&self.ends).zip(&self.steps).map(count).collect()
    }

    /// Where the result begins in a, if its elements lie side by side there.
    pub fn range(&self, a: &Shape) -> Option<usize> {
        let result = self.result();
        let first = result.iter().position(|&extent| extent > 1).unwrap_or(result.rank());
        let whole = (first + 1..result.rank()).all(|axis| result[axis] == a[axis]);
        (whole && self.steps.get(first).is_none_or(|&step| step == 1)).then(|| self.source(a).1)
    }

    /// Strides in a of a step in the result, and where the result begins.
    fn source(&self, a: &Shape) -> (Vec<usize>, usize) {
        let own = a.strides();
        let offset = own.iter().zip(&self.starts).map(|(stride, start)| stride * start).sum();
        (own.iter().zip(&self.steps).map(|(stride, step)| stride * step).collect(), offset)
    }
}

impl OpDef for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn formula(&self) -> String {
        r"y_{i} = a_{\text{start} + i \cdot \text{step}}".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let shape = &inputs[0].shape;
        let rank = shape.rank();
        let complete = [&self.starts, &self.ends, &self.steps].iter().all(|list| list.len() == rank);
        if !complete || !(0..rank).all(|axis| self.starts[axis] < self.ends[axis] && self.ends[axis] <= shape[axis] && self.steps[axis] > 0)
        {
            let expected = format!("a tensor that has the range {:?} to {:?} by steps of {:?}", self.starts, self.ends, self.steps);
            return Err(Error::new(ErrorCode::BadShape, &[("op", &self.name()), ("expected", &expected), ("got", shape)]));
        }
        Ok(Meta { shape: self.result(), dtype: inputs[0].dtype })
    }

    /// Zeros around dy, and between its elements where the step is larger than 1.
    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let (shape, result) = (cx.graph.shape(cx.inputs[0]), self.result());
        let behind = |axis: usize| shape[axis] - self.starts[axis] - (result[axis] - 1) * self.steps[axis] - 1;
        let pads = (0..shape.rank()).map(|axis| [self.starts[axis], behind(axis)]).collect();
        let interior = self.steps.iter().map(|step| step - 1).collect();
        Ok(vec![Some(cx.graph.push(Pad { pads, interior, value: 0.0 }.into(), &[cx.dy])?)])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let (strides, offset) = self.source(inputs[0].shape);
        strided::read(&self.result(), &strides, offset, inputs[0].data, out);
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let (strides, offset) = self.source(&cx.inputs[0].shape);
        let index = super::kernel::ravel(&strides, "i");
        let code = format!("{}    store(i, load0({index} + {offset}u));", unravel(&cx.out.shape, "i", "i"));
        vec![Pass::elementwise(cx.out.shape.numel(), &[0], &code)]
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let (strides, offset) = self.source(&inputs[0].shape);
        let index = self.result().unravel(out);
        Expr::element(0, offset + index.iter().zip(strides).map(|(i, stride)| i * stride).sum::<usize>())
    }

    fn cost(&self, _: &[&Meta], out: &Meta) -> Cost {
        Cost::new(0, &[out], out)
    }

    fn samples() -> Vec<Sample> {
        let sample = |name: &str, shape: &[usize], starts: &[usize], ends: &[usize], steps: &[usize]| {
            let op = Slice { starts: starts.to_vec(), ends: ends.to_vec(), steps: steps.to_vec() };
            Sample::new(&format!("slice {name}"), op, &[shape], (-1.0, 1.0))
        };
        vec![
            sample("vector", &[9], &[2], &[7], &[1]),
            sample("channels", &[2, 3, 4, 6], &[0, 0, 0, 2], &[2, 3, 4, 4], &[1, 1, 1, 1]),
            sample("rows", &[5, 4], &[3, 0], &[5, 4], &[1, 1]),
            sample("steps", &[7, 6, 5], &[1, 0, 4], &[7, 6, 5], &[3, 2, 1]),
            sample("every second", &[8], &[1], &[8], &[2]),
            sample("step beyond the end", &[4, 3], &[2, 1], &[4, 3], &[5, 2]),
            sample("whole", &[2, 3], &[0, 0], &[2, 3], &[1, 1]),
        ]
    }
}
