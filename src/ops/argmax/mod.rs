//! Where the largest element is.

use serde::Serialize;

use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::tensor::{Meta, Shape};

/// Position of the first largest element along an axis, which vanishes (`numpy.argmax`, `torch.argmax`). No gradient.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "argmax")]
pub struct ArgMax {
    /// The axis.
    pub axis: usize,
}

impl Graph {
    /// Position of the first largest element of `a` along `axis`.
    pub fn argmax(&mut self, a: NodeId, axis: usize) -> Result<NodeId> {
        self.push(ArgMax { axis }.into(), &[a])
    }
}

impl ArgMax {
    /// Candidates of a result, and elements from one to the next.
    fn extents(&self, shape: &Shape) -> (usize, usize) {
        (shape[self.axis], shape[self.axis + 1..].iter().product())
    }
}

/// Position of the first candidate of result `out`.
fn first(out: usize, count: usize, step: usize) -> usize {
    out / step * step * count + out % step
}

impl OpDef for ArgMax {
    fn name(&self) -> &'static str {
        "argmax"
    }

    fn formula(&self) -> String {
        r"y = \operatorname{argmax}_i a_i".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let shape = &inputs[0].shape;
        if shape.get(self.axis).is_none_or(|&extent| extent == 0) {
            let expected = format!("elements along axis {}", self.axis);
            return Err(Error::new(ErrorCode::BadShape, &[("op", &self.name()), ("expected", &expected), ("got", shape)]));
        }
        Ok(Meta::index(shape.reduced(&[self.axis], false)))
    }

    fn grad(&self, _: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        Ok(vec![None])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let (count, step) = self.extents(inputs[0].shape);
        let data = inputs[0].data;
        for (position, y) in out.iter_mut().enumerate() {
            let start = first(position, count, step);
            let larger = |best: usize, k: usize| if data[start + k * step] > data[start + best * step] { k } else { best };
            *y = T::of((1..count).fold(0, larger) as f64);
        }
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let (count, step) = self.extents(&cx.inputs[0].shape);
        let code = format!(
            "let first = i / {step}u * {}u + i % {step}u;
    var best = 0u;
    var most = load0(first);
    for (var k = 1u; k < {count}u; k++) {{
        let value = load0(first + k * {step}u);
        if (value > most) {{ best = k; most = value; }}
    }}
    store(i, f32(best));",
            step * count
        );
        vec![Pass::elementwise(cx.out.shape.numel(), &[0], &code)]
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let (count, step) = self.extents(&inputs[0].shape);
        let start = first(out, count, step);
        Expr::ArgMax((0..count).map(|k| Expr::element(0, start + k * step)).collect())
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(inputs[0].shape.numel(), inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let sample =
            |shape: &[usize], axis: usize| Sample::new(&format!("argmax {shape:?} along {axis}"), ArgMax { axis }, &[shape], (-1.0, 1.0));
        let mut ties = sample(&[3, 6], 1);
        ties.name += " with ties";
        ties.inputs[0].0.data.iter_mut().for_each(|x| *x = (*x * 2.0).round());
        vec![sample(&[4, 10], 1), sample(&[5], 0), sample(&[3, 4, 2], 1), sample(&[6, 3], 0), ties]
    }
}
