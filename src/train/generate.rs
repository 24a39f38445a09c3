//! Going on with a text, and answering one: a model that tells of every position what comes next is asked for what comes after the last, again
//! and again.

use super::Session;
use super::session::bad;
use crate::backend::Backend;
use crate::data::{DataKind, END};
use crate::error::{Error, ErrorCode, Result};
use crate::tensor::{DType, Meta, Rng, falling_order};

asked! {
    /// How a text is gone on with, or answered.
    pub struct GenerateOptions {
        /// Tokens to add; an answer may end before.
        pub tokens: usize,
        /// Logits are divided by it before they become probabilities: below 1 the likely becomes likelier. At 0 the likeliest is always taken.
        pub temperature: f32,
        /// Only so many of the likeliest tokens may come.
        pub top_k: Option<usize>,
        /// Only the likeliest tokens may come whose probabilities make up this share together (Holtzman et al. 2020).
        pub top_p: Option<f32>,
        /// Seed of the draws: with the position it decides each, so that going on with what was generated gives the same as one call.
        pub seed: u32,
        /// Likeliest tokens that are told of each draw.
        pub candidates: usize,
    }
}

wire! {
    /// A token that came, and what else could have.
    pub struct Generated {
        /// The token.
        pub token: usize,
        /// What it stands for, where the data are a text.
        pub text: Option<String>,
        /// What the model gave it: softmax of the logits over the temperature.
        pub probability: f32,
        /// The likeliest, the likeliest first.
        pub candidates: Vec<Candidate>,
    }

    /// A token that could come.
    pub struct Candidate {
        /// The token.
        pub token: usize,
        /// What it stands for, where the data are a text.
        pub text: Option<String>,
        /// What the model gives it.
        pub probability: f32,
        /// With what probability it is drawn: 0 where `top_k` or `top_p` leave it out.
        pub chance: f32,
    }
}

/// Streams of random numbers from here on are draws, by the position in the text.
const DRAWS: u32 = 3 << 30;

/// Most tokens of one request, so that it ends.
const MOST: usize = 10_000;

/// A token with its probability, and the chance that `top_k` and `top_p` leave it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Outcome {
    token: usize,
    probability: f64,
    chance: f64,
}

impl GenerateOptions {
    fn check(&self) -> Result<()> {
        if self.tokens == 0 || self.tokens > MOST {
            return Err(bad("tokens", &format!("between 1 and {MOST}"), &self.tokens));
        }
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            return Err(bad("temperature", "a number of at least 0", &self.temperature));
        }
        if self.top_k == Some(0) {
            return Err(bad("top_k", "at least 1", &0));
        }
        match self.top_p {
            Some(share) if !(share > 0.0 && share <= 1.0) => Err(bad("top_p", "above 0 and at most 1", &share)),
            _ => Ok(()),
        }
    }

    /// Every token, the likeliest first; of equally likely ones the smaller.
    fn outcomes(&self, logits: &[f32]) -> Vec<Outcome> {
        let temperature = if self.temperature > 0.0 { f64::from(self.temperature) } else { 1.0 };
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f64> = logits.iter().map(|&logit| (f64::from(logit - most) / temperature).exp()).collect();
        let total: f64 = powers.iter().sum();
        let outcome = |token: usize| Outcome { token, probability: powers[token] / total, chance: 0.0 };
        let mut outcomes: Vec<Outcome> = falling_order(&powers).into_iter().map(outcome).collect();
        let among = if self.temperature > 0.0 { self.top_k.unwrap_or(usize::MAX).min(outcomes.len()) } else { 1 };
        let share = self.top_p.map_or(1.0, f64::from);
        let mut so_far = 0.0;
        // The one that reaches the share is in; one comes always.
        let reached = outcomes[..among].iter().position(|outcome| {
            so_far += outcome.probability;
            so_far >= share
        });
        let kept = reached.map_or(among, |last| last + 1);
        let sum: f64 = outcomes[..kept].iter().map(|outcome| outcome.probability).sum();
        outcomes[..kept].iter_mut().for_each(|outcome| outcome.chance = outcome.probability / sum);
        outcomes
    }
}

