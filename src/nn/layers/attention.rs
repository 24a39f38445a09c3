//! Attention, composed of ordinary nodes: heads are a batch axis.

use std::ops::RangeInclusive;

use super::position::Rotary;
use super::{Build, bad_input, positive};
use crate::error::{Error, ErrorCode, Result};
use crate::fields::{out_of_range, spec};
use crate::graph::{Initializer, NodeId};
use crate::nn::build::LayerCx;
use crate::nn::{Init, Mode, Regularizer};
use crate::ops::attention::HIDDEN;

spec! {
    /// softmax(Q Kᵀ / √key_dim) V for each head, all heads' results side by side times an output kernel (Keras's `MultiHeadAttention`; Vaswani
    /// et al. 2017): `[N, T, C]` -> `[N, T, C]`. Q, K and V are products of the inputs with a kernel each, `[C, num_heads, key_dim]`. One input
    /// is self-attention; of two, the second is what K and V are made of; a third is K's own, as in Keras's call. Where an embedding says that
    /// steps are padding (`mask_zero`), nothing looks at their V.
    pub struct MultiHeadAttention: New {
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
        /// Longest wavelength over 2π of rotary positions, by which queries and keys are turned; none if they are not (KerasHub's argument).
        rope_max_wavelength: Option<f64> = None;
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

    /// The same with fewer heads for K and V: each serves num_query_heads / num_key_value_heads heads of Q that follow each other (Keras's
    /// `GroupQueryAttention`; Ainslie et al. 2023).
    pub struct GroupQueryAttention {
        /// Columns of a head.
        head_dim: usize;
        /// Heads of Q.
        num_query_heads: usize;
        /// Heads of K and V, a divisor of those of Q.
        num_key_value_heads: usize;
        /// Share of the attention weights that is dropped in training.
        dropout: f64 = 0.0;
        /// Whether biases are added.
        use_bias: bool = true;
        /// Whether a position sees only itself and those before it (an argument of Keras's call).
        use_causal_mask: bool = false;
        /// Longest wavelength over 2π of rotary positions, by which queries and keys are turned; none if they are not (KerasHub's argument).
        rope_max_wavelength: Option<f64> = None;
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

/// 0 for a step that counts and [`HIDDEN`] for one that is padding, beside the scores of all heads and queries: `[N, T]` -> `[N, 1, 1, T]`.
fn hidden(cx: &mut LayerCx, mask: NodeId) -> Result<NodeId> {
    let one = cx.graph.constant(1.0);
    let padding = cx.graph.sub(one, mask)?;
    cx.name(padding, "padding");
    let hidden = cx.graph.scale(padding, HIDDEN)?;
    let &[batch, length] = &cx.graph.shape(mask)[..] else { return Ok(hidden) };
    cx.graph.reshape(hidden, [batch, 1, 1, length])
}

impl Build for MultiHeadAttention {
    fn inputs(&self) -> RangeInclusive<usize> {
        1..=3
    }

    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let value_dim = self.value_dim.unwrap_or(self.key_dim);
        positive(&[("num_heads", self.num_heads), ("key_dim", self.key_dim), ("value_dim", value_dim)])?;
        let attention = Attention {
            kind: "MultiHeadAttention",
            heads: self.num_heads,
            shared_by: 1,
            key_dim: ("key_dim", self.key_dim),
            value_dim,
            dropout: self.dropout,
            use_bias: self.use_bias,
            causal: self.use_causal_mask,
            rope_max_wavelength: self.rope_max_wavelength,
            kernel: (&self.kernel_initializer, self.kernel_regularizer),
            output: self.output_initializer.as_ref().unwrap_or(&self.kernel_initializer),
            bias: (&self.bias_initializer, self.bias_regularizer),
        };
        attention.build(cx, x)
    }
}

impl Build for GroupQueryAttention {
    fn inputs(&self) -> RangeInclusive<usize> {
        1..=3
    }

    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let (all, kept) = (self.num_query_heads, self.num_key_value_heads);
        positive(&[("head_dim", self.head_dim), ("num_query_heads", all), ("num_key_value_heads", kept)])?;
        if all % kept != 0 {
            return Err(out_of_range("num_key_value_heads", &format!("a divisor of num_query_heads, {all}"), kept));
        }
        let attention = Attention {
            kind: "GroupQueryAttention",
            heads: all,
            shared_by: all / kept,
            key_dim: ("head_dim", self.head_dim),
            value_dim: self.head_dim,
            dropout: self.dropout,
            use_bias: self.use_bias,
            causal: self.use_causal_mask,
            rope_max_wavelength: self.rope_max_wavelength,
            kernel: (&self.kernel_initializer, self.kernel_regularizer),
            output: self.output_initializer.as_ref().unwrap_or(&self.kernel_initializer),
            bias: (&self.bias_initializer, self.bias_regularizer),
        };
        attention.build(cx, x)
    }
}

/// How something begins, and its penalty.
type Beginning<'a> = (&'a Init, Option<Regularizer>);

/// What both layers are.
struct Attention<'a> {
    kind: &'static str,
    heads: usize,
    /// Heads of Q that a head of K and V serves.
    shared_by: usize,
    /// With the argument's name.
    key_dim: (&'static str, usize),
    value_dim: usize,
    dropout: f64,
    use_bias: bool,
    causal: bool,
    rope_max_wavelength: Option<f64>,
    kernel: Beginning<'a>,
    output: &'a Init,
    bias: Beginning<'a>,
}

