//! Optimizers as data: `{ "type": "SGD", "learning_rate": 0.05, "momentum": 0.9, "nesterov": true }`.

use serde::Serialize;
use serde_json::Value;

use super::LearningRate;
use crate::error::{Error, ErrorCode, Result};
use crate::fields::{Fields, FromFields, deserialize_from_json, out_of_range, spec};

spec! {
    /// Gradient descent, p ← p − η g; with a momentum μ, m ← μ m − η g and p ← p + m, or p ← p + μ m − η g by Nesterov (Keras's `SGD`).
    pub struct Sgd: Default {
        /// η.
        learning_rate: LearningRate = 0.01.into();
        /// μ. Without one there is no memory, and none can be set while training; 0 keeps the memory ready.
        momentum: Option<f64> = None;
        /// Nesterov's form, where there is a momentum.
        nesterov: bool = false;
        /// Before each step, p ← p (1 − η · this).
        weight_decay: Option<f64> = None;
        /// Keras's limit on each variable's gradient norm; not supported.
        clipnorm: Option<f64> = None;
        /// Largest norm of the whole gradient.
        global_clipnorm: Option<f64> = None;
        /// Largest magnitude of each gradient.
        clipvalue: Option<f64> = None;
    }

    /// v ← ρ v + (1 − ρ) g², u = η g / √(v + ε), then p ← p − u, or with a momentum m ← μ m + u and p ← p − m (Keras's `RMSprop`).
    pub struct RmsProp: Default {
        /// η.
        learning_rate: LearningRate = 0.001.into();
        /// ρ.
        rho: f64 = 0.9;
        /// μ, as for SGD.
        momentum: Option<f64> = None;
        /// ε, under the root.
        epsilon: f64 = 1e-7;
        /// Keras's variant that subtracts the mean; not supported.
        centered: bool = false;
        /// As for SGD.
        weight_decay: Option<f64> = None;
        /// As for SGD.
        clipnorm: Option<f64> = None;
        /// As for SGD.
        global_clipnorm: Option<f64> = None;
        /// As for SGD.
        clipvalue: Option<f64> = None;
    }

    /// m ← m + (g − m)(1 − β₁), v ← v + (g² − v)(1 − β₂), p ← p − η c m / (√v + ε), with c = √(1 − β₂ᵗ) / (1 − β₁ᵗ) and t counted from 1
    /// (Keras's `Adam`; Kingma and Ba 2015, in the form at the end of their section 2).
    pub struct Adam: Default {
        /// η.
        learning_rate: LearningRate = 0.001.into();
        /// β₁.
        beta_1: f64 = 0.9;
        /// β₂.
        beta_2: f64 = 0.999;
        /// ε, beside the root.
        epsilon: f64 = 1e-7;
        /// As for SGD.
        weight_decay: Option<f64> = None;
        /// As for SGD.
        clipnorm: Option<f64> = None;
        /// As for SGD.
        global_clipnorm: Option<f64> = None;
        /// As for SGD.
        clipvalue: Option<f64> = None;
    }

    /// Adam with decoupled weight decay (Keras's `AdamW`; Loshchilov and Hutter 2019).
    pub struct AdamW: Default {
        /// η.
        learning_rate: LearningRate = 0.001.into();
        /// β₁.
        beta_1: f64 = 0.9;
        /// β₂.
        beta_2: f64 = 0.999;
        /// ε, beside the root.
        epsilon: f64 = 1e-7;
        /// As for SGD.
        weight_decay: Option<f64> = Some(0.004);
        /// As for SGD.
        clipnorm: Option<f64> = None;
        /// As for SGD.
        global_clipnorm: Option<f64> = None;
        /// As for SGD.
        clipvalue: Option<f64> = None;
    }
}