/// The outcome that a number in [0, 1) falls to.
fn draw(outcomes: &[Outcome], number: f64) -> Outcome {
    let mut so_far = 0.0;
    let hit = outcomes.iter().find(|outcome| {
        so_far += outcome.chance;
        number < so_far
    });
    // Rounding may leave a crack at the end.
    hit.or(outcomes.iter().rfind(|outcome| outcome.chance > 0.0)).copied().unwrap_or(outcomes[0])
}

impl<B: Backend> Session<B> {
    /// Goes on with `prompt`. The model sees the last tokens, as many as its input holds; fewer than that stand at its beginning, with what a
    /// causal model does not see behind them. While they are not more, a token of a model that [`crate::nn::ModelSpec::decodes`] takes one position's
    /// work; later every token shifts the window, and with it the position of all others, so that the whole window runs. An empty prompt begins with token 0: in a text mostly the end of a line.
    pub async fn generate(&mut self, prompt: &[u32], options: &GenerateOptions) -> Result<Vec<Generated>> {
        self.write(None, prompt, options).await
    }

    /// Answers `source` after what the answer is so far, up to its end ([`END`], which is the last token then) or as long as a target can be. An
    /// error where the data are not pairs of texts, or the source is none that they could hold ([`crate::data::Dataset::encode_pair`]).
    pub async fn translate(&mut self, source: &str, so_far: &[u32], options: &GenerateOptions) -> Result<Vec<Generated>> {
        self.write(Some(source), so_far, options).await
    }

    /// Token by token, what comes behind others, or behind others in the answer to a source.
    pub async fn write(&mut self, source: Option<&str>, so_far: &[u32], options: &GenerateOptions) -> Result<Vec<Generated>> {
        options.check()?;
        let (context, vocabulary) = self.language_model(source.is_some())?;
        let mut tokens = if so_far.is_empty() && source.is_none() { vec![0] } else { so_far.to_vec() };
        if let Some(&token) = tokens.iter().find(|&&token| token as usize >= vocabulary) {
            let index = 0;
            return Err(Error::new(ErrorCode::TokenOutOfRange, &[("token", &token), ("index", &index), ("vocabulary", &vocabulary)]));
        }
        let mut generated = Vec::new();
        while generated.len() < options.tokens {
            let (scores, position) = match source {
                Some(_) if tokens.len() == context || tokens.last() == Some(&END) => break,
                Some(source) => {
                    let x = self.data.encode_pair(source, &tokens)?;
                    (self.predict(&x).await?, tokens.len())
                }
                None if tokens.len() <= context && self.settings.model.decodes() => (self.scores_after(&tokens).await?, 0),
                None => {
                    let window = &tokens[tokens.len().saturating_sub(context)..];
                    let mut x: Vec<f32> = window.iter().map(|&token| token as f32).collect();
                    x.resize(context, 0.0);
                    (self.predict(&x).await?, window.len() - 1)
                }
            };
            let logits = self.logits_at(&scores, vocabulary, position)?;
            let next = self.drawn(options, &logits, tokens.len());
            tokens.push(next.token as u32);
            generated.push(next);
        }
        Ok(generated)
    }

    /// The token that comes at a position with those logits, and those that could have come.
    fn drawn(&self, options: &GenerateOptions, logits: &[f32], position: usize) -> Generated {
        let outcomes = options.outcomes(logits);
        let number = f64::from(Rng::new(options.seed, DRAWS | position as u32).uniform());
        let Outcome { token, probability, .. } = draw(&outcomes, number);
        let candidates = self.told(&outcomes, options.candidates);
        Generated { token, text: self.text_of(token), probability: probability as f32, candidates }
    }

    /// The first so many outcomes, with their texts.
    fn told(&self, outcomes: &[Outcome], most: usize) -> Vec<Candidate> {
        let candidate = |&Outcome { token, probability, chance }: &Outcome| Candidate {
            token,
            text: self.text_of(token),
            probability: probability as f32,
            chance: chance as f32,
        };
        outcomes.iter().take(most).map(candidate).collect()
    }

    /// The likeliest tokens by their logits.
    pub(super) fn candidates(&self, options: &GenerateOptions, logits: &[f32]) -> Vec<Candidate> {
        self.told(&options.outcomes(logits), options.candidates)
    }

    fn text_of(&self, token: usize) -> Option<String> {
        match &self.data.documents {
            Some(documents) => documents.word(token as u32).map(str::to_owned),
            None if matches!(self.data.info.kind, DataKind::Text | DataKind::Pairs) => self.data.info.classes.get(token).cloned(),
            None => None,
        }
    }

