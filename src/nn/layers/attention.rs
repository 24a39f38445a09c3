//! Attention, composed of ordinary nodes: heads are a batch axis.

use std::ops::RangeInclusive;

use super::{Build, bad_input, positive};
use crate::error::{Error, ErrorCode, Result};
use crate::fields::{out_of_range, spec};
use crate::graph::{Initializer, NodeId};
use crate::nn::build::LayerCx;
use crate::nn::{Init, Mode, Regularizer};

/// What a score becomes that must not be seen: softmax makes exactly 0 of it, as of every number 104 below the largest.
const UNSEEN: f32 = -1e9;

spec! {
    /// softmax(Q Kᵀ / √key_dim) V for each head, all heads' results side by side times an output kernel (Keras's `MultiHeadAttention`; Vaswani
    /// et al. 2017): `[N, T, C]` -> `[N, T, C]`. Q, K and V are products of the inputs with a kernel each, `[C, num_heads, key_dim]`. One input
    /// is self-attention, which does not look at padding; of two, the second is what K and V are made of; a third is K's own, as in Keras's call.
    pub struct MultiHeadAttention {
        /// Heads.
        num_heads: usize;
        /// Columns of a head's Q and K.
        key_dim: usize;
        /// Columns of a head's V; as `key_dim` if none.
        value_dim: Option<usize> = None;
        /// Share of the attention weights that is dropped in training.
        dropout: f64 = 0.0;
        /// Whether biases are added.
        use_bias: bool = true;
        /// Whether a position sees only itself and those before it (an argument of Keras's call).
        use_causal_mask: bool = false;
        /// How the kernels begin.
        kernel_initializer: Init = Init(Initializer::GlorotUniform);
        /// How the output kernel begins, where that is different (not in Keras).
        output_initializer: Option<Init> = None;
        /// How the biases begin.
        bias_initializer: Init = Init(Initializer::Zeros);
        /// Penalty on the kernels.
        kernel_regularizer: Option<Regularizer> = None;
        /// Penalty on the biases.
        bias_regularizer: Option<Regularizer> = None;
    }
}

impl MultiHeadAttention {
    /// Self-attention with Keras's defaults.
    pub fn new(num_heads: usize, key_dim: usize) -> Self {
        Self {
            num_heads,
            key_dim,
            value_dim: None,
            dropout: 0.0,
            use_bias: true,
            use_causal_mask: false,
            kernel_initializer: Init(Initializer::GlorotUniform),
            output_initializer: None,
            bias_initializer: Init(Initializer::Zeros),
            kernel_regularizer: None,
            bias_regularizer: None,
        }
    }

    /// x W + b for all heads, which become an axis behind the batch: `[N, T, C]` -> `[N, heads, T, dim]`.
    fn heads(&self, cx: &mut LayerCx, role: &str, x: NodeId, dim: usize) -> Result<NodeId> {
        let &[batch, length, width] = &cx.graph.shape(x)[..] else { return Ok(x) };
        let heads = self.num_heads;
        let kernel = cx.parameter(&format!("{role}.kernel"), &[width, heads, dim], &self.kernel_initializer, self.kernel_regularizer)?;
        let kernel = cx.graph.reshape(kernel, [width, heads * dim])?;
        let product = cx.graph.matmul(x, kernel, false, false)?;
        let sum = self.biased(cx, role, product, &[heads, dim])?;
        let split = cx.graph.reshape(sum, [batch, length, heads, dim])?;
        let projected = cx.graph.transpose(split, &[0, 2, 1, 3])?;
        cx.name(projected, role);
        Ok(projected)
    }

    fn biased(&self, cx: &mut LayerCx, role: &str, x: NodeId, shape: &[usize]) -> Result<NodeId> {
        if !self.use_bias {
            return Ok(x);
        }
        let bias = cx.parameter(&format!("{role}.bias"), shape, &self.bias_initializer, self.bias_regularizer)?;
        let bias = cx.graph.reshape(bias, [shape.iter().product::<usize>()])?;
        cx.graph.add(x, bias)
    }
}

