//! Rows of a table by their numbers: an embedding.

mod grad;

use serde::Serialize;

pub use grad::GatherGrad;

use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::tensor::{DType, Meta, Shape};

/// y[..., d] = table[indices[...], d]: table `[V, D]`, indices `[...]`, y `[..., D]` (`keras.layers.Embedding`,
/// `torch.nn.functional.embedding`). A row that does not exist is zero, as in TensorFlow on a GPU.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "gather")]
pub struct Gather {}

impl Graph {
    /// Rows of `table` `[V, D]` by number: `[..., D]`.
    pub fn gather(&mut self, table: NodeId, indices: NodeId) -> Result<NodeId> {
        self.push(Gather {}.into(), &[table, indices])
    }
}

/// The row that an index names, if it exists.
fn row<T: Real>(index: T, rows: usize) -> Option<usize> {
    let index = index.double();
    (index >= 0.0 && index < rows as f64).then_some(index as usize)
}

/// Extents of a table.
fn table(op: &str, table: &Shape, indices: &Meta) -> Result<[usize; 2]> {
    match table[..] {
        [rows, width] if indices.dtype == DType::Index => Ok([rows, width]),
        _ => Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &op), ("left", table), ("right", &indices.shape)])),
    }
}

impl OpDef for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn formula(&self) -> String {
        r"y_{n d} = E_{i_n d}".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [_, width] = table(self.name(), &inputs[0].shape, inputs[1])?;
        Ok(Meta::f32(inputs[1].shape.iter().copied().chain([width]).collect::<Shape>()))
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let rows = cx.graph.shape(cx.inputs[0])[0];
        Ok(vec![Some(cx.graph.push(GatherGrad { rows }.into(), &[cx.inputs[1], cx.dy])?), None])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let [rows, width] = inputs[0].shape[..] else { return };
        for (y, &index) in out.chunks_exact_mut(width.max(1)).zip(inputs[1].data) {
            match row(index, rows) {
                Some(row) => y.copy_from_slice(&inputs[0].data[row * width..(row + 1) * width]),
                None => y.fill(T::ZERO),
            }
        }
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let [rows, width] = cx.inputs[0].shape[..] else { return Vec::new() };
        let code = format!(
            "let row = load1(i / {width}u);
    var value = 0.0;
    if (row >= 0.0 && row < {rows}.0) {{ value = load0(u32(row) * {width}u + i % {width}u); }}
    store(i, value);"
        );
        vec![Pass::elementwise(cx.out.shape.numel(), &[0, 1], &code)]
    }

    /// As a product with a one-hot row: which row is taken depends on the index.
    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let [rows, width] = inputs[0].shape[..] else { return Expr::Sum(Vec::new()) };
        let term = |row: usize| {
            let chosen = Expr::Equal(Box::new([Expr::element(1, out / width), Expr::Constant(row as f64)]));
            Expr::Product(vec![chosen, Expr::element(0, row * width + out % width)])
        };
        Expr::Sum((0..rows).map(term).collect())
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(0, &[inputs[1], out], out)
    }

    fn samples() -> Vec<Sample> {
        let sample = |name: &str, table: &[usize], indices: &[usize], values: &[usize]| {
            Sample::new(&format!("gather {name}"), Gather {}, &[table], (-1.0, 1.0)).with_index(1, indices, values)
        };
        vec![
            sample("words", &[7, 3], &[2, 4], &[3, 0, 6, 3, 5]),
            sample("one", &[4, 5], &[], &[2]),
            sample("wide", &[3, 300], &[3], &[2, 0, 2]),
            sample("beyond the table", &[3, 2], &[4], &[1, 3, 0, 9]),
        ]
    }
}
