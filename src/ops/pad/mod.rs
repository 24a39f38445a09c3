//! A number around a tensor, and between its elements.

use std::fmt::Write as _;

use serde::Serialize;

use super::kernel::{literal, unravel};
use super::slice::Slice;
use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, OpDef, Pass, Real, Sample, View, strided};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::tensor::{Meta, Shape};

/// `a` with `value` before and after it along every axis, and `interior` times between neighbours (`jax.lax.pad`; without an interior
/// `numpy.pad` and, for images, `keras.layers.ZeroPadding2D`).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "pad")]
pub struct Pad {
    /// Before and after, for each axis.
    pub pads: Vec<[usize; 2]>,
    /// Between neighbours, for each axis.
    pub interior: Vec<usize>,
    /// The number.
    pub value: f32,
}

impl Graph {
    /// Zeros before and after `a` along each axis.
    pub fn pad(&mut self, a: NodeId, pads: &[[usize; 2]]) -> Result<NodeId> {
        self.push(Pad { pads: pads.to_vec(), interior: vec![0; pads.len()], value: 0.0 }.into(), &[a])
    }
}

impl Pad {
    fn result(&self, a: &Shape) -> Shape {
        let extent = |axis: usize| {
            let [before, after] = self.pads[axis];
            before + after + a[axis] + a[axis].saturating_sub(1) * self.interior[axis]
        };
        (0..a.rank()).map(extent).collect()
    }

    /// Strides in the result of a step in a, and where a begins.
    fn place(&self, result: &Shape) -> (Vec<usize>, usize) {
        let own = result.strides();
        let offset = own.iter().zip(&self.pads).map(|(stride, [before, _])| stride * before).sum();
        (own.iter().zip(&self.interior).map(|(stride, between)| stride * (between + 1)).collect(), offset)
    }
}

impl OpDef for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn formula(&self) -> String {
        r"y_{\text{before} + i} = a_i".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let shape = &inputs[0].shape;
        if [self.pads.len(), self.interior.len()] != [shape.rank(); 2] {
            let expected = format!("a tensor of {} axes", self.pads.len());
            return Err(Error::new(ErrorCode::BadShape, &[("op", &self.name()), ("expected", &expected), ("got", shape)]));
        }
        Ok(Meta { shape: self.result(shape), dtype: inputs[0].dtype })
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let padded = cx.graph.shape(cx.dy);
        let starts = self.pads.iter().map(|[before, _]| *before).collect();
        let ends = self.pads.iter().zip(padded.iter()).map(|([_, after], extent)| extent - after).collect();
        let steps = self.interior.iter().map(|between| between + 1).collect();
        Ok(vec![Some(cx.graph.push(Slice { starts, ends, steps }.into(), &[cx.dy])?)])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let (strides, offset) = self.place(&self.result(inputs[0].shape));
        out.fill(T::of(f64::from(self.value)));
        strided::write(inputs[0].shape, &strides, offset, inputs[0].data, out);
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let (shape, result) = (&cx.inputs[0].shape, &cx.out.shape);
        let mut code = unravel(result, "i", "i");
        let mut inside = vec!["true".to_owned()];
        let mut index = vec!["0u".to_owned()];
        for (axis, stride) in shape.strides().into_iter().enumerate() {
            let ([before, _], step, extent) = (self.pads[axis], self.interior[axis] + 1, shape[axis]);
            // Before the tensor this wraps around to beyond every extent.
            let _ = writeln!(code, "    let a{axis} = i{axis} - {before}u;");
            inside.push(format!("a{axis} < {}u", (extent.max(1) - 1) * step + 1));
            if step > 1 {
                inside.push(format!("a{axis} % {step}u == 0u"));
            }
            index.push(format!("a{axis} / {step}u * {stride}u"));
        }
        let _ = write!(
            code,
            "    var value = {};\n    if ({}) {{ value = load0({}); }}\n    store(i, value);",
            literal(self.value),
            inside.join(" && "),
            index.join(" + ")
        );
        vec![Pass::elementwise(result.numel(), &[0], &code)]
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let shape = &inputs[0].shape;
        let coordinate = |(axis, at): (usize, usize)| {
            let from = at.checked_sub(self.pads[axis][0])?;
            let step = self.interior[axis] + 1;
            (from.is_multiple_of(step) && from / step < shape[axis]).then_some(from / step)
        };
        let index: Option<Vec<usize>> = self.result(shape).unravel(out).into_iter().enumerate().map(coordinate).collect();
        index.map_or(Expr::Constant(f64::from(self.value)), |index| Expr::element(0, shape.ravel(&index)))
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(0, inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let sample = |name: &str, shape: &[usize], pads: &[[usize; 2]], interior: &[usize], value: f32| {
            let op = Pad { pads: pads.to_vec(), interior: interior.to_vec(), value };
            Sample::new(&format!("pad {name}"), op, &[shape], (-1.0, 1.0))
        };
        vec![
            sample("image", &[2, 3, 4, 2], &[[0, 0], [1, 2], [2, 0], [0, 0]], &[0; 4], 0.0),
            sample("vector with a number", &[5], &[[3, 1]], &[0], -1.5),
            sample("nothing", &[2, 2], &[[0, 0], [0, 0]], &[0, 0], 0.0),
            sample("interior", &[3, 4], &[[1, 0], [0, 2]], &[2, 1], 0.5),
            sample("single with interior", &[1, 3], &[[0, 1], [1, 0]], &[3, 0], 0.0),
            sample("scalar", &[], &[], &[], 1.0),
        ]
    }
}
