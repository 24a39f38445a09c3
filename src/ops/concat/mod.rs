//! Tensors one behind the other.

use std::fmt::Write as _;

use serde::Serialize;

use super::kernel::{ravel, unravel};
use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::tensor::{Meta, Shape};

/// The inputs one behind the other along an axis, all other extents equal (`numpy.concatenate`, `keras.layers.Concatenate`).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "concat")]
pub struct Concat {
    /// The axis.
    pub axis: usize,
}

impl Graph {
    /// The parts one behind the other along `axis`.
    pub fn concat(&mut self, parts: &[NodeId], axis: usize) -> Result<NodeId> {
        self.push(Concat { axis }.into(), parts)
    }
}

impl Concat {
    /// Elements of each outer position that lie side by side in a part.
    fn run(&self, part: &Shape) -> usize {
        part[self.axis..].iter().product()
    }
}

impl OpDef for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn formula(&self) -> String {
        r"y = [a \mid b \mid \ldots]".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let first = inputs.first().map(|meta| meta.shape.clone()).unwrap_or_default();
        if self.axis >= first.rank() {
            let expected = format!("axis {} to exist", self.axis);
            return Err(Error::new(ErrorCode::BadShape, &[("op", &self.name()), ("expected", &expected), ("got", &first)]));
        }
        let mut result = first.to_vec();
        for part in &inputs[1..] {
            let fits = |axis: usize| axis == self.axis || part.shape[axis] == first[axis];
            if part.shape.rank() != first.rank() || !(0..first.rank()).all(fits) {
                return Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &self.name()), ("left", &first), ("right", &part.shape)]));
            }
            result[self.axis] += part.shape[self.axis];
        }
        Ok(Meta { shape: result.into(), dtype: inputs[0].dtype })
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let mut start = 0;
        let part = |&input: &NodeId| {
            let end = start + cx.graph.shape(input)[self.axis];
            let gradient = cx.graph.slice_axis(cx.dy, self.axis, start, end)?;
            start = end;
            Ok(Some(gradient))
        };
        cx.inputs.iter().map(part).collect()
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let whole: usize = inputs.iter().map(|part| self.run(part.shape)).sum();
        for (outer, mut row) in out.chunks_exact_mut(whole.max(1)).enumerate() {
            for part in inputs {
                let run = self.run(part.shape);
                let (here, rest) = row.split_at_mut(run);
                here.copy_from_slice(&part.data[outer * run..(outer + 1) * run]);
                row = rest;
            }
        }
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let mut code = unravel(&cx.out.shape, "i", "i");
        code += "    var value = 0.0;\n";
        let mut start = 0;
        for (k, part) in cx.inputs.iter().enumerate() {
            let end = start + part.shape[self.axis];
            let strides = part.shape.strides();
            let shift = start * strides[self.axis];
            let condition = format!("i{0} >= {start}u && i{0} < {end}u", self.axis);
            let _ = writeln!(code, "    if ({condition}) {{ value = load{k}({} - {shift}u); }}", ravel(&strides, "i"));
            start = end;
        }
        code += "    store(i, value);";
        let operands: Vec<usize> = (0..cx.inputs.len()).collect();
        vec![Pass::elementwise(cx.out.shape.numel(), &operands, &code)]
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let whole: usize = inputs.iter().map(|part| self.run(&part.shape)).sum();
        let (outer, mut within) = (out / whole, out % whole);
        for (k, part) in inputs.iter().enumerate() {
            let run = self.run(&part.shape);
            if within < run {
                return Expr::element(k, outer * run + within);
            }
            within -= run;
        }
        Expr::Sum(Vec::new())
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(0, inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let sample = |axis: usize, shapes: &[&[usize]]| {
            Sample::new(&format!("concat {shapes:?} along {axis}"), Concat { axis }, shapes, (-1.0, 1.0))
        };
        vec![
            sample(0, &[&[2, 3], &[4, 3]]),
            sample(3, &[&[2, 3, 2, 4], &[2, 3, 2, 1], &[2, 3, 2, 3]]),
            sample(1, &[&[2, 1, 5], &[2, 3, 5]]),
            sample(0, &[&[4], &[1], &[2], &[3]]),
            sample(1, &[&[3, 2]]),
        ]
    }
}
