//! Softmax and its logarithm over the last axis, both computed stably: the row's maximum is taken off first, which changes nothing.

use serde::Serialize;

use super::kernel::Threads;
use super::pointwise::Pointwise;
use super::rows::{Fold, Rows};
use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::tensor::{Meta, Shape};

/// y[..., i] = e^x[..., i] / Σⱼ e^x[..., j] over the last axis: `[..., C]` to `[..., C]` (`keras.ops.softmax`, `torch.softmax(dim=-1)`).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "softmax")]
pub struct Softmax {}

/// y[..., i] = x[..., i] − ln Σⱼ e^x[..., j] over the last axis: `[..., C]` to `[..., C]` (`torch.log_softmax(dim=-1)`).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "log_softmax")]
pub struct LogSoftmax {}

impl Graph {
    /// Probabilities from logits, over the last axis.
    pub fn softmax(&mut self, logits: NodeId) -> Result<NodeId> {
        self.push(Softmax {}.into(), &[logits])
    }

    /// Logarithms of the probabilities, over the last axis.
    pub fn log_softmax(&mut self, logits: NodeId) -> Result<NodeId> {
        self.push(LogSoftmax {}.into(), &[logits])
    }
}

/// Rows and columns of a tensor seen as a matrix of its last axis.
pub(super) fn matrix(shape: &Shape) -> (usize, usize) {
    let cols = shape.last().copied().unwrap_or(1);
    (shape.numel() / cols.max(1), cols)
}

fn infer(op: &str, inputs: &[&Meta]) -> Result<Meta> {
    let shape = &inputs[0].shape;
    if shape.last().is_none_or(|&cols| cols == 0) {
        return Err(Error::new(ErrorCode::BadShape, &[("op", &op), ("expected", &"a last axis of classes"), ("got", shape)]));
    }
    Ok(Meta::f32(shape.clone()))
}

/// Elements whose exponentials are taken at a time.
const BLOCK: usize = 4096;

/// Calls `finish(logits, exponentials, maximum, y)` for each row, with exponentials of the logits less their maximum.
pub(super) fn each_row<T: Real>(
    x: &[T],
    cols: usize,
    out: &mut [T],
    y_cols: usize,
    mut finish: impl FnMut(usize, &[T], &[T], T, &mut [T]),
) {
    let block = (BLOCK / cols).max(1) * cols;
    let mut shifted = vec![T::ZERO; block.min(x.len())];
    let mut powers = shifted.clone();
    let mut most = Vec::with_capacity(block / cols);
    for (position, rows) in x.chunks(block).enumerate() {
        most.clear();
        for (row, shifted) in rows.chunks_exact(cols).zip(shifted.chunks_exact_mut(cols)) {
            let largest = row.iter().copied().fold(T::NEG_INFINITY, T::maximum);
            most.push(largest);
            shifted.iter_mut().zip(row).for_each(|(shifted, &x)| *shifted = x - largest);
        }
        T::exp_all(&shifted[..rows.len()], &mut powers[..rows.len()]);
        let first = position * (block / cols);
        for (at, (row, powers)) in rows.chunks_exact(cols).zip(powers.chunks_exact(cols)).enumerate() {
            let y = &mut out[(first + at) * y_cols..(first + at + 1) * y_cols];
            finish(first + at, row, powers, most[at], y);
        }
    }
}

/// Position of the first element of `out`'s row.
fn row_start(shape: &Shape, out: usize) -> (usize, usize) {
    let (_, cols) = matrix(shape);
    (out / cols * cols, cols)
}

/// Σ e^x over a row of input `input`. Textbook form: in double precision it holds for logits up to 700.
pub(super) fn sum_of_powers(input: usize, start: usize, cols: usize) -> Expr {
    Expr::Sum((start..start + cols).map(|at| power(input, at)).collect())
}

/// e^x of an element.
pub(super) fn power(input: usize, at: usize) -> Expr {
    Expr::call(Pointwise::Exp, [Expr::element(input, at)])
}

/// The folds `most` and `total` of a row of input 0: the maximum, and the sum of e^(x − most).
pub(super) fn folds(cols: usize) -> Vec<Fold> {
    let x = format!("load0(i * {cols}u + r)");
    vec![Fold::max("most", &x), Fold::sum("total", format!("exp({x} - most)"))]
}

