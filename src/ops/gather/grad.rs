//! The gradient of gathering, which is scattering with addition: each row of the table gets the sum of what its occurrences get, in their order.

use serde::Serialize;

use super::row;
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::ops::kernel::spread;
use crate::ops::{Cost, CpuCx, Expr, GradCx, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::tensor::{DType, Meta};

/// dE[v, d] = Σ dy[n, d] over the n with indices[n] = v: indices `[...]`, dy `[..., D]`; dE `[V, D]` (`torch.Tensor.index_add_` to zeros,
/// `scatter_add`). The order of addition is that of n on both backends, so that the same numbers give the same bits: nothing is added by
/// atomic operations, which take turns as they come.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "gather_grad")]
pub struct GatherGrad {
    /// V.
    pub rows: usize,
}

/// Indices that a workgroup of the kernel searches at a time.
const CHUNK: usize = 1024;
/// Threads of its workgroups.
const LANES: usize = 64;

impl OpDef for GatherGrad {
    fn name(&self) -> &'static str {
        "gather_grad"
    }

    fn formula(&self) -> String {
        r"\partial E_{v d} = \sum_n [i_n = v] \, \partial y_{n d}".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let (indices, dy) = (inputs[0], &inputs[1].shape);
        match dy[..] {
            [ref outer @ .., width] if indices.dtype == DType::Index && *outer == indices.shape[..] => Ok(Meta::f32([self.rows, width])),
            _ => Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &self.name()), ("left", &indices.shape), ("right", dy)])),
        }
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        Ok(vec![None, Some(cx.graph.gather(cx.dy, cx.inputs[0])?)])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let width = out.len() / self.rows.max(1);
        out.fill(T::ZERO);
        for (&index, dy) in inputs[0].data.iter().zip(inputs[1].data.chunks_exact(width.max(1))) {
            let Some(row) = row(index, self.rows) else { continue };
            out[row * width..(row + 1) * width].iter_mut().zip(dy).for_each(|(sum, &dy)| *sum += dy);
        }
    }

    /// A workgroup makes some columns of a row: its threads search the indices together and note the hits as bits, whose order is the order
    /// of addition.
    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let (count, width) = (cx.inputs[0].shape.numel(), cx.out.shape[1]);
        let strips = width.div_ceil(LANES);
        let groups = self.rows * strips;
        let (grid, number) = spread(groups);
        let body = format!(
            "var<workgroup> hits: array<atomic<u32>, {words}>;

fn run(group: vec3u, lane: u32) {{
    let number = min({number}, {last}u);
    let row = number / {strips}u;
    let d = number % {strips}u * {LANES}u + lane;
    var sum = 0.0;
    for (var first = 0u; first < {count}u; first += {CHUNK}u) {{
        if (lane < {words}u) {{ atomicStore(&hits[lane], 0u); }}
        workgroupBarrier();
        for (var n = lane; n < min({CHUNK}u, {count}u - first); n += {LANES}u) {{
            if (load0(first + n) == f32(row)) {{ atomicOr(&hits[n / 32u], 1u << (n % 32u)); }}
        }}
        workgroupBarrier();
        for (var word = 0u; word < {words}u; word++) {{
            var bits = atomicLoad(&hits[word]);
            while (bits != 0u) {{
                let n = first + word * 32u + firstTrailingBit(bits);
                if (d < {width}u) {{ sum += load1(n * {width}u + d); }}
                bits &= bits - 1u;
            }}
        }}
        workgroupBarrier();
    }}
    if ({number} <= {last}u && d < {width}u) {{ store(row * {width}u + d, sum); }}
}}
",
            words = CHUNK / 32,
            last = groups.max(1) - 1,
        );
        vec![Pass::new(body, vec![0, 1], grid, LANES as u32, CHUNK / 8)]
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let width = inputs[1].shape.last().copied().unwrap_or(1);
        let (row, d) = (out / width, out % width);
        let term = |n: usize| {
            let chosen = Expr::Equal(Box::new([Expr::element(0, n), Expr::Constant(row as f64)]));
            Expr::Product(vec![chosen, Expr::element(1, n * width + d)])
        };
        Expr::Sum((0..inputs[0].shape.numel()).map(term).collect())
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(inputs[1].shape.numel(), inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let sample = |rows: usize, indices: &[usize], width: usize, values: &[usize]| {
            let dy: Vec<usize> = indices.iter().copied().chain([width]).collect();
            let name = format!("gather_grad {rows} rows from {dy:?}");
            Sample::new(&name, GatherGrad { rows }, &[&dy], (-1.0, 1.0)).with_index(0, indices, values)
        };
        vec![
            sample(7, &[2, 4], 3, &[3, 0, 6, 3, 5]),
            sample(4, &[], 5, &[2]),
            sample(3, &[5], 100, &[2, 0, 2, 4]),
            sample(5, &[1500], 2, &[1, 4, 4, 0, 2, 1, 3]),
        ]
    }
}