/// Scores `[N, heads, T, S]` of the time steps that a mask `[N, S]` counts; those of the others become unseen.
fn hide_padding(cx: &mut LayerCx, scores: NodeId, mask: NodeId) -> Result<NodeId> {
    let shape = cx.graph.shape(scores).clone();
    let one = cx.graph.constant(1.0);
    let padding = cx.graph.sub(one, mask)?;
    let lowered = cx.graph.scale(padding, UNSEEN)?;
    let lowered = cx.graph.reshape(lowered, [shape[0], 1, 1, shape[3]])?;
    let scores = cx.graph.add(scores, lowered)?;
    cx.name(scores, "masked_scores");
    Ok(scores)
}

impl Build for MultiHeadAttention {
    fn inputs(&self) -> RangeInclusive<usize> {
        1..=3
    }

    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let value_dim = self.value_dim.unwrap_or(self.key_dim);
        positive(&[("num_heads", self.num_heads), ("key_dim", self.key_dim), ("value_dim", value_dim)])?;
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(out_of_range("dropout", "at least 0 and below 1", self.dropout));
        }
        let of_value = cx.inputs.get(1).copied().unwrap_or(x);
        let of_key = cx.inputs.get(2).copied().unwrap_or(of_value);
        for input in [x, of_value, of_key] {
            if cx.graph.shape(input).rank() != 3 {
                return Err(bad_input("MultiHeadAttention", "a sequence of vectors [length, width]", cx.graph.shape(input)));
            }
        }
        if cx.graph.shape(of_value)[..2] != cx.graph.shape(of_key)[..2] {
            let (left, right) = (cx.graph.shape(of_key), cx.graph.shape(of_value));
            return Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &"MultiHeadAttention"), ("left", left), ("right", right)]));
        }
        let (batch, length, width) = (cx.graph.shape(x)[0], cx.graph.shape(x)[1], cx.graph.shape(x)[2]);
        let query = self.heads(cx, "query", x, self.key_dim)?;
        let key = self.heads(cx, "key", of_key, self.key_dim)?;
        let value = self.heads(cx, "value", of_value, value_dim)?;

        let scaled = cx.graph.scale(query, 1.0 / (self.key_dim as f32).sqrt())?;
        let mut scores = cx.graph.matmul(scaled, key, false, true)?;
        cx.name(scores, "scores");
        if self.use_causal_mask {
            scores = cx.graph.tril(scores, 0, UNSEEN)?;
            cx.name(scores, "masked_scores");
        }
        if let (Some(mask), [_]) = (cx.mask, cx.inputs) {
            scores = hide_padding(cx, scores, mask)?;
        }
        let mut weights = cx.graph.softmax(scores)?;
        cx.name(weights, "attention_weights");
        if cx.mode == Mode::Train && self.dropout > 0.0 {
            let rate = cx.graph.scalar(&format!("dropout:{}", cx.name), self.dropout as f32);
            weights = cx.graph.dropout(weights, rate)?;
        }
        let attended = cx.graph.matmul(weights, value, false, false)?;
        cx.name(attended, "attended");

        let side_by_side = cx.graph.transpose(attended, &[0, 2, 1, 3])?;
        let joined = cx.graph.reshape(side_by_side, [batch, length, self.num_heads * value_dim])?;
        let init = self.output_initializer.as_ref().unwrap_or(&self.kernel_initializer);
        let kernel = cx.parameter("attention_output.kernel", &[self.num_heads, value_dim, width], init, self.kernel_regularizer)?;
        let kernel = cx.graph.reshape(kernel, [self.num_heads * value_dim, width])?;
        let product = cx.graph.matmul(joined, kernel, false, false)?;
        self.biased(cx, "attention_output", product, &[width])
    }
}