fn passes(shape: &Shape, value: &str, threads: Threads) -> Vec<Pass> {
    let (rows, cols) = matrix(shape);
    let each = format!("let at = i * {cols}u + r; let x = load0(at); store(at, {value});");
    let rows =
        Rows { count: rows, length: cols, inputs: vec![0], prelude: String::new(), folds: folds(cols), each: Some(each), once: None };
    vec![rows.pass(threads)]
}

fn samples(op: impl Into<super::Op>) -> Vec<Sample> {
    use crate::graph::Operation;
    let op = op.into();
    let sample = |shape: &[usize], range: (f32, f32)| {
        let name = format!("{} of {shape:?} in {range:?}", op.name());
        Sample::new(&name, op.clone(), &[shape], range)
    };
    vec![
        sample(&[4, 10], (-2.0, 2.0)),
        sample(&[7], (-1.0, 1.0)),
        sample(&[2, 3, 4, 5], (-3.0, 3.0)),
        sample(&[3, 1], (-1.0, 1.0)),
        sample(&[2, 70], (-2.0, 2.0)),
        sample(&[2, 300], (-4.0, 4.0)),
        sample(&[3, 5], (-30.0, 30.0)),
        sample(&[2, 3], (300.0, 302.0)),
    ]
}

impl OpDef for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn formula(&self) -> String {
        r"y_i = \frac{e^{x_i}}{\sum_j e^{x_j}}".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        infer(self.name(), inputs)
    }

    /// dx = y (dy − Σ dy y).
    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let (g, y, dy) = (&mut *cx.graph, cx.out, cx.dy);
        let last = g.shape(y).rank() - 1;
        let weighted = g.mul(dy, y)?;
        let mean = g.sum(weighted, &[last], true)?;
        let centred = g.sub(dy, mean)?;
        Ok(vec![Some(g.mul(y, centred)?)])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let (_, cols) = matrix(inputs[0].shape);
        each_row(inputs[0].data, cols, out, cols, |_, _, powers, _, y| {
            let total: T = powers.iter().copied().sum();
            y.iter_mut().zip(powers).for_each(|(y, &power)| *y = power / total);
        });
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        passes(&cx.out.shape, "exp(x - most) / total", cx.tuning.threads)
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let (start, cols) = row_start(&inputs[0].shape, out);
        Expr::call(Pointwise::Div, [power(0, out), sum_of_powers(0, start, cols)])
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(5 * out.shape.numel(), inputs, out)
    }

    fn samples() -> Vec<Sample> {
        samples(Softmax {})
    }
}

impl OpDef for LogSoftmax {
    fn name(&self) -> &'static str {
        "log_softmax"
    }

    fn formula(&self) -> String {
        r"y_i = x_i - \ln \sum_j e^{x_j}".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        infer(self.name(), inputs)
    }

    /// dx = dy − e^y Σ dy.
    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let (g, y, dy) = (&mut *cx.graph, cx.out, cx.dy);
        let last = g.shape(y).rank() - 1;
        let probabilities = g.exp(y)?;
        let total = g.sum(dy, &[last], true)?;
        let share = g.mul(probabilities, total)?;
        Ok(vec![Some(g.sub(dy, share)?)])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let (_, cols) = matrix(inputs[0].shape);
        each_row(inputs[0].data, cols, out, cols, |_, row, powers, most, y| {
            let log_total = powers.iter().copied().sum::<T>().ln();
            y.iter_mut().zip(row).for_each(|(y, &x)| *y = x - most - log_total);
        });
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        passes(&cx.out.shape, "x - most - log(total)", cx.tuning.threads)
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let (start, cols) = row_start(&inputs[0].shape, out);
        let log_total = Expr::call(Pointwise::Log, [sum_of_powers(0, start, cols)]);
        Expr::call(Pointwise::Sub, [Expr::element(0, out), log_total])
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(5 * out.shape.numel(), inputs, out)
    }

    fn samples() -> Vec<Sample> {
        samples(LogSoftmax {})
    }
}
