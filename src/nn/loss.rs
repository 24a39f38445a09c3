//! Losses, with Keras's names and definitions.

mod build;

pub(super) use build::{Last, Scores, before_last};
use serde::Serialize;
use serde_json::Value;

use super::adversarial::Adversarial;
use super::args::names;
use crate::error::{Error, ErrorCode, Result};
use crate::fields::{Fields, FromFields, bad_value, deserialize_from_json, out_of_range, spec};

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
}
