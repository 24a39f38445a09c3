//! Sums up to each element.

use serde::Serialize;

use super::kernel::{WORKGROUP, spread};
use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::tensor::{Meta, Shape};

/// yᵢ = Σ aⱼ over the j ≤ i along an axis, or over the j ≥ i if `reverse`: `[...]` to `[...]` (`torch.cumsum`, `jax.lax.cumsum`). Each
/// is the gradient of the other.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "cumsum")]
pub struct CumSum {
    /// The axis.
    pub axis: usize,
    /// Whether it adds from the end.
    pub reverse: bool,
}

impl Graph {
    /// Sums of `a` up to each element along `axis`.
    pub fn cumsum(&mut self, a: NodeId, axis: usize) -> Result<NodeId> {
        self.push(CumSum { axis, reverse: false }.into(), &[a])
    }
}

impl CumSum {
    /// Elements of a line along the axis, and from one of them to the next.
    fn extents(&self, shape: &Shape) -> (usize, usize) {
        (shape[self.axis], shape[self.axis + 1..].iter().product())
    }
}

/// Lines of that length or more are a workgroup's work.
const SHARED_FROM: usize = 64;

impl OpDef for CumSum {
    fn name(&self) -> &'static str {
        "cumsum"
    }

    fn formula(&self) -> String {
        format!(r"y_i = \sum_{{j {} i}} a_j", if self.reverse { r"\ge" } else { r"\le" })
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let shape = &inputs[0].shape;
        if self.axis >= shape.rank() {
            let expected = format!("axis {} to exist", self.axis);
            return Err(Error::new(ErrorCode::BadShape, &[("op", &self.name()), ("expected", &expected), ("got", shape)]));
        }
        Ok(Meta::f32(shape.clone()))
    }

    /// aⱼ went into every yᵢ behind it.
    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let back = CumSum { reverse: !self.reverse, ..*self };
        Ok(vec![Some(cx.graph.push(back.into(), &[cx.dy])?)])
    }

    /// Each step along the axis adds all lines that lie side by side.
    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let (count, inner) = self.extents(inputs[0].shape);
        let block = (count * inner).max(1);
        for (a, y) in inputs[0].data.chunks_exact(block).zip(out.chunks_exact_mut(block)) {
            y.copy_from_slice(a);
            for k in 1..count {
                // The sum so far, and the elements that it is added to.
                let (sum, next) = match self.reverse {
                    false => {
                        let (before, rest) = y.split_at_mut(k * inner);
                        (&before[(k - 1) * inner..], &mut rest[..inner])
                    }
                    true => {
                        let (rest, behind) = y.split_at_mut((count - k) * inner);
                        (&behind[..inner], &mut rest[(count - k - 1) * inner..])
                    }
                };
                next.iter_mut().zip(sum).for_each(|(next, &sum)| *next += sum);
            }
        }
    }

    /// A thread a line where lines are short; else a workgroup a line, which adds up 256 elements at a time in eight steps (Hillis and Steele 1986).
    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let shape = &cx.inputs[0].shape;
        let (count, inner) = self.extents(shape);
        let lines = shape.numel() / count.max(1);
        let first = |line: &str| format!("{line} / {inner}u * {}u + {line} % {inner}u", count * inner);
        let last = count.max(1) - 1;
        let at = if self.reverse { format!("first + ({last}u - k) * {inner}u") } else { format!("first + k * {inner}u") };
        if count < SHARED_FROM {
            let code = format!(
                "let first = {};
    var sum = 0.0;
    for (var k = 0u; k < {count}u; k++) {{ sum += load0({at}); store({at}, sum); }}",
                first("i")
            );
            return vec![Pass::elementwise(lines, &[0], &code)];
        }
        let (grid, number) = spread(lines);
        let body = format!(
            "var<workgroup> sums: array<f32, {WORKGROUP}>;

fn run(group: vec3u, lane: u32) {{
    let line = min({number}, {}u);
    let first = {};
    var before = 0.0;
    for (var start = 0u; start < {count}u; start += {WORKGROUP}u) {{
        let k = min(start + lane, {last}u);
        var own = select(0.0, load0({at}), start + lane < {count}u);
        for (var width = 1u; width < {WORKGROUP}u; width <<= 1u) {{
            sums[lane] = own;
            workgroupBarrier();
            if (lane >= width) {{ own += sums[lane - width]; }}
            workgroupBarrier();
        }}
        sums[lane] = own;
        workgroupBarrier();
        if ({number} == line && start + lane < {count}u) {{ store({at}, before + own); }}
        before += sums[{WORKGROUP}u - 1u];
        workgroupBarrier();
    }}
}}
",
            lines.max(1) - 1,
            first("line"),
        );
        vec![Pass::new(body, vec![0], grid, WORKGROUP, 4 * WORKGROUP as usize)]
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let (count, inner) = self.extents(&inputs[0].shape);
        let (position, first) = (out / inner % count, out / (count * inner) * count * inner + out % inner);
        let range = if self.reverse { position..count } else { 0..position + 1 };
        Expr::Sum(range.map(|k| Expr::element(0, first + k * inner)).collect())
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(out.shape.numel(), inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let sample = |shape: &[usize], axis: usize, reverse: bool| {
            let name = format!("cumsum of {shape:?} along {axis}{}", if reverse { " from the end" } else { "" });
            Sample::new(&name, CumSum { axis, reverse }, &[shape], (-1.0, 1.0))
        };
        vec![
            sample(&[7], 0, false),
            sample(&[7], 0, true),
            sample(&[3, 4, 5], 1, false),
            sample(&[3, 4, 5], 2, true),
            sample(&[70, 3], 0, false),
            sample(&[2, 300], 1, true),
            sample(&[2, 600], 1, false),
            sample(&[1, 5], 0, false),
        ]
    }
}
