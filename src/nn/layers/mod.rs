//! The layers, under Keras's names. A layer's file holds its arguments with their defaults and how it is built; this file is the registry.

mod activation;
mod attention;
mod augment;
mod conv;
mod dense;
mod dropout;
mod embedding;
mod mask;
mod merge;
mod noise;
mod norm;
mod pool;
mod position;
mod recurrent;
mod shape;

use std::ops::RangeInclusive;

use serde_json::Value;

pub use activation::{ActivationLayer, LeakyReLU};
pub use attention::{GroupQueryAttention, MultiHeadAttention};
pub use augment::{GaussianNoise, RandomFlip, RandomRotation, RandomTranslation, RandomZoom};
pub use conv::{Conv1D, Conv2D, Conv2DTranspose};
pub use dense::Dense;
pub use dropout::Dropout;
pub use embedding::{Embedding, PositionEmbedding, ReversibleEmbedding};
pub use mask::{MaskedLMMaskGenerator, UNMASKED};
pub use merge::{Add, Multiply};
pub use noise::RandomUniform;
pub use norm::{BatchNormalization, LayerNormalization, RMSNormalization};
pub use pool::{
    AveragePooling1D, AveragePooling2D, GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalMaxPooling1D, GlobalMaxPooling2D,
    MaxPooling1D, MaxPooling2D,
};
pub use position::SinePositionEncoding;
pub use recurrent::{GRU, LSTM, SimpleRNN};
pub use shape::{Cropping1D, Flatten, Reshape, UpSampling2D, ZeroPadding2D};

use super::build::LayerCx;
use crate::error::{Error, ErrorCode, Result};
use crate::fields::{Fields, FromFields, LARGEST, out_of_range};
use crate::graph::NodeId;
use crate::ops::window::Padding;
use crate::tensor::Shape;

/// What a layer does: appends its nodes.
pub trait Build {
    /// How many values it can read.
    fn inputs(&self) -> RangeInclusive<usize> {
        1..=1
    }

    /// Whether what it reads are whole numbers that name something: the model's input is of that kind then.
    fn reads_tokens(&self) -> bool {
        false
    }

    /// The layer's output for its first (mostly only) input `x`, whose first axis is the batch; the others are in `cx`.
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId>;
}

macro_rules! layers {
    ($($variant:ident $kind:literal $name:literal ($layer:ty),)*) => {
        /// Any layer, with its arguments.
        #[derive(Clone, Debug, PartialEq)]
        #[cfg_attr(feature = "types", derive(ts_rs::TS), ts(export_to = "protocol.ts", tag = "type"))]
        #[allow(missing_docs)]
        pub enum Layer {
            $(#[cfg_attr(feature = "types", ts(rename = $kind))] $variant($layer),)*
        }

        impl Layer {
            /// Keras's layer types that can be read.
            pub const KINDS: &[&str] = &[$($kind,)*];

            /// Keras's layer type: `"Conv2D"`.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind,)* }
            }

            /// What Keras names such a layer: `"conv2d"`.
            pub fn base_name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }

            /// Reads the arguments of a layer of that type.
            pub(super) fn read(kind: &str, fields: &mut Fields) -> Result<Self> {
                match kind {
                    $($kind => Ok(Self::$variant(FromFields::from_fields(fields)?)),)*
                    _ => Err(Error::new(ErrorCode::UnknownLayer, &[("got", &kind)])),
                }
            }

            /// The arguments that differ from their defaults, as an object.
            pub(super) fn arguments(&self) -> serde_json::Result<Value> {
                match self { $(Self::$variant(layer) => serde_json::to_value(layer),)* }
            }
        }

        impl Build for Layer {
            fn inputs(&self) -> RangeInclusive<usize> {
                match self { $(Self::$variant(layer) => layer.inputs(),)* }
            }

            fn reads_tokens(&self) -> bool {
                match self { $(Self::$variant(layer) => layer.reads_tokens(),)* }
            }

            fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
                match self { $(Self::$variant(layer) => layer.build(cx, x),)* }
            }
        }

        $(impl From<$layer> for Layer {
            fn from(layer: $layer) -> Self {
                Self::$variant(layer)
            }
        })*
    };
}