    /// Length and vocabulary of a model that scores tokens at every position: of those that it reads, or of the targets that it answers with.
    pub(super) fn language_model(&self, answers: bool) -> Result<(usize, usize)> {
        let shapes = self.training().map(|compiled| {
            let graph = &compiled.built.graph;
            (&graph.node(compiled.built.x).meta, &graph.shape(compiled.built.output)[..])
        });
        let reads = |x: &Meta| if answers { self.data.lengths().map(|[_, target]| target) } else { x.shape.get(1).copied() };
        match shapes {
            Some((x, &[_, length, vocabulary])) if x.dtype == DType::Index && x.shape.rank() == 2 && reads(x) == Some(length) => {
                Ok((length, vocabulary))
            }
            _ => {
                let (what, reason) = match answers {
                    true => ("translate", "the model does not answer texts with texts"),
                    false => ("generate", "the model does not tell of every token what comes next"),
                };
                Err(Error::new(ErrorCode::WrongState, &[("what", &what), ("reason", &reason)]))
            }
        }
    }

    /// Logits (or logarithms of probabilities) at a position, of all scores that were predicted.
    pub(super) fn logits_at(&self, scores: &[f32], vocabulary: usize, position: usize) -> Result<Vec<f32>> {
        let from_logits = self.settings.loss.from_logits();
        let row = scores.chunks_exact(vocabulary).nth(position).unwrap_or_default();
        match row.iter().find(|score| !score.is_finite()) {
            Some(value) => Err(Error::new(ErrorCode::NotFinite, &[("what", &"a logit"), ("value", value), ("step", &self.step)])),
            None => Ok(row.iter().map(|&score| if from_logits { score } else { score.ln() }).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(temperature: f32, top_k: Option<usize>, top_p: Option<f32>) -> GenerateOptions {
        GenerateOptions { tokens: 1, temperature, top_k, top_p, seed: 0, candidates: 4 }
    }

    fn chances(temperature: f32, top_k: Option<usize>, top_p: Option<f32>) -> Vec<(usize, f64)> {
        // Probabilities 0.1, 0.4, 0.3 and 0.2 at temperature 1.
        let logits = [0.1f32, 0.4, 0.3, 0.2].map(f32::ln);
        let outcomes = options(temperature, top_k, top_p).outcomes(&logits);
        outcomes.iter().map(|outcome| (outcome.token, (outcome.chance * 1e4).round() / 1e4)).collect()
    }

    #[test]
    fn only_the_likeliest_may_come() {
        assert_eq!(chances(1.0, None, None), [(1, 0.4), (2, 0.3), (3, 0.2), (0, 0.1)]);
        assert_eq!(chances(1.0, Some(2), None), [(1, 0.5714), (2, 0.4286), (3, 0.0), (0, 0.0)]);
        assert_eq!(chances(1.0, None, Some(0.5)), [(1, 0.5714), (2, 0.4286), (3, 0.0), (0, 0.0)]);
        assert_eq!(chances(1.0, Some(3), Some(0.95)), [(1, 0.4444), (2, 0.3333), (3, 0.2222), (0, 0.0)]);
        assert_eq!(chances(1.0, None, Some(1e-6)), [(1, 1.0), (2, 0.0), (3, 0.0), (0, 0.0)]);
        assert_eq!(chances(0.0, None, None), [(1, 1.0), (2, 0.0), (3, 0.0), (0, 0.0)]);
        // Probabilities are squared and scaled at temperature ½: 0.01, 0.16, 0.09, 0.04 over 0.3.
        assert_eq!(chances(0.5, None, None), [(1, 0.5333), (2, 0.3), (3, 0.1333), (0, 0.0333)]);
    }

    #[test]
    fn a_number_falls_to_a_token_as_often_as_its_chance() {
        let outcomes = options(1.0, Some(3), None).outcomes(&[0.1f32, 0.4, 0.3, 0.2].map(f32::ln));
        let mut counts = [0; 4];
        (0..900).for_each(|i| counts[draw(&outcomes, (f64::from(i) + 0.5) / 900.0).token] += 1);
        assert_eq!(counts, [0, 400, 300, 200]);
        assert_eq!(draw(&outcomes, 1.0).token, 3, "rounding leaves nobody out");
    }
}
