//! Products of matrices, batched and with transposed operands.

mod registers;
pub mod tile;

use serde::Serialize;

use super::{Cost, CpuCx, Expr, GradCx, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::simd::Mat;
use crate::tensor::{Meta, Shape};

/// C[..., m, n] = Σₖ A[..., m, k] B[..., k, n]; leading axes are batches and broadcast (`numpy.matmul` of matrices).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "matmul")]
pub struct MatMul {
    /// A is given as [..., k, m].
    pub transpose_a: bool,
    /// B is given as [..., n, k].
    pub transpose_b: bool,
}

/// Extents of a product.
struct Sizes {
    batch: Shape,
    m: usize,
    n: usize,
    k: usize,
}

impl MatMul {
    fn sizes(&self, a: &Shape, b: &Shape) -> Result<Sizes> {
        let mismatch = || Error::new(ErrorCode::ShapeMismatch, &[("op", &"matmul"), ("left", a), ("right", b)]);
        let ([batch_a @ .., a0, a1], [batch_b @ .., b0, b1]) = (&a[..], &b[..]) else {
            return Err(mismatch());
        };
        let (m, k) = if self.transpose_a { (*a1, *a0) } else { (*a0, *a1) };
        let (inner, n) = if self.transpose_b { (*b1, *b0) } else { (*b0, *b1) };
        let batch = Shape::broadcast("matmul", &batch_a.into(), &batch_b.into()).map_err(|_| mismatch())?;
        if k != inner {
            return Err(mismatch());
        }
        Ok(Sizes { batch, m, n, k })
    }

    /// A as the kernels see it. Where all batches of A meet the same B, their rows stand one behind the other: one product of a taller matrix.
    fn folded(&self, a: &Shape, b: &Shape) -> Shape {
        match a[..] {
            [ref outer @ .., k] if outer.len() > 1 && b.rank() == 2 && !self.transpose_a => [outer.iter().product(), k].into(),
            _ => a.clone(),
        }
    }

    /// Position in A of [row, k], and in B of [k, column], as strides: (row, k, k, column).
    fn strides(&self, sizes: &Sizes) -> [usize; 4] {
        let (a_row, a_k) = if self.transpose_a { (1, sizes.m) } else { (sizes.k, 1) };
        let (b_k, b_col) = if self.transpose_b { (1, sizes.k) } else { (sizes.n, 1) };
        [a_row, a_k, b_k, b_col]
    }
}

/// Where the matrix of each batch begins in an operand, in elements.
fn batch_offset(operand: &Shape, batch: &Shape, flat: usize) -> usize {
    let own: Shape = operand[..operand.rank() - 2].into();
    let matrix = operand[operand.rank() - 2] * operand[operand.rank() - 1];
    let strides = own.broadcast_strides(batch);
    matrix * batch.unravel(flat).iter().zip(strides).map(|(i, stride)| i * stride).sum::<usize>()
}

impl OpDef for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn formula(&self) -> String {
        let (a, b) = (["A", r"A^\top"][usize::from(self.transpose_a)], ["B", r"B^\top"][usize::from(self.transpose_b)]);
        format!("Y = {a} {b}")
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let sizes = self.sizes(&inputs[0].shape, &inputs[1].shape)?;
        Ok(Meta::f32(sizes.batch.iter().copied().chain([sizes.m, sizes.n]).collect::<Shape>()))
    }

    /// dA = dC Bᵀ and dB = Aᵀ dC, each transposed as its operand is. Where all batches meet the same B, the latter is one product over all rows.
    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let (g, a, b, dy) = (&mut *cx.graph, cx.inputs[0], cx.inputs[1], cx.dy);
        let da = match self.transpose_a {
            false => g.matmul(dy, b, false, !self.transpose_b)?,
            true => g.matmul(b, dy, self.transpose_b, true)?,
        };
        let (shape_a, shape_b) = (g.shape(a).clone(), g.shape(b).clone());
        let (rows, of_rows) = match self.folded(&shape_a, &shape_b) {
            folded if folded == shape_a => (a, dy),
            folded => {
                let columns = g.shape(dy)[g.shape(dy).rank() - 1];
                (g.reshape(a, folded.clone())?, g.reshape(dy, [folded[0], columns])?)
            }
        };
        let db = match self.transpose_b {
            false => g.matmul(rows, of_rows, !self.transpose_a, false)?,
            true => g.matmul(of_rows, rows, true, self.transpose_a)?,
        };
        Ok(vec![Some(g.sum_to(da, &shape_a)?), Some(g.sum_to(db, &shape_b)?)])
    }

    fn cpu<T: Real>(&self, cx: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let (a, b) = (inputs[0], inputs[1]);
        let a = View { data: a.data, shape: &self.folded(a.shape, b.shape) };
        let Ok(sizes) = self.sizes(a.shape, b.shape) else { return };
        let [a_row, a_k, b_k, b_col] = self.strides(&sizes);
        for (index, out) in out.chunks_exact_mut((sizes.m * sizes.n).max(1)).enumerate() {
            let left = Mat {
                data: &a.data[batch_offset(a.shape, &sizes.batch, index)..],
                rows: sizes.m,
                cols: sizes.k,
                row_stride: a_row,
                col_stride: a_k,
            };
            let right = Mat {
                data: &b.data[batch_offset(b.shape, &sizes.batch, index)..],
                rows: sizes.k,
                cols: sizes.n,
                row_stride: b_k,
                col_stride: b_col,
            };
            T::gemm(left, right, out, &mut cx.scratch);
        }
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let b = &cx.inputs[1].shape;
        let a = &self.folded(&cx.inputs[0].shape, b);
        let Ok(sizes) = self.sizes(a, b) else { return Vec::new() };
        let [a_row, a_k, b_k, b_col] = self.strides(&sizes);
        let offset = |operand: &Shape| {
            let own: Shape = operand[..operand.rank() - 2].into();
            let matrix: usize = operand[operand.rank() - 2..].iter().product();
            format!("({}) * {matrix}u", super::kernel::broadcast_index(&own, &sizes.batch, "batch"))
        };
        tile::Gemm {
            batch: sizes.batch.numel(),
            m: sizes.m,
            n: sizes.n,
            k: sizes.k,
            inputs: vec![0, 1],
            prelude: String::new(),
            place: format!("vec4u({} + row * {a_row}u)", offset(a)),
            step: format!("vec4u(k * {a_k}u)"),
            position: "at.x + step.x".into(),
            inside: None,
            run: (sizes.k, a_k),
            load_quad: None,
            load_b: format!("load1({} + k * {b_k}u + col * {b_col}u)", offset(b)),
        }
        .passes(cx.tuning.products)
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let b = &inputs[1].shape;
        let a = &self.folded(&inputs[0].shape, b);
        let Ok(sizes) = self.sizes(a, b) else { return Expr::Sum(Vec::new()) };
        let [a_row, a_k, b_k, b_col] = self.strides(&sizes);
        let (index, row, col) = (out / (sizes.m * sizes.n), out / sizes.n % sizes.m, out % sizes.n);
        let (a0, b0) = (batch_offset(a, &sizes.batch, index), batch_offset(b, &sizes.batch, index));
        let term = |k: usize| {
            let left = Expr::element(0, a0 + row * a_row + k * a_k);
            Expr::Product(vec![left, Expr::element(1, b0 + k * b_k + col * b_col)])
        };
        Expr::Sum((0..sizes.k).map(term).collect())
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        let k = self.sizes(&inputs[0].shape, &inputs[1].shape).map_or(0, |sizes| sizes.k);
        Cost::new(2 * k * out.shape.numel(), inputs, out)
    }

    fn samples() -> Vec<Sample> {
        let mut samples = Vec::new();
        for (transpose_a, transpose_b) in [(false, false), (true, false), (false, true), (true, true)] {
            for (batch_a, batch_b, m, n, k) in [
                (&[][..], &[][..], 5, 7, 3),
                (&[], &[], 33, 70, 41),
                (&[], &[], 1, 9, 20),
                (&[], &[], 3, 2, 600),
                (&[2], &[2], 4, 3, 5),
                (&[2, 1], &[3], 3, 4, 2),
                (&[2, 3], &[], 4, 5, 6),
            ] {
                let matrix = |batch: &[usize], rows, cols, transposed: bool| -> Vec<usize> {
                    batch.iter().copied().chain(if transposed { [cols, rows] } else { [rows, cols] }).collect()
                };
                let (a, b) = (matrix(batch_a, m, k, transpose_a), matrix(batch_b, k, n, transpose_b));
                let name = format!("matmul {a:?}{} {b:?}{}", mark(transpose_a), mark(transpose_b));
                samples.push(Sample::new(&name, MatMul { transpose_a, transpose_b }, &[&a, &b], (-1.0, 1.0)));
            }
        }
        samples
    }
}

fn mark(transposed: bool) -> &'static str {
    if transposed { " transposed" } else { "" }
}
