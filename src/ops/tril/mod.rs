//! The lower triangle of matrices: what a causal mask leaves.

use serde::Serialize;

use super::kernel::literal;
use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::tensor::{Meta, Shape};

/// y[..., i, j] = a[..., i, j] where j ≤ i + diagonal, and `fill` elsewhere: `[..., M, N]` to `[..., M, N]` (`torch.tril`, with another number
/// than 0 above). Scores of attention that are filled with a very negative number get a weight of exactly 0 by softmax, so that no position
/// sees those behind it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "tril")]
pub struct Tril {
    /// How many diagonals above the main one are kept.
    pub diagonal: usize,
    /// What stands above.
    pub fill: f32,
}

impl Graph {
    /// `a` `[..., M, N]` up to so many diagonals above the main one, and `fill` above.
    pub fn tril(&mut self, a: NodeId, diagonal: usize, fill: f32) -> Result<NodeId> {
        self.push(Tril { diagonal, fill }.into(), &[a])
    }
}

/// Rows and columns of the matrices.
fn matrix(shape: &Shape) -> Option<[usize; 2]> {
    match shape[..] {
        [.., rows, cols] => Some([rows, cols]),
        _ => None,
    }
}

impl OpDef for Tril {
    fn name(&self) -> &'static str {
        "tril"
    }

    fn formula(&self) -> String {
        let kept = if self.diagonal == 0 { "j \\le i".into() } else { format!("j \\le i + {}", self.diagonal) };
        format!(r"y_{{ij}} = \begin{{cases}} a_{{ij}} & {kept} \\ {} & \text{{else}} \end{{cases}}", self.fill)
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let shape = &inputs[0].shape;
        match matrix(shape) {
            Some(_) => Ok(Meta::f32(shape.clone())),
            None => Err(Error::new(ErrorCode::BadShape, &[("op", &self.name()), ("expected", &"matrices"), ("got", shape)])),
        }
    }

    /// What was filled in does not depend on a: dy up to the diagonal, 0 above.
    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        Ok(vec![Some(cx.graph.tril(cx.dy, self.diagonal, 0.0)?)])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let Some([rows, cols]) = matrix(inputs[0].shape) else { return };
        let fill = T::of(f64::from(self.fill));
        let lines = out.chunks_exact_mut(cols.max(1)).zip(inputs[0].data.chunks_exact(cols.max(1)));
        for (line, (out, a)) in lines.enumerate() {
            let kept = (line % rows.max(1) + self.diagonal + 1).min(cols);
            out[..kept].copy_from_slice(&a[..kept]);
            out[kept..].fill(fill);
        }
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let Some([rows, cols]) = matrix(&cx.inputs[0].shape) else { return Vec::new() };
        let kept = format!("i % {cols}u <= i / {cols}u % {rows}u + {}u", self.diagonal);
        let code = format!("store(i, select({}, load0(i), {kept}));", literal(self.fill));
        vec![Pass::elementwise(cx.out.shape.numel(), &[0], &code)]
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let Some([rows, cols]) = matrix(&inputs[0].shape) else { return Expr::element(0, out) };
        match out % cols <= out / cols % rows + self.diagonal {
            true => Expr::element(0, out),
            false => Expr::Constant(f64::from(self.fill)),
        }
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(0, inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let sample = |shape: &[usize], diagonal: usize, fill: f32| {
            let name = format!("tril {shape:?} diagonal {diagonal} fill {fill}");
            Sample::new(&name, Tril { diagonal, fill }, &[shape], (-1.0, 1.0))
        };
        vec![
            sample(&[5, 5], 0, 0.0),
            sample(&[2, 3, 4, 4], 0, -2.0),
            sample(&[3, 2, 6], 2, -3.0),
            sample(&[6, 2], 0, 1.5),
            sample(&[1, 70], 69, 0.0),
        ]
    }
}