layers! {
    Dense "Dense" "dense" (Dense),
    Conv1D "Conv1D" "conv1d" (Conv1D),
    Conv2D "Conv2D" "conv2d" (Conv2D),
    Conv2DTranspose "Conv2DTranspose" "conv2d_transpose" (Conv2DTranspose),
    MaxPooling1D "MaxPooling1D" "max_pooling1d" (MaxPooling1D),
    AveragePooling1D "AveragePooling1D" "average_pooling1d" (AveragePooling1D),
    GlobalAveragePooling1D "GlobalAveragePooling1D" "global_average_pooling1d" (GlobalAveragePooling1D),
    GlobalMaxPooling1D "GlobalMaxPooling1D" "global_max_pooling1d" (GlobalMaxPooling1D),
    MaxPooling2D "MaxPooling2D" "max_pooling2d" (MaxPooling2D),
    AveragePooling2D "AveragePooling2D" "average_pooling2d" (AveragePooling2D),
    GlobalAveragePooling2D "GlobalAveragePooling2D" "global_average_pooling2d" (GlobalAveragePooling2D),
    GlobalMaxPooling2D "GlobalMaxPooling2D" "global_max_pooling2d" (GlobalMaxPooling2D),
    Flatten "Flatten" "flatten" (Flatten),
    Reshape "Reshape" "reshape" (Reshape),
    Cropping1D "Cropping1D" "cropping1d" (Cropping1D),
    ZeroPadding2D "ZeroPadding2D" "zero_padding2d" (ZeroPadding2D),
    UpSampling2D "UpSampling2D" "up_sampling2d" (UpSampling2D),
    Dropout "Dropout" "dropout" (Dropout),
    RandomUniform "RandomUniform" "random_uniform" (RandomUniform),
    BatchNormalization "BatchNormalization" "batch_normalization" (BatchNormalization),
    LayerNormalization "LayerNormalization" "layer_normalization" (LayerNormalization),
    RMSNormalization "RMSNormalization" "rms_normalization" (RMSNormalization),
    Activation "Activation" "activation" (ActivationLayer),
    LeakyReLU "LeakyReLU" "leaky_re_lu" (LeakyReLU),
    RandomFlip "RandomFlip" "random_flip" (RandomFlip),
    RandomTranslation "RandomTranslation" "random_translation" (RandomTranslation),
    RandomRotation "RandomRotation" "random_rotation" (RandomRotation),
    RandomZoom "RandomZoom" "random_zoom" (RandomZoom),
    GaussianNoise "GaussianNoise" "gaussian_noise" (GaussianNoise),
    Embedding "Embedding" "embedding" (Embedding),
    ReversibleEmbedding "ReversibleEmbedding" "reversible_embedding" (ReversibleEmbedding),
    PositionEmbedding "PositionEmbedding" "position_embedding" (PositionEmbedding),
    SinePositionEncoding "SinePositionEncoding" "sine_position_encoding" (SinePositionEncoding),
    MaskedLMMaskGenerator "MaskedLMMaskGenerator" "masked_lm_mask_generator" (MaskedLMMaskGenerator),
    MultiHeadAttention "MultiHeadAttention" "multi_head_attention" (MultiHeadAttention),
    GroupQueryAttention "GroupQueryAttention" "group_query_attention" (GroupQueryAttention),
    Add "Add" "add" (Add),
    Multiply "Multiply" "multiply" (Multiply),
    SimpleRNN "SimpleRNN" "simple_rnn" (SimpleRNN),
    LSTM "LSTM" "lstm" (LSTM),
    GRU "GRU" "gru" (GRU),
}

/// Checks that `x` is a batch of images `[N, H, W, C]`; returns `[H, W, C]`.
fn image(kind: &str, x: &Shape) -> Result<[usize; 3]> {
    match x[..] {
        [_, height, width, channels] => Ok([height, width, channels]),
        _ => Err(bad_input(kind, "an image [height, width, channels]", x)),
    }
}

/// Checks that `x` is a batch of sequences `[N, T, C]`; returns `[T, C]`.
fn sequence(kind: &str, x: &Shape) -> Result<[usize; 2]> {
    match x[..] {
        [_, length, channels] => Ok([length, channels]),
        _ => Err(bad_input(kind, "a sequence of vectors [length, width]", x)),
    }
}

/// A sequence as an image of one row, `[N, T, C]` -> `[N, 1, T, C]`, under windows of so many steps; an error where these must stay inside and do not fit.
fn as_image(cx: &mut LayerCx, x: NodeId, length: usize, window: usize, padding: Padding) -> Result<NodeId> {
    if padding == Padding::Valid && window > length {
        return Err(Error::new(ErrorCode::WindowTooLarge, &[("window", &window), ("input", &length)]));
    }
    let shape = cx.graph.shape(x).clone();
    cx.graph.reshape(x, [shape[0], 1, length, shape[2]])
}

/// An image of one row as a sequence again.
fn as_sequence(cx: &mut LayerCx, y: NodeId) -> Result<NodeId> {
    let shape = cx.graph.shape(y).clone();
    cx.graph.reshape(y, [shape[0], shape[2], shape[3]])
}

/// Rows and columns that each become as many as `name` says, and some more; an error if they were too many to count.
fn spread(name: &str, input: [usize; 2], factors: [usize; 2], more: [usize; 2]) -> Result<[usize; 2]> {
    let extent = |axis: usize| input[axis].checked_mul(factors[axis])?.checked_add(more[axis]).filter(|&extent| extent <= LARGEST);
    match (extent(0), extent(1)) {
        (Some(height), Some(width)) => Ok([height, width]),
        _ => {
            let expected = format!("so small that the output has at most {LARGEST} rows and columns");
            Err(out_of_range(name, &expected, format!("{}×{}", factors[0], factors[1])))
        }
    }
}

/// The error of a layer that cannot take its input; the batch is left out of the shape.
fn bad_input(kind: &str, expected: &str, x: &Shape) -> Error {
    let example = Shape::from(x.get(1..).unwrap_or_default());
    Error::new(ErrorCode::BadShape, &[("op", &kind), ("expected", &expected), ("got", &example)])
}

/// Checks that each number is at least 1.
fn positive(numbers: &[(&str, usize)]) -> Result<()> {
    match numbers.iter().find(|(_, number)| *number == 0) {
        Some((name, zero)) => Err(out_of_range(name, "at least 1", zero)),
        None => Ok(()),
    }
}
