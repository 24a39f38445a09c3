//! The nodes that a loss adds to a model's graph.

use super::{BinaryCrossentropy, CategoricalCrossentropy, Huber, LossSpec, Reduction, SparseCategoricalCrossentropy, Target};
use crate::error::{Error, ErrorCode, Result};
use crate::fields::out_of_range;
use crate::graph::{Kind, NodeId};
use crate::nn::counted::{counted, exact, share};
use crate::nn::probabilities::{binary_cross_entropy_of_probabilities, clip, cross_entropy_of_probabilities};
use crate::ops::pointwise::Pointwise;
use crate::ops::{Graph, Op};
use crate::tensor::{Meta, Shape};

/// The function that a model ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nn) enum Last {
    Softmax,
    Sigmoid,
}

/// The input of a softmax or sigmoid that made `output`.
pub(in crate::nn) fn before_last(graph: &Graph, output: NodeId) -> Option<(NodeId, Last)> {
    let node = graph.node(output);
    match &node.kind {
        Kind::Op(Op::Softmax(_)) => Some((node.inputs[0], Last::Softmax)),
        Kind::Op(Op::Pointwise(Pointwise::Sigmoid)) => Some((node.inputs[0], Last::Sigmoid)),
        _ => None,
    }
}

/// The nodes that a loss adds to a model.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::nn) struct Scores {
    pub y: Option<NodeId>,
    pub loss: Option<NodeId>,
    pub losses: Option<NodeId>,
    pub correct_each: Option<NodeId>,
    pub correct: Option<NodeId>,
    pub exact: Option<NodeId>,
}

impl LossSpec {
    /// Appends the labels' column (unless the input `x` is the target), the loss and the count of right answers for a model's `output`. Where a
    /// `mask` says which positions count, `[batch, length]`, padding or tokens that are not hidden do not: as in Keras, the loss is the mean over all
    /// positions of the batch that do.
    pub(in crate::nn) fn build(
        &self,
        graph: &mut Graph,
        x: NodeId,
        output: NodeId,
        mask: Option<NodeId>,
        penalties: &[NodeId],
    ) -> Result<Scores> {
        self.check_range().map_err(|error| error.at("loss"))?;
        let shape = graph.shape(output).clone();
        if shape.rank() < 2 {
            let expected = "an output with at least one axis";
            let error = Error::new(ErrorCode::BadShape, &[("op", &self.name()), ("expected", &expected), ("got", &"[]")]);
            return Err(error.at("loss"));
        }
        let label: Shape = std::iter::once(shape[0]).chain(self.label_shape(&shape[1..])).collect();
        let y = match (self, self.target()) {
            (Self::SparseCategoricalCrossentropy(_), Target::Input) if graph.node(x).meta == Meta::index(label.clone()) => x,
            (_, Target::Input) if graph.shape(x).numel() != shape.numel() || self.takes_classes() => {
                let values: [(&str, &dyn std::fmt::Display); 3] = [("op", &"the loss"), ("left", graph.shape(x)), ("right", &shape)];
                return Err(Error::new(ErrorCode::ShapeMismatch, &values).at("loss"));
            }
            (_, Target::Input) if *graph.shape(x) == shape => x,
            (_, Target::Input) => graph.reshape(x, shape)?,
            (Self::SparseCategoricalCrossentropy(_), Target::Labels) => graph.input(1, Meta::index(label)),
            (_, Target::Labels) => graph.input(1, Meta::f32(label)),
        };
        let mut each = self.elements(graph, output, y)?;
        let share = mask.map(|mask| share(graph, mask, self.reduction() == Reduction::Sum)).transpose()?;
        if let Some(share) = share {
            each = counted(graph, each, share)?;
        }
        let losses = over_example(graph, each, matches!(self, Self::HalfSumOfSquares(_)))?;
        graph.rename(losses, "loss_of_each_example");
        let mut loss = match self.reduction() {
            Reduction::Mean => graph.mean(losses, &[0], false)?,
            Reduction::Sum => graph.sum(losses, &[0], false)?,
        };
        for &penalty in penalties {
            loss = graph.add(loss, penalty)?;
        }
        graph.rename(loss, "loss");
        let mut scores = Scores { y: None, loss: Some(loss), losses: Some(losses), ..Scores::default() };
        if self.classifies() {
            let right = self.right(graph, output, y)?;
            let each = match share {
                Some(share) => counted(graph, right, share)?,
                None => right,
            };
            let each = over_example(graph, each, false)?;
            let correct = graph.sum(each, &[0], false)?;
            graph.rename(correct, "correct");
            (scores.correct_each, scores.correct) = (Some(each), Some(correct));
            let answers = self.target() == Target::Labels;
            if let Some(mask) = mask.filter(|&mask| answers && graph.shape(mask) == graph.shape(right)) {
                scores.exact = Some(exact(graph, right, mask)?);
            }
        }
        scores.y = (self.target() == Target::Labels).then_some(y);
        Ok(scores)
    }

