//! Hiding tokens, to learn to guess them.

use super::{Build, bad_input, positive};
use crate::error::Result;
use crate::fields::{out_of_range, spec};
use crate::graph::NodeId;
use crate::nn::build::LayerCx;
use crate::ops::mask_tokens::MaskTokens;
use crate::tensor::DType;

/// The scalar of a graph that says which share of tokens is not hidden: `"unmasked:<layer>"`.
pub const UNMASKED: &str = "unmasked";

spec! {
    /// Hides a share of the tokens, at random, in training as in evaluation: `[N, T]` -> `[N, T]`. Most of those become a token of their own, some
    /// any other, some stay as they are (KerasHub's `MaskedLMMaskGenerator`; Devlin et al. 2019). A loss with `target: "input"` counts only
    /// what was hidden. Training draws anew at each step, evaluation always the same; what is predicted of examples from outside hides nothing.
    pub struct MaskedLMMaskGenerator: New {
        /// Tokens of the data are below it.
        vocabulary_size: usize;
        /// The token that stands for a hidden one; the embedding behind has a row for it.
        mask_token_id: usize;
        /// Share of the tokens that is hidden.
        mask_selection_rate: f64 = 0.15;
        /// Tokens that are never hidden, such as padding.
        unselectable_token_ids: Vec<usize> = vec![0];
        /// Share of the hidden ones that `mask_token_id` stands for.
        mask_token_rate: f64 = 0.8;
        /// Share of the hidden ones that another token stands for: any of the vocabulary but the first ones, where these are not selectable.
        random_token_rate: f64 = 0.1;
    }
}

impl MaskedLMMaskGenerator {
    fn check(&self) -> Result<()> {
        positive(&[("vocabulary_size", self.vocabulary_size)])?;
        let shares = [("mask_selection_rate", self.mask_selection_rate), ("mask_token_rate", self.mask_token_rate)];
        let random = ("random_token_rate", self.random_token_rate);
        if let Some((name, share)) = shares.into_iter().chain([random]).find(|(_, share)| !(0.0..=1.0).contains(share)) {
            return Err(out_of_range(name, "between 0 and 1", share));
        }
        match self.mask_token_rate + self.random_token_rate {
            sum if sum > 1.0 + 1e-9 => Err(out_of_range("random_token_rate", "at most 1 − mask_token_rate", self.random_token_rate)),
            _ => Ok(()),
        }
    }

    /// How many tokens are not selectable, if they are the first ones.
    fn lowest(&self) -> Option<usize> {
        let first = self.unselectable_token_ids.len();
        let lowest = (0..first).all(|token| self.unselectable_token_ids.contains(&token));
        (lowest && (1..self.vocabulary_size).contains(&first)).then_some(first)
    }

    /// 1 for each token that may be hidden.
    fn words(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        if let Some(first) = self.lowest() {
            let last = cx.graph.constant((first - 1) as f32);
            return cx.graph.greater(x, last);
        }
        let one = cx.graph.constant(1.0);
        let shape = cx.graph.shape(x).clone();
        let mut words = cx.graph.broadcast_to(one, shape)?;
        for &token in &self.unselectable_token_ids {
            let token = cx.graph.constant(token as f32);
            let is_token = cx.graph.equal(x, token)?;
            words = cx.graph.sub(words, is_token)?;
        }
        Ok(words)
    }
}

impl Build for MaskedLMMaskGenerator {
    fn reads_tokens(&self) -> bool {
        true
    }

    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        self.check()?;
        let shape = cx.graph.shape(x).clone();
        if cx.graph.node(x).meta.dtype != DType::Index || shape.rank() != 2 {
            return Err(bad_input("MaskedLMMaskGenerator", "tokens, which only the model's input is", &shape));
        }
        let words = self.words(cx, x)?;
        cx.name(words, "words");
        let unmasked = cx.graph.scalar(&format!("{UNMASKED}:{}", cx.name), (1.0 - self.mask_selection_rate) as f32);
        let drawn = cx.graph.dropout(words, unmasked)?;
        cx.name(drawn, "drawn");
        let zero = cx.graph.constant(0.0);
        let hidden = cx.graph.greater(drawn, zero)?;
        cx.name(hidden, "hidden");
        cx.hidden = Some(hidden);
        let mask = MaskTokens {
            stream: 0,
            mask: self.mask_token_id,
            mask_rate: self.mask_token_rate as f32,
            random_rate: self.random_token_rate as f32,
            first: self.lowest().unwrap_or(0),
            vocabulary: self.vocabulary_size,
        };
        cx.graph.mask_tokens(x, hidden, mask)
    }
}
