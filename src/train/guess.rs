//! Guessing hidden tokens.

use super::Session;
use super::generate::{Candidate, GenerateOptions};
use crate::backend::Backend;
use crate::error::{Error, ErrorCode, Result};

impl<B: Backend> Session<B> {
    /// What the model makes of the tokens `x` of one example whose positions `hidden` it does not see: for each of these the likeliest tokens with their
    /// probabilities. An error where the model has not learned to guess, or a position is beyond the example.
    pub async fn guesses(&mut self, x: &[f32], hidden: &[usize], candidates: usize) -> Result<Vec<Vec<Candidate>>> {
        let (length, vocabulary) = self.language_model(false)?;
        let mask = self.settings.model.mask_token().ok_or_else(|| {
            let reason = "no layer of the model hides tokens";
            Error::new(ErrorCode::WrongState, &[("what", &"guesses"), ("reason", &reason)])
        })?;
        if x.len() != length {
            return Err(Error::new(ErrorCode::WrongLength, &[("what", &"guesses"), ("expected", &length), ("got", &x.len())]));
        }
        let mut seen = x.to_vec();
        for &position in hidden {
            let beyond = || super::session::bad("hidden", &format!("positions below {length}"), &position);
            *seen.get_mut(position).ok_or_else(beyond)? = mask as f32;
        }
        let scores = self.predict(&seen).await?;
        let options = GenerateOptions { tokens: 1, temperature: 1.0, top_k: None, top_p: None, seed: 0, candidates };
        hidden
            .iter()
            .map(|&position| self.logits_at(&scores, vocabulary, position).map(|logits| self.candidates(&options, &logits)))
            .collect()
    }
}