macro_rules! optimizers {
    ($($variant:ident $name:literal,)*) => {
        /// An optimizer with Keras's names and defaults.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(tag = "type")]
        #[cfg_attr(feature = "types", derive(ts_rs::TS), ts(export_to = "protocol.ts"))]
        #[allow(missing_docs)]
        pub enum OptimizerSpec {
            $(#[serde(rename = $name)] $variant($variant),)*
        }

        impl OptimizerSpec {
            fn read(kind: &str, fields: &mut Fields) -> Result<Self> {
                $(if kind.eq_ignore_ascii_case($name) {
                    return Ok(Self::$variant(FromFields::from_fields(fields)?));
                })*
                Err(Error::new(ErrorCode::UnknownName, &[("kind", &"optimizer"), ("got", &kind)]))
            }

            /// The learning rate.
            pub fn learning_rate(&self) -> &LearningRate {
                match self { $(Self::$variant(spec) => &spec.learning_rate,)* }
            }

            /// Its name: `"Adam"`.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }

            /// The weight decay, if there is one.
            pub fn weight_decay(&self) -> Option<f64> {
                match self { $(Self::$variant(spec) => spec.weight_decay,)* }
            }

            /// What limits the gradient.
            pub(super) fn clipping(&self) -> Clipping {
                match self { $(Self::$variant(spec) => Clipping {
                    by_variable: spec.clipnorm,
                    by_norm: spec.global_clipnorm,
                    by_value: spec.clipvalue,
                },)* }
            }
        }

        $(impl From<$variant> for OptimizerSpec {
            fn from(spec: $variant) -> Self {
                Self::$variant(spec)
            }
        })*
    };
}

optimizers! {
    Sgd "SGD",
    RmsProp "RMSprop",
    Adam "Adam",
    AdamW "AdamW",
}

/// Limits on the gradient: at most one.
pub(super) struct Clipping {
    pub by_variable: Option<f64>,
    pub by_norm: Option<f64>,
    pub by_value: Option<f64>,
}

deserialize_from_json!(OptimizerSpec);

impl OptimizerSpec {
    /// Reads `{ "type": "Adam", "learning_rate": 0.001 }`, or a name alone.
    pub fn from_json(value: &Value) -> Result<Self> {
        let empty = Value::Object(serde_json::Map::new());
        let (kind, mut fields) = match value.as_str() {
            Some(kind) => (kind.to_owned(), Fields::new(&empty, "optimizer", "optimizer")?),
            None => {
                let mut fields = Fields::new(value, "optimizer", "optimizer")?;
                (fields.required("type")?, fields)
            }
        };
        fields.called(&kind);
        let spec = Self::read(&kind, &mut fields).map_err(|error| error.at("optimizer.type"))?;
        fields.finish()?;
        spec.check().map_err(|error| error.at("optimizer"))?;
        Ok(spec)
    }

    /// The momentum, where the optimizer has one.
    pub fn momentum(&self) -> Option<f64> {
        match self {
            Self::Sgd(sgd) => sgd.momentum,
            Self::RmsProp(rmsprop) => rmsprop.momentum,
            Self::Adam(_) | Self::AdamW(_) => None,
        }
    }

    /// Refuses numbers outside their range, and what is not supported.
    pub fn check(&self) -> Result<()> {
        self.learning_rate().check()?;
        self.weight_decay().map_or(Ok(()), |decay| at_least_0("weight_decay", decay))?;
        self.momentum().map_or(Ok(()), |momentum| share("momentum", momentum))?;
        match self {
            Self::Sgd(_) => {}
            Self::RmsProp(RmsProp { centered: true, .. }) => return Err(out_of_range("centered", "false", true)),
            Self::RmsProp(RmsProp { rho, epsilon, .. }) => {
                share("rho", *rho)?;
                above_0("epsilon", *epsilon)?;
            }
            Self::Adam(Adam { beta_1, beta_2, epsilon, .. }) | Self::AdamW(AdamW { beta_1, beta_2, epsilon, .. }) => {
                share("beta_1", *beta_1)?;
                share("beta_2", *beta_2)?;
                above_0("epsilon", *epsilon)?;
            }
        }
        self.clipping().check()
    }
}

impl Clipping {
    fn check(&self) -> Result<()> {
        if let Some(limit) = self.by_variable {
            return Err(out_of_range("clipnorm", "absent (use global_clipnorm)", limit));
        }
        for (name, limit) in [("global_clipnorm", self.by_norm), ("clipvalue", self.by_value)] {
            limit.map_or(Ok(()), |limit| above_0(name, limit))?;
        }
        match (self.by_norm, self.by_value) {
            (Some(_), Some(limit)) => Err(out_of_range("clipvalue", "absent beside global_clipnorm", limit)),
            _ => Ok(()),
        }
    }
}

fn share(name: &str, number: f64) -> Result<()> {
    if (0.0..1.0).contains(&number) { Ok(()) } else { Err(out_of_range(name, "at least 0 and below 1", number)) }
}

fn at_least_0(name: &str, number: f64) -> Result<()> {
    if number >= 0.0 && number.is_finite() { Ok(()) } else { Err(out_of_range(name, "at least 0", number)) }
}

fn above_0(name: &str, number: f64) -> Result<()> {
    if number > 0.0 && number.is_finite() { Ok(()) } else { Err(out_of_range(name, "above 0", number)) }
}