    /// The loss of every element (of every row of classes).
    fn elements(&self, graph: &mut Graph, output: NodeId, y: NodeId) -> Result<NodeId> {
        let last = before_last(graph, output);
        match self {
            Self::SparseCategoricalCrossentropy(SparseCategoricalCrossentropy { from_logits, label_smoothing, .. }) => {
                let logits = match (from_logits, last) {
                    (true, _) => output,
                    (false, Some((logits, Last::Softmax))) => logits,
                    // Keras takes the logarithms of clipped probabilities for logits.
                    _ => {
                        let clipped = clip(graph, output)?;
                        graph.log(clipped)?
                    }
                };
                graph.softmax_cross_entropy(logits, y, *label_smoothing as f32)
            }
            Self::CategoricalCrossentropy(CategoricalCrossentropy { from_logits, label_smoothing, .. }) => {
                let logits = match (from_logits, last) {
                    (true, _) => output,
                    (false, Some((logits, Last::Softmax))) => logits,
                    _ => {
                        let classes = graph.shape(output)[graph.shape(output).rank() - 1];
                        let y = smooth(graph, y, *label_smoothing, *label_smoothing / classes as f64)?;
                        return cross_entropy_of_probabilities(graph, output, y);
                    }
                };
                graph.softmax_cross_entropy(logits, y, *label_smoothing as f32)
            }
            Self::BinaryCrossentropy(BinaryCrossentropy { from_logits, label_smoothing, .. }) => {
                let y = smooth(graph, y, *label_smoothing, *label_smoothing / 2.0)?;
                match (from_logits, last) {
                    (true, _) => graph.push(Pointwise::LogitCrossEntropy.into(), &[output, y]),
                    (false, Some((logits, Last::Sigmoid))) => graph.push(Pointwise::LogitCrossEntropy.into(), &[logits, y]),
                    _ => binary_cross_entropy_of_probabilities(graph, output, y),
                }
            }
            Self::MeanSquaredError(_) => {
                let error = graph.sub(output, y)?;
                graph.mul(error, error)
            }
            Self::MeanAbsoluteError(_) => {
                let error = graph.sub(output, y)?;
                graph.abs(error)
            }
            Self::Huber(Huber { delta, .. }) => {
                let error = graph.sub(output, y)?;
                let delta = graph.constant(*delta as f32);
                graph.push(Pointwise::Huber.into(), &[error, delta])
            }
            Self::HalfSumOfSquares(_) => {
                let error = graph.sub(output, y)?;
                let square = graph.mul(error, error)?;
                graph.scale(square, 0.5)
            }
            // It compares two answers, not an output with a target: `Adversarial::build`.
            Self::Adversarial(_) => Err(out_of_range("loss", "one with a target", self.name()).at("loss")),
        }
    }

    /// 1 for each right answer and 0 for each wrong one: of a class, or of a sigmoid output at the threshold ½ (Keras's `accuracy`).
    fn right(&self, graph: &mut Graph, output: NodeId, y: NodeId) -> Result<NodeId> {
        let scores = match (self, before_last(graph, output)) {
            (Self::BinaryCrossentropy(_), Some((_, Last::Softmax))) | (_, None) => output,
            (_, Some((logits, _))) => logits,
        };
        let axis = graph.shape(output).rank() - 1;
        match self {
            Self::SparseCategoricalCrossentropy(_) => {
                let answer = graph.argmax(scores, axis)?;
                graph.equal(answer, y)
            }
            Self::CategoricalCrossentropy(_) => {
                let answer = graph.argmax(scores, axis)?;
                let truth = graph.argmax(y, axis)?;
                graph.equal(answer, truth)
            }
            _ => {
                let half = graph.constant(0.5);
                let threshold = if scores == output && !self.takes_logits() { half } else { graph.constant(0.0) };
                let answer = graph.greater(scores, threshold)?;
                let truth = graph.greater(y, half)?;
                graph.equal(answer, truth)
            }
        }
    }

    fn takes_logits(&self) -> bool {
        matches!(self, Self::BinaryCrossentropy(BinaryCrossentropy { from_logits: true, .. }))
    }
}

/// Mean (or sum) over all axes but the batch.
fn over_example(graph: &mut Graph, each: NodeId, sum: bool) -> Result<NodeId> {
    let axes: Vec<usize> = (1..graph.shape(each).rank()).collect();
    match (axes.is_empty(), sum) {
        (true, _) => Ok(each),
        (false, true) => graph.sum(each, &axes, false),
        (false, false) => graph.mean(each, &axes, false),
    }
}

/// y (1 − smoothing) + shift.
fn smooth(graph: &mut Graph, y: NodeId, smoothing: f64, shift: f64) -> Result<NodeId> {
    if smoothing == 0.0 {
        return Ok(y);
    }
    let kept = graph.scale(y, (1.0 - smoothing) as f32)?;
    let shift = graph.constant(shift as f32);
    graph.add(kept, shift)
}
