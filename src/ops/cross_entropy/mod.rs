//! Cross-entropy of a softmax with labels, in one operation: stable, and with the short gradient p − t.

mod grad;

use serde::Serialize;

pub use grad::SoftmaxCrossEntropyGrad;

use super::pointwise::Pointwise;
use super::rows::Rows;
use super::softmax::{each_row, folds, matrix, sum_of_powers};
use super::{Cost, CpuCx, Expr, GradCx, Graph, KernelCx, OpDef, Pass, Real, Sample, View};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::NodeId;
use crate::tensor::{DType, Meta, Shape};

/// y[...] = −Σⱼ t[..., j] ln softmax(x)[..., j], with targets t = (1 − s) labels + s / C and smoothing s: logits x `[..., C]`, labels
/// either classes `[...]` (indices) or probabilities `[..., C]`; y `[...]` (`keras.losses.CategoricalCrossentropy(from_logits=True)` and the
/// sparse one, `torch.nn.functional.cross_entropy`; both smooth so). A class that does not exist counts as no label.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(tag = "op", rename = "softmax_cross_entropy")]
pub struct SoftmaxCrossEntropy {
    /// s: this part of the target is spread evenly over the classes.
    pub label_smoothing: f32,
}

impl Graph {
    /// Cross-entropy of logits `[..., C]` with classes `[...]` or probabilities `[..., C]`, for each example.
    pub fn softmax_cross_entropy(&mut self, logits: NodeId, labels: NodeId, label_smoothing: f32) -> Result<NodeId> {
        self.push(SoftmaxCrossEntropy { label_smoothing }.into(), &[logits, labels])
    }
}

/// What labels are.
#[derive(Clone, Copy, PartialEq)]
enum Labels {
    Classes,
    Probabilities,
}

/// Checks logits and labels, and says what the labels are.
fn labels_of(op: &str, logits: &Meta, labels: &Meta, smoothing: f32) -> Result<Labels> {
    let mismatch = || Error::new(ErrorCode::ShapeMismatch, &[("op", &op), ("left", &logits.shape), ("right", &labels.shape)]);
    let [examples @ .., classes] = &logits.shape[..] else { return Err(mismatch()) };
    if !(0.0..=1.0).contains(&smoothing) {
        let args: [(&str, &dyn std::fmt::Display); 3] =
            [("name", &"label_smoothing"), ("expected", &"between 0 and 1"), ("got", &smoothing)];
        return Err(Error::new(ErrorCode::BadValue, &args));
    }
    match labels.dtype {
        DType::Index if labels.shape[..] == *examples && *classes > 0 => Ok(Labels::Classes),
        DType::F32 if labels.shape == logits.shape && *classes > 0 => Ok(Labels::Probabilities),
        _ => Err(mismatch()),
    }
}

fn kind(logits: &Shape, labels: &Shape) -> Labels {
    if logits == labels { Labels::Probabilities } else { Labels::Classes }
}

/// Calls `f(j, tⱼ)` for each class of an example.
fn each_target<T: Real>(kind: Labels, labels: &[T], example: usize, cols: usize, smoothing: f32, mut f: impl FnMut(usize, T)) {
    let (kept, spread) = (T::of(1.0 - f64::from(smoothing)), T::of(f64::from(smoothing) / cols as f64));
    for j in 0..cols {
        let label = match kind {
            Labels::Classes => T::flag(labels[example].double() == j as f64),
            Labels::Probabilities => labels[example * cols + j],
        };
        f(j, label * kept + spread);
    }
}

/// `target(i, r)`: the target of class r of example i, from input 1.
fn target_function(kind: Labels, cols: usize, smoothing: f32) -> String {
    let label = match kind {
        Labels::Classes => "select(0.0, 1.0, load1(i) == f32(r))".to_owned(),
        Labels::Probabilities => format!("load1(i * {cols}u + r)"),
    };
    let value = match smoothing {
        0.0 => label,
        s => format!("{label} * {:?}f + {:?}f", 1.0 - s, s / cols as f32),
    };
    format!("fn target_(i: u32, r: u32) -> f32 {{ return {value}; }}\n")
}

/// The target of class j of an example.
fn target(kind: Labels, example: usize, j: usize, cols: usize, smoothing: f32) -> Expr {
    let label = match kind {
        Labels::Classes => Expr::Equal(Box::new([Expr::element(1, example), Expr::Constant(j as f64)])),
        Labels::Probabilities => Expr::element(1, example * cols + j),
    };
    if smoothing == 0.0 {
        return label;
    }
    let kept = Expr::Product(vec![Expr::Constant(1.0 - f64::from(smoothing)), label]);
    Expr::Sum(vec![kept, Expr::Constant(f64::from(smoothing) / cols as f64)])
}