impl Attention<'_> {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(out_of_range("dropout", "at least 0 and below 1", self.dropout));
        }
        let of_value = cx.inputs.get(1).copied().unwrap_or(x);
        let of_key = cx.inputs.get(2).copied().unwrap_or(of_value);
        for input in [x, of_value, of_key] {
            if cx.graph.shape(input).rank() != 3 {
                return Err(bad_input(self.kind, "a sequence of vectors [length, width]", cx.graph.shape(input)));
            }
        }
        let mismatch = |cx: &LayerCx, left: NodeId, right: NodeId| {
            let (left, right) = (cx.graph.shape(left), cx.graph.shape(right));
            Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &self.kind), ("left", left), ("right", right)]))
        };
        if cx.graph.shape(of_value)[..2] != cx.graph.shape(of_key)[..2] {
            return mismatch(cx, of_key, of_value);
        }
        let (batch, length, width) = (cx.graph.shape(x)[0], cx.graph.shape(x)[1], cx.graph.shape(x)[2]);
        let (heads, kept, (key_name, key_dim)) = (self.heads, self.heads / self.shared_by, self.key_dim);
        let mut query = self.heads(cx, "query", x, [heads, key_dim])?;
        let mut key = self.heads(cx, "key", of_key, [kept, key_dim])?;
        let value = self.heads(cx, "value", of_value, [kept, self.value_dim])?;
        if let Some(wavelength) = self.rope_max_wavelength {
            // Queries and keys are turned by one and the same positions.
            if cx.graph.shape(of_key)[1] != length {
                return mismatch(cx, x, of_key);
            }
            let rotary = Rotary::new(cx, key_name, [length, key_dim], wavelength)?;
            query = rotary.turn(cx, query, "turned_query")?;
            key = rotary.turn(cx, key, "turned_key")?;
        }
        let (key, value) = (cx.kept("keys", key)?, cx.kept("values", value)?);

        let scaled = cx.graph.scale(query, 1.0 / (key_dim as f32).sqrt())?;
        let mut scores = self.by_group(cx, scaled, key, true)?;
        cx.name(scores, "scores");
        if self.causal {
            // Twice as far down as padding: where that is all that a position may see, it still sees nothing behind itself.
            scores = cx.causal(scores, 2.0 * HIDDEN)?;
            cx.name(scores, "masked_scores");
        }
        if let Some(mask) = cx.mask_of(of_value) {
            let hidden = hidden(cx, mask)?;
            scores = cx.graph.add(scores, hidden)?;
            cx.name(scores, "scores_without_padding");
        }
        let mut weights = cx.graph.softmax(scores)?;
        cx.name(weights, "attention_weights");
        if cx.mode == Mode::Train && self.dropout > 0.0 {
            let rate = cx.graph.scalar(&format!("dropout:{}", cx.name), self.dropout as f32);
            weights = cx.graph.dropout(weights, rate)?;
        }
        let attended = self.by_group(cx, weights, value, false)?;
        cx.name(attended, "attended");

        let side_by_side = cx.graph.transpose(attended, &[0, 2, 1, 3])?;
        let joined = cx.graph.reshape(side_by_side, [batch, length, heads * self.value_dim])?;
        let kernel = cx.parameter("attention_output.kernel", &[heads, self.value_dim, width], self.output, self.kernel.1)?;
        let kernel = cx.graph.reshape(kernel, [heads * self.value_dim, width])?;
        let product = cx.graph.matmul(joined, kernel, false, false)?;
        self.biased(cx, "attention_output", product, &[width])
    }

    /// x W + b for all heads, which become an axis behind the batch: `[N, T, C]` -> `[N, heads, T, dim]`.
    fn heads(&self, cx: &mut LayerCx, role: &str, x: NodeId, [heads, dim]: [usize; 2]) -> Result<NodeId> {
        let &[batch, length, width] = &cx.graph.shape(x)[..] else { return Ok(x) };
        let kernel = cx.parameter(&format!("{role}.kernel"), &[width, heads, dim], self.kernel.0, self.kernel.1)?;
        let kernel = cx.graph.reshape(kernel, [width, heads * dim])?;
        let product = cx.graph.matmul(x, kernel, false, false)?;
        let sum = self.biased(cx, role, product, &[heads, dim])?;
        let split = cx.graph.reshape(sum, [batch, length, heads, dim])?;
        let projected = cx.graph.transpose(split, &[0, 2, 1, 3])?;
        cx.name(projected, role);
        Ok(projected)
    }

    /// The product of each head of `[N, heads, T, D]` with the head of `[N, fewer, ...]` that serves it.
    fn by_group(&self, cx: &mut LayerCx, all: NodeId, kept: NodeId, transposed: bool) -> Result<NodeId> {
        if self.shared_by == 1 {
            return cx.graph.matmul(all, kept, false, transposed);
        }
        let (&[batch, heads, rows, columns], &[_, groups, length, dim]) = (&cx.graph.shape(all)[..], &cx.graph.shape(kept)[..]) else {
            return Ok(all);
        };
        let all = cx.graph.reshape(all, [batch, groups, self.shared_by, rows, columns])?;
        let kept = cx.graph.reshape(kept, [batch, groups, 1, length, dim])?;
        let product = cx.graph.matmul(all, kept, false, transposed)?;
        cx.graph.reshape(product, [batch, heads, rows, if transposed { length } else { dim }])
    }

    fn biased(&self, cx: &mut LayerCx, role: &str, x: NodeId, shape: &[usize]) -> Result<NodeId> {
        if !self.use_bias {
            return Ok(x);
        }
        let bias = cx.parameter(&format!("{role}.bias"), shape, self.bias.0, self.bias.1)?;
        let bias = cx.graph.reshape(bias, [shape.iter().product::<usize>()])?;
        cx.graph.add(x, bias)
    }
}
