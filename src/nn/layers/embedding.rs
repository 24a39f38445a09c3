//! Vectors for whole numbers: tokens and positions.

use super::{Build, bad_input, positive};
use crate::error::{Error, ErrorCode, Result};
use crate::fields::spec;
use crate::graph::{Initializer, NodeId};
use crate::nn::build::LayerCx;
use crate::nn::{Init, Regularizer};
use crate::tensor::DType;

/// Keras's `uniform`.
const UNIFORM: Init = Init(Initializer::RandomUniform { minval: -0.05, maxval: 0.05 });

spec! {
    /// Row x of a table E `[input_dim, output_dim]` for each token x: `[N, ...]` -> `[N, ..., output_dim]` (Keras's `Embedding`). It reads the
    /// model's input, which is whole numbers then.
    pub struct Embedding {
        /// Rows of E: tokens are below it.
        input_dim: usize;
        /// Columns of E.
        output_dim: usize;
        /// How E begins.
        embeddings_initializer: Init = UNIFORM;
        /// Penalty on E.
        embeddings_regularizer: Option<Regularizer> = None;
        /// Whether token 0 is padding: recurrent layers behind keep their state where it stands, attention does not look at it, and means leave it out.
        mask_zero: bool = false;
    }

    /// An embedding that can be read backwards: with `reverse`, y = x Eᵀ, `[N, ..., output_dim]` -> `[N, ..., input_dim]`. A layer that
    /// `shares` another's E turns vectors into logits by the table that made vectors of tokens (KerasHub's `ReversibleEmbedding` with tied
    /// weights; Press and Wolf 2017).
    pub struct ReversibleEmbedding {
        /// Rows of E.
        input_dim: usize;
        /// Columns of E.
        output_dim: usize;
        /// Whether vectors become logits instead of tokens vectors.
        reverse: bool = false;
        /// How E begins.
        embeddings_initializer: Init = UNIFORM;
        /// Penalty on E.
        embeddings_regularizer: Option<Regularizer> = None;
        /// Whether token 0 is padding, which layers behind leave out.
        mask_zero: bool = false;
    }

    /// The first T rows of a table P `[sequence_length, C]` for each example of `[N, T, C]`, to be added to it (KerasHub's
    /// `PositionEmbedding`).
    pub struct PositionEmbedding {
        /// Rows of P: the longest sequence.
        sequence_length: usize;
        /// How P begins.
        initializer: Init = Init(Initializer::GlorotUniform);
    }
}

impl Build for Embedding {
    fn reads_tokens(&self) -> bool {
        true
    }

    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        positive(&[("input_dim", self.input_dim), ("output_dim", self.output_dim)])?;
        check_tokens("Embedding", cx, x)?;
        let shape = [self.input_dim, self.output_dim];
        let table = cx.parameter("embeddings", &shape, &self.embeddings_initializer, self.embeddings_regularizer)?;
        if self.mask_zero {
            mask_padding(cx, x)?;
        }
        cx.graph.gather(table, x)
    }
}

/// Says which tokens are not padding.
fn mask_padding(cx: &mut LayerCx, x: NodeId) -> Result<()> {
    let zero = cx.graph.constant(0.0);
    let mask = cx.graph.greater(x, zero)?;
    cx.name(mask, "mask");
    cx.mask = Some(mask);
    Ok(())
}

impl Build for ReversibleEmbedding {
    fn reads_tokens(&self) -> bool {
        !self.reverse
    }

    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        positive(&[("input_dim", self.input_dim), ("output_dim", self.output_dim)])?;
        let width = cx.graph.shape(x).last().copied();
        match self.reverse {
            true if width != Some(self.output_dim) || cx.graph.shape(x).rank() < 2 => {
                return Err(bad_input("ReversibleEmbedding", &format!("vectors of {} numbers", self.output_dim), cx.graph.shape(x)));
            }
            true => {}
            false => check_tokens("ReversibleEmbedding", cx, x)?,
        }
        let shape = [self.input_dim, self.output_dim];
        let table = cx.parameter("embeddings", &shape, &self.embeddings_initializer, self.embeddings_regularizer)?;
        match self.reverse {
            true => cx.graph.matmul(x, table, false, true),
            false => {
                if self.mask_zero {
                    mask_padding(cx, x)?;
                }
                cx.graph.gather(table, x)
            }
        }
    }
}

fn check_tokens(kind: &str, cx: &LayerCx, x: NodeId) -> Result<()> {
    match cx.graph.node(x).meta.dtype {
        DType::Index => Ok(()),
        DType::F32 => Err(bad_input(kind, "tokens, which only the model's input is", cx.graph.shape(x))),
    }
}

impl Build for PositionEmbedding {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        positive(&[("sequence_length", self.sequence_length)])?;
        let shape = cx.graph.shape(x).clone();
        let &[_, length, width] = &shape[..] else {
            return Err(bad_input("PositionEmbedding", "a sequence of vectors [length, width]", &shape));
        };
        let positions = cx.positions(length);
        if positions > self.sequence_length {
            let expected = format!("at least the input's length of {positions}");
            let values: [(&str, &dyn std::fmt::Display); 3] =
                [("name", &"sequence_length"), ("expected", &expected), ("got", &self.sequence_length)];
            return Err(Error::new(ErrorCode::BadValue, &values));
        }
        let table = cx.parameter("embeddings", &[self.sequence_length, width], &self.initializer, None)?;
        let rows = cx.rows(table, length)?;
        cx.graph.broadcast_to(rows, shape)
    }
}
