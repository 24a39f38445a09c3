//! Losses, with Keras's names and definitions.

use serde::Serialize;
use serde_json::Value;

use super::adversarial::Adversarial;
use super::args::names;
use super::counted::{counted, exact, share};
use super::probabilities::{binary_cross_entropy_of_probabilities, clip, cross_entropy_of_probabilities};
use crate::error::{Error, ErrorCode, Result};
use crate::fields::{Fields, FromFields, bad_value, deserialize_from_json, out_of_range, spec};
use crate::graph::{Kind, NodeId};
use crate::ops::pointwise::Pointwise;
use crate::ops::{Graph, Op};
use crate::tensor::{Meta, Shape};

names! {
    /// What is made of the losses of a batch's examples.
    pub enum Reduction as "reduction" {
        /// Their mean (Keras's default).
        Mean = "mean" | "sum_over_batch_size",
        /// Their sum.
        Sum = "sum",
    }

    /// What outputs are compared with.
    pub enum Target as "target" {
        /// What the data say.
        Labels = "labels",
        /// The example itself, in the output's shape: an autoencoder's (`fit(x, x)` in Keras).
        Input = "input",
    }
}

spec! {
    /// −log p of the true class, given as an index; p is the softmax of logits, or a probability (Keras's `SparseCategoricalCrossentropy`). Compared with the input,
    /// which is tokens then, it is the mean over the positions that a layer hid, or else over those that are not padding.
    pub struct SparseCategoricalCrossentropy: Default {
        /// Share of the target that is spread evenly over all classes.
        label_smoothing: f64 = 0.0;
        /// Whether the model's outputs are logits. A model that ends in softmax gives its logits to the loss by itself.
        from_logits: bool = false;
        /// What outputs are compared with.
        target: Target = Target::Labels;
        /// Over the batch.
        reduction: Reduction = Reduction::Mean;
    }

    /// −Σ y log p, the true class given as a vector (Keras's `CategoricalCrossentropy`).
    pub struct CategoricalCrossentropy: Default {
        /// Share of the target that is spread evenly over all classes.
        label_smoothing: f64 = 0.0;
        /// Whether the model's outputs are logits.
        from_logits: bool = false;
        /// Over the batch.
        reduction: Reduction = Reduction::Mean;
    }

    /// −y log p − (1 − y) log(1 − p), mean over an example's outputs (Keras's `BinaryCrossentropy`).
    pub struct BinaryCrossentropy: Default {
        /// Share of the target that is moved to ½.
        label_smoothing: f64 = 0.0;
        /// Whether the model's outputs are logits.
        from_logits: bool = false;
        /// What outputs are compared with.
        target: Target = Target::Labels;
        /// Over the batch.
        reduction: Reduction = Reduction::Mean;
    }

    /// (ŷ − y)², mean over an example's outputs (Keras's `MeanSquaredError`).
    pub struct MeanSquaredError: Default {
        /// What outputs are compared with.
        target: Target = Target::Labels;
        /// Over the batch.
        reduction: Reduction = Reduction::Mean;
    }

    /// |ŷ − y|, mean over an example's outputs (Keras's `MeanAbsoluteError`).
    pub struct MeanAbsoluteError: Default {
        /// What outputs are compared with.
        target: Target = Target::Labels;
        /// Over the batch.
        reduction: Reduction = Reduction::Mean;
    }

    /// With e = ŷ − y: e²/2 where |e| ≤ δ, else δ (|e| − δ/2); mean over an example's outputs (Keras's `Huber`).
    pub struct Huber: Default {
        /// δ.
        delta: f64 = 1.0;
        /// What outputs are compared with.
        target: Target = Target::Labels;
        /// Over the batch.
        reduction: Reduction = Reduction::Mean;
    }

    /// ½ Σ (ŷ − y)² over an example's outputs: the J of the textbooks.
    pub struct HalfSumOfSquares: Default {
        /// What outputs are compared with.
        target: Target = Target::Labels;
        /// Over the batch.
        reduction: Reduction = Reduction::Mean;
    }
}

macro_rules! losses {
    ($($variant:ident $name:literal $(| $alias:literal)*,)*) => {
        /// A loss with Keras's name and arguments: `{ "type": "huber", "delta": 2 }`, or a name alone.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(tag = "type")]
        #[cfg_attr(feature = "types", derive(ts_rs::TS), ts(export_to = "protocol.ts"))]
        #[allow(missing_docs)]
        pub enum LossSpec {
            $(#[serde(rename = $name)] $variant($variant),)*
        }

        impl LossSpec {
            /// Every name.
            pub const NAMES: &[&str] = &[$($name,)*];

            fn read(kind: &str, fields: &mut Fields) -> Result<Self> {
                match kind {
                    $($name | stringify!($variant) $(| $alias)* => Ok(Self::$variant(FromFields::from_fields(fields)?)),)*
                    _ => Err(Error::new(ErrorCode::UnknownName, &[("kind", &"loss"), ("got", &kind)]).at("loss.type")),
                }
            }

            /// Keras's name.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }

            /// What is made of the losses of a batch's examples.
            pub fn reduction(&self) -> Reduction {
                match self { $(Self::$variant(loss) => loss.reduction,)* }
            }
        }
    };
}

losses! {
    SparseCategoricalCrossentropy "sparse_categorical_crossentropy",
    CategoricalCrossentropy "categorical_crossentropy",
    BinaryCrossentropy "binary_crossentropy",
    MeanSquaredError "mean_squared_error" | "mse",
    MeanAbsoluteError "mean_absolute_error" | "mae",
    Huber "huber",
    HalfSumOfSquares "half_sum_of_squares",
    Adversarial "adversarial",
}

deserialize_from_json!(LossSpec);

/// The function that a model ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    Softmax,
    Sigmoid,
}