impl OpDef for SoftmaxCrossEntropy {
    fn name(&self) -> &'static str {
        "softmax_cross_entropy"
    }

    fn formula(&self) -> String {
        r"L = -\sum_j t_j \ln \frac{e^{x_j}}{\sum_k e^{x_k}}".into()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        labels_of(self.name(), inputs[0], inputs[1], self.label_smoothing)?;
        let shape = &inputs[0].shape;
        Ok(Meta::f32(&shape[..shape.rank() - 1]))
    }

    fn grad(&self, cx: &mut GradCx) -> Result<Vec<Option<NodeId>>> {
        let (g, logits, labels, dy) = (&mut *cx.graph, cx.inputs[0], cx.inputs[1], cx.dy);
        let op = SoftmaxCrossEntropyGrad { label_smoothing: self.label_smoothing };
        let to_logits = g.push(op.into(), &[logits, labels, dy])?;
        if g.node(labels).meta.dtype == DType::Index {
            return Ok(vec![Some(to_logits), None]);
        }
        let log_probabilities = g.log_softmax(logits)?;
        let column = grad::as_column(g, dy)?;
        let weight = g.scale(column, self.label_smoothing - 1.0)?;
        Ok(vec![Some(to_logits), Some(g.mul(log_probabilities, weight)?)])
    }

    fn cpu<T: Real>(&self, _: &mut CpuCx, inputs: &[View<T>], out: &mut [T]) {
        let (_, cols) = matrix(inputs[0].shape);
        let (kind, labels, smoothing) = (kind(inputs[0].shape, inputs[1].shape), inputs[1].data, self.label_smoothing);
        each_row(inputs[0].data, cols, out, 1, |example, row, powers, most, y| {
            let log_total = most + powers.iter().copied().sum::<T>().ln();
            let mut loss = T::ZERO;
            each_target(kind, labels, example, cols, smoothing, |j, target| loss += target * (log_total - row[j]));
            y[0] = loss;
        });
    }

    fn wgsl(&self, cx: &KernelCx) -> Vec<Pass> {
        let (count, cols) = matrix(&cx.inputs[0].shape);
        let kind = kind(&cx.inputs[0].shape, &cx.inputs[1].shape);
        let mut folds = folds(cols);
        folds.push(super::rows::Fold::sum("loss", format!("target_(i, r) * (most - load0(i * {cols}u + r) + log(total))")));
        let prelude = target_function(kind, cols, self.label_smoothing);
        let once = Some("store(i, loss);".to_owned());
        vec![Rows { count, length: cols, inputs: vec![0, 1], prelude, folds, each: None, once }.pass(cx.tuning.threads)]
    }

    fn explain(&self, inputs: &[&Meta], out: usize) -> Expr {
        let (_, cols) = matrix(&inputs[0].shape);
        let kind = kind(&inputs[0].shape, &inputs[1].shape);
        // As many terms as classes: with the logarithm in each of them it would be their square.
        let log_total = Expr::call(Pointwise::Log, [sum_of_powers(0, out * cols, cols)]);
        let targets = |j: usize| target(kind, out, j, cols, self.label_smoothing);
        let own = Expr::Sum((0..cols).map(|j| Expr::Product(vec![targets(j), Expr::element(0, out * cols + j)])).collect());
        let total = match kind {
            Labels::Classes => log_total,
            Labels::Probabilities => Expr::Product(vec![Expr::Sum((0..cols).map(targets).collect()), log_total]),
        };
        Expr::call(Pointwise::Sub, [total, own])
    }

    fn cost(&self, inputs: &[&Meta], out: &Meta) -> Cost {
        Cost::new(6 * inputs[0].shape.numel(), inputs, out)
    }

    fn samples() -> Vec<Sample> {
        samples("softmax_cross_entropy", false, |label_smoothing| SoftmaxCrossEntropy { label_smoothing })
    }
}

/// Samples of the loss, or, with dy as third input, of its gradient.
fn samples<O: Into<super::Op>>(name: &str, with_dy: bool, op: impl Fn(f32) -> O) -> Vec<Sample> {
    let mut samples = Vec::new();
    for (examples, classes) in [(&[5][..], 4), (&[2, 3], 7), (&[1], 10), (&[3], 70), (&[2], 300), (&[4], 1), (&[], 6)] {
        for smoothing in [0.0, 0.1] {
            let logits: Vec<usize> = examples.iter().copied().chain([classes]).collect();
            let name = format!("{name} {logits:?} smoothing {smoothing}");
            let mut shapes: Vec<&[usize]> = vec![&logits];
            shapes.extend(with_dy.then_some(examples));
            let values: Vec<usize> = (0..examples.iter().product()).map(|i: usize| (i * 5 + 2) % classes).collect();
            let sparse = Sample::new(&format!("{name} classes"), op(smoothing), &shapes, (-2.0, 2.0));
            samples.push(sparse.with_index(1, examples, &values));
            shapes.insert(1, &logits);
            let mut dense = Sample::new(&format!("{name} probabilities"), op(smoothing), &shapes, (-2.0, 2.0));
            for row in dense.inputs[1].0.data.chunks_exact_mut(classes) {
                let total: f32 = row.iter().map(|x| x.exp()).sum();
                row.iter_mut().for_each(|x| *x = x.exp() / total);
            }
            samples.push(dense);
        }
    }
    samples
}
