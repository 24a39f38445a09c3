//! What comes after some tokens, by one position's work where the keys and values of those before it are kept.

use super::Session;
use super::session::Compiled;
use crate::backend::{Backend, Feed};
use crate::error::Result;
use crate::graph::Group;
use crate::nn::{self, TOKENS};
use crate::plan::Mode;

/// Two plans that keep keys and values, and what they kept.
pub(super) struct Decoder<B: Backend> {
    /// For one position, and for a whole window.
    plans: Vec<Compiled<B>>,
    /// Tokens whose keys and values are kept.
    tokens: Vec<u32>,
    /// [`Backend::changes`] when they were made.
    changes: usize,
}

impl<B: Backend> Session<B> {
    /// Scores of what comes after the last of some tokens, not more than a window holds, of a model that [`nn::ModelSpec::decodes`]. Only the last one
    /// is worked on where the others are those of the call before, or begin them, and no weight has changed since.
    pub(super) async fn scores_after(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        let mut decoder = match self.decoder.take() {
            Some(decoder) => decoder,
            None => self.new_decoder().await?,
        };
        let scores = self.decode(&mut decoder, tokens).await;
        self.decoder = Some(decoder);
        scores
    }

    async fn new_decoder(&mut self) -> Result<Decoder<B>> {
        let mut plans = Vec::with_capacity(2);
        for mode in [nn::Mode::Decode, nn::Mode::Prefill] {
            let built = nn::build(&self.settings.model, 1, mode, None)?;
            self.backend.allocate(&[(Group::Cache, built.graph.flat_len(Group::Cache))])?;
            let output = [built.output];
            plans.push(self.compile(built, Mode::Train, &output, &[]).await?);
        }
        Ok(Decoder { plans, tokens: Vec::new(), changes: 0 })
    }

    /// All scores of the plan that ran: of one position, or of the whole window.
    async fn decode(&mut self, decoder: &mut Decoder<B>, tokens: &[u32]) -> Result<Vec<f32>> {
        let before = &tokens[..tokens.len().saturating_sub(1)];
        let kept = !before.is_empty() && decoder.tokens.starts_with(before) && decoder.changes == self.backend.changes();
        let read = if kept { &tokens[before.len()..] } else { tokens };
        let compiled = &mut decoder.plans[usize::from(!kept)];
        let (graph, output) = (&compiled.built.graph, compiled.built.output);
        // What stands behind the tokens is not seen.
        let mut x: Vec<f32> = read.iter().map(|&token| token as f32).collect();
        x.resize(graph.shape(compiled.built.x).numel(), 0.0);
        let mut data = self.step_data(&compiled.built, Feed::Kept);
        let numbers = graph.scalars().iter().position(|(name, _)| name == TOKENS);
        if let Some(number) = numbers.and_then(|index| data.scalars.get_mut(index)) {
            *number = tokens.len() as f32;
        }
        decoder.tokens.clear();
        self.backend.write_input(&mut compiled.exec, 0, &x)?;
        self.backend.run(&mut compiled.exec, &data, 0..compiled.plan.steps.len())?;
        (decoder.tokens, decoder.changes) = (tokens.to_vec(), self.backend.changes());
        let scores = self.value_of(compiled, &data, output).await?;
        let width = scores.len() / x.len();
        Ok(scores[(read.len() - 1) * width..][..width].to_vec())
    }
}
