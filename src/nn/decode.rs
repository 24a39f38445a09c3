//! Going on with a text one position at a time. Keys and values of the positions so far are kept, the KV cache, so that a token costs one
//! position's work: [`Mode::Prefill`] keeps those of a whole window, [`Mode::Decode`] adds those of one position.

use super::build::LayerCx;
use super::layers::{Build, Layer};
use super::{Mode, ModelSpec};
use crate::error::Result;
use crate::graph::{Group, Initializer, NodeId, Target, VariableId};
use crate::ops::Graph;

/// The scalar of a graph of [`Mode::Decode`] that says how many tokens the text has, the one that it reads included.
pub const TOKENS: &str = "tokens";

/// Where a graph of [`Mode::Decode`] is.
#[derive(Clone, Copy)]
pub(super) struct Decoding {
    /// Positions of the window, T.
    window: usize,
    /// 1 at the present position: `[T]`.
    here: NodeId,
    /// 1 at all later ones: `[T]`.
    later: NodeId,
}

impl Decoding {
    pub fn new(graph: &mut Graph, window: usize) -> Result<Self> {
        let one = graph.constant(1.0);
        let ones = graph.broadcast_to(one, [window])?;
        let numbers = graph.cumsum(ones, 0)?;
        let tokens = graph.scalar(TOKENS, 1.0);
        Ok(Self { window, here: graph.equal(numbers, tokens)?, later: graph.greater(numbers, tokens)? })
    }
}

impl LayerCx<'_> {
    /// Positions of the sequence that so many vectors are all of, or one of.
    pub fn positions(&self, length: usize) -> usize {
        self.decoding.map_or(length, |decoding| decoding.window)
    }

    /// Of a table with a row for each position, and maybe more, those of a sequence of so many vectors: `[length, C]`.
    pub fn rows(&mut self, table: NodeId, length: usize) -> Result<NodeId> {
        let positions = self.positions(length);
        let rows = match self.graph.shape(table)[0] > positions {
            true => self.graph.slice_axis(table, 0, 0, positions)?,
            false => table,
        };
        let Some(Decoding { window, here, .. }) = self.decoding else { return Ok(rows) };
        let here = self.graph.reshape(here, [1, window])?;
        self.graph.matmul(here, rows, false, false)
    }

    /// Keys or values `[N, heads, length, D]` with those of earlier positions, `[N, heads, T, D]`, which are kept for later ones.
    pub fn kept(&mut self, role: &str, made: NodeId) -> Result<NodeId> {
        let mut shape = self.graph.shape(made).to_vec();
        match (self.mode, &mut shape[..]) {
            (Mode::Prefill | Mode::Decode, [_, _, length, _]) => *length = self.positions(*length),
            (Mode::Train | Mode::Infer | Mode::Prefill | Mode::Decode, _) => return Ok(made),
        }
        let id = VariableId(self.graph.variables().len() as u32);
        let cache = self.graph.declare(role, shape, Group::Cache, Initializer::Zeros);
        let all = match self.decoding {
            Some(Decoding { window, here, .. }) => {
                let here = self.graph.reshape(here, [window, 1])?;
                self.graph.select(here, made, cache)?
            }
            None => made,
        };
        self.graph.write(all, Target::Variable(id));
        Ok(all)
    }

    /// Scores `[..., length, T]`, with `hidden` in place of those that a position gives to later ones.
    pub fn causal(&mut self, scores: NodeId, hidden: f32) -> Result<NodeId> {
        let Some(Decoding { later, .. }) = self.decoding else { return self.graph.tril(scores, 0, hidden) };
        let hidden = self.graph.constant(hidden);
        self.graph.select(later, hidden, scores)
    }
}

impl ModelSpec {
    /// Whether a text can be gone on with one position at a time: the input is tokens alone, and no layer looks from a position at another but by
    /// causal attention.
    pub fn decodes(&self) -> bool {
        self.reading_input().all(|layer| layer.layer.reads_tokens()) && self.layers.iter().all(|layer| decodes(&layer.layer))
    }
}

/// Whether what a layer makes of a position depends on that one and earlier ones alone, and is found from it and what [`LayerCx::kept`] keeps.
fn decodes(layer: &Layer) -> bool {
    match layer {
        Layer::MultiHeadAttention(attention) => attention.use_causal_mask,
        Layer::GroupQueryAttention(attention) => attention.use_causal_mask,
        // Which positions are padding is not kept.
        Layer::Embedding(embedding) => !embedding.mask_zero,
        Layer::ReversibleEmbedding(embedding) => !embedding.mask_zero,
        Layer::PositionEmbedding(_) | Layer::SinePositionEncoding(_) => true,
        Layer::Dense(_) | Layer::Activation(_) | Layer::LeakyReLU(_) | Layer::Add(_) | Layer::Multiply(_) => true,
        Layer::BatchNormalization(_) | Layer::LayerNormalization(_) | Layer::RMSNormalization(_) => true,
        Layer::Dropout(_) | Layer::GaussianNoise(_) => true,
        Layer::Conv1D(_) | Layer::Conv2D(_) | Layer::Conv2DTranspose(_) | Layer::SimpleRNN(_) | Layer::LSTM(_) | Layer::GRU(_) => false,
        Layer::MaxPooling1D(_) | Layer::AveragePooling1D(_) | Layer::GlobalAveragePooling1D(_) | Layer::GlobalMaxPooling1D(_) => false,
        Layer::MaxPooling2D(_) | Layer::AveragePooling2D(_) | Layer::GlobalAveragePooling2D(_) | Layer::GlobalMaxPooling2D(_) => false,
        Layer::Flatten(_) | Layer::Reshape(_) | Layer::Cropping1D(_) | Layer::ZeroPadding2D(_) | Layer::UpSampling2D(_) => false,
        Layer::RandomUniform(_) | Layer::MaskedLMMaskGenerator(_) => false,
        Layer::RandomFlip(_) | Layer::RandomTranslation(_) | Layer::RandomRotation(_) | Layer::RandomZoom(_) => false,
    }
}