/// The input of a softmax or sigmoid that made `output`.
pub(super) fn before_last(graph: &Graph, output: NodeId) -> Option<(NodeId, Last)> {
    let node = graph.node(output);
    match &node.kind {
        Kind::Op(Op::Softmax(_)) => Some((node.inputs[0], Last::Softmax)),
        Kind::Op(Op::Pointwise(Pointwise::Sigmoid)) => Some((node.inputs[0], Last::Sigmoid)),
        _ => None,
    }
}

/// The nodes that a loss adds to a model.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scores {
    pub y: Option<NodeId>,
    pub loss: Option<NodeId>,
    pub losses: Option<NodeId>,
    pub correct_each: Option<NodeId>,
    pub correct: Option<NodeId>,
    pub exact: Option<NodeId>,
}

impl LossSpec {
    /// Reads `{ "type": "huber", "delta": 2 }`, or a name alone.
    pub fn from_json(value: &Value) -> Result<Self> {
        let empty = Value::Object(serde_json::Map::new());
        let (kind, mut fields) = match value {
            Value::String(kind) => (kind.clone(), Fields::new(&empty, "loss", "loss")?),
            Value::Object(_) => {
                let mut fields = Fields::new(value, "loss", "loss")?;
                (fields.required("type")?, fields)
            }
            other => return Err(bad_value("loss", "a name or an object", other).at("loss")),
        };
        fields.called(&kind);
        let loss = Self::read(&kind, &mut fields)?;
        fields.finish()?;
        loss.check_range().map_err(|error| error.at("loss"))?;
        Ok(loss)
    }

    fn check_range(&self) -> Result<()> {
        match self {
            Self::Huber(Huber { delta, .. }) if *delta <= 0.0 || delta.is_nan() => Err(out_of_range("delta", "above 0", delta)),
            _ if !(0.0..1.0).contains(&self.smoothing()) => {
                Err(out_of_range("label_smoothing", "at least 0 and below 1", self.smoothing()))
            }
            _ => Ok(()),
        }
    }

    fn smoothing(&self) -> f64 {
        match self {
            Self::SparseCategoricalCrossentropy(SparseCategoricalCrossentropy { label_smoothing, .. })
            | Self::CategoricalCrossentropy(CategoricalCrossentropy { label_smoothing, .. })
            | Self::BinaryCrossentropy(BinaryCrossentropy { label_smoothing, .. })
            | Self::Adversarial(Adversarial { label_smoothing, .. }) => *label_smoothing,
            _ => 0.0,
        }
    }

    /// The loss of two networks against each other, if it is that.
    pub fn adversarial(&self) -> Option<&Adversarial> {
        match self {
            Self::Adversarial(adversarial) => Some(adversarial),
            _ => None,
        }
    }

    /// What outputs are compared with.
    pub fn target(&self) -> Target {
        match self {
            Self::CategoricalCrossentropy(_) => Target::Labels,
            // No labels: the data are what is to be generated.
            Self::Adversarial(_) => Target::Input,
            Self::SparseCategoricalCrossentropy(SparseCategoricalCrossentropy { target, .. })
            | Self::BinaryCrossentropy(BinaryCrossentropy { target, .. })
            | Self::MeanSquaredError(MeanSquaredError { target, .. })
            | Self::MeanAbsoluteError(MeanAbsoluteError { target, .. })
            | Self::Huber(Huber { target, .. })
            | Self::HalfSumOfSquares(HalfSumOfSquares { target, .. }) => *target,
        }
    }

    /// Whether the loss is one of classification, so that answers are right or wrong.
    pub fn classifies(&self) -> bool {
        let of_classes =
            matches!(self, Self::SparseCategoricalCrossentropy(_) | Self::CategoricalCrossentropy(_) | Self::BinaryCrossentropy(_));
        of_classes && (self.target() == Target::Labels || self.takes_classes())
    }

    /// Whether the model's output is taken for logits, not for probabilities.
    pub fn from_logits(&self) -> bool {
        match self {
            Self::SparseCategoricalCrossentropy(SparseCategoricalCrossentropy { from_logits, .. })
            | Self::CategoricalCrossentropy(CategoricalCrossentropy { from_logits, .. })
            | Self::BinaryCrossentropy(BinaryCrossentropy { from_logits, .. }) => *from_logits,
            Self::MeanSquaredError(_) | Self::MeanAbsoluteError(_) | Self::Huber(_) | Self::HalfSumOfSquares(_) | Self::Adversarial(_) => {
                false
            }
        }
    }

    /// Whether a label is a class's number (or several, one a position), not a vector.
    pub fn takes_classes(&self) -> bool {
        matches!(self, Self::SparseCategoricalCrossentropy(_))
    }

    /// Shape of one example's label for a model with that output.
    pub fn label_shape(&self, output: &[usize]) -> Vec<usize> {
        match (self, output) {
            (Self::SparseCategoricalCrossentropy(_), [outer @ .., _]) => outer.to_vec(),
            _ => output.to_vec(),
        }
    }

    /// Appends the labels' column (unless the input `x` is the target), the loss and the count of right answers for a model's `output`. Where a
    /// `mask` says which positions count, `[batch, length]`, padding or tokens that are not hidden do not: as in Keras, the loss is the mean over all
    /// positions of the batch that do.
    pub(super) fn build(&self, graph: &mut Graph, x: NodeId, output: NodeId, mask: Option<NodeId>, penalties: &[NodeId]) -> Result<Scores> {
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
