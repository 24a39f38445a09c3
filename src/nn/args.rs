//! Arguments that layers share: sizes, padding and activations, read as Keras reads them.

use serde::ser::{Serialize, Serializer};
use serde_json::Value;

use crate::error::Result;
use crate::fields::{FromValue, bad_value};
use crate::graph::NodeId;
use crate::ops::pointwise::Pointwise;
use crate::ops::{Graph, window};

/// A size along height and width: one number for both, or a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "types", derive(ts_rs::TS), ts(export_to = "protocol.ts", type = "number | [number, number]"))]
pub struct Pair(pub [usize; 2]);

impl From<usize> for Pair {
    fn from(both: usize) -> Self {
        Self([both; 2])
    }
}

impl FromValue for Pair {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        match value {
            Value::Array(_) => match Vec::<usize>::from_value(value, name, at)?[..] {
                [height, width] => Ok(Self([height, width])),
                _ => Err(bad_value(name, "a number or a pair of numbers", value).at(at)),
            },
            _ => usize::from_value(value, name, at).map(Self::from),
        }
    }
}

impl Serialize for Pair {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self([height, width]) = *self;
        if height == width { height.serialize(serializer) } else { self.0.serialize(serializer) }
    }
}

/// Zeros around an image: a number for every side, `[height, width]`, or `[[top, bottom], [left, right]]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "types", derive(ts_rs::TS))]
#[cfg_attr(feature = "types", ts(export_to = "protocol.ts", type = "number | [number, number] | [[number, number], [number, number]]"))]
pub struct Margins(pub [[usize; 2]; 2]);

impl FromValue for Margins {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        let sides = match value {
            Value::Array(items) if items.iter().any(Value::is_array) => {
                Vec::<Vec<usize>>::from_value(value, name, at)?.iter().map(|side| <[usize; 2]>::try_from(&side[..]).ok()).collect()
            }
            _ => Some(Pair::from_value(value, name, at)?.0.map(|side| [side; 2]).to_vec()),
        };
        match sides.as_deref() {
            Some(&[vertical, horizontal]) => Ok(Self([vertical, horizontal])),
            _ => Err(bad_value(name, "a number, a pair, or [[top, bottom], [left, right]]", value).at(at)),
        }
    }
}

impl Serialize for Margins {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            [[top, bottom], [left, right]] if top == bottom && left == right => Pair([top, left]).serialize(serializer),
            sides => sides.serialize(serializer),
        }
    }
}

macro_rules! names {
    ($($(#[$meta:meta])* pub enum $kind:ident as $what:literal { $($(#[$variant_meta:meta])* $variant:ident = $name:literal $(| $alias:literal)*,)* })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "types", derive(ts_rs::TS), ts(export_to = "protocol.ts"))]
        pub enum $kind {$(
            $(#[$variant_meta])*
            #[cfg_attr(feature = "types", ts(rename = $name))]
            $variant,
        )*}

        impl $kind {
            /// Keras's name for it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }

        impl $crate::fields::FromValue for $kind {
            fn from_value(value: &serde_json::Value, name: &str, at: &str) -> $crate::error::Result<Self> {
                match value.as_str() {
                    $(Some($name $(| $alias)*) => Ok(Self::$variant),)*
                    _ => Err($crate::fields::no_such($what, value, name).at(at)),
                }
            }
        }

        impl serde::Serialize for $kind {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
    )*};
}
pub(crate) use names;

names! {
    /// How a window treats the border, as in Keras.
    pub enum Padding as "padding" {
        /// The window stays inside.
        Valid = "valid",
        /// Zeros are added so that the output has ⌈input / stride⌉ rows and columns, the odd one at the bottom and right.
        Same = "same",
    }

    /// How a window treats the ends of a sequence, as in Keras.
    pub enum SequencePadding as "padding" {
        /// The window stays inside.
        Valid = "valid",
        /// Zeros are added so that the output has ⌈length / stride⌉ steps, the odd one at the end.
        Same = "same",
        /// Zeros are added before the first step only, so that no output sees a later step.
        Causal = "causal",
    }

    /// How up-sampling fills in, as in Keras.
    pub enum Interpolation as "interpolation" {
        /// Each pixel is repeated.
        Nearest = "nearest",
    }

    /// A function applied to a layer's output, by Keras's name.
    pub enum Activation as "activation" {
        /// a
        Linear = "linear",
        /// max(0, a)
        Relu = "relu",
        /// 1 / (1 + e⁻ᵃ)
        Sigmoid = "sigmoid",
        /// tanh a
        Tanh = "tanh",
        /// eᵃ / Σ eᵃ over the last axis
        Softmax = "softmax",
        /// a Φ(a), exact
        Gelu = "gelu",
        /// a σ(a)
        Silu = "silu" | "swish",
        /// ln(1 + eᵃ)
        Softplus = "softplus",
        /// a, or 0.2 a where a < 0
        LeakyRelu = "leaky_relu",
        /// eᵃ
        Exponential = "exponential",
    }
}

impl Padding {
    /// As the operations have it.
    pub(super) fn op(self) -> window::Padding {
        match self {
            Self::Valid => window::Padding::Valid,
            Self::Same => window::Padding::Same,
        }
    }
}

impl SequencePadding {
    /// As the operations have it for images of one row, under windows that reach `back` steps back.
    pub(super) fn op(self, back: usize) -> window::Padding {
        match self {
            Self::Valid => window::Padding::Valid,
            Self::Same => window::Padding::Same,
            Self::Causal => window::Padding::Explicit { top: 0, bottom: 0, left: back, right: 0 },
        }
    }
}

impl Activation {
    /// Appends the function of `x`.
    pub fn build(self, graph: &mut Graph, x: NodeId) -> Result<NodeId> {
        match self {
            Self::Linear => Ok(x),
            Self::Relu => graph.relu(x),
            Self::Sigmoid => graph.sigmoid(x),
            Self::Tanh => graph.tanh(x),
            Self::Softmax => graph.softmax(x),
            Self::Gelu => graph.gelu(x),
            Self::Silu => graph.silu(x),
            Self::Softplus => graph.softplus(x),
            Self::LeakyRelu => leaky_relu(graph, x, 0.2),
            Self::Exponential => graph.exp(x),
        }
    }
}

/// x, or slope · x where x < 0.
pub fn leaky_relu(graph: &mut Graph, x: NodeId, slope: f64) -> Result<NodeId> {
    let slope = graph.constant(slope as f32);
    graph.push(Pointwise::LeakyRelu.into(), &[x, slope])
}
