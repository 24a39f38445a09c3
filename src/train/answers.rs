//! What a model answers to a batch, of which a team takes shares: each worker runs the forward plan for its own, and all answers are put together.

use super::Session;
use super::evaluate::{Examples, Forward};
use super::team::{Asked, share};
use crate::backend::Backend;
use crate::error::Result;

/// Fewest examples of a share: below that calling the others takes longer than it saves.
const LEAST: usize = 8;

impl<B: Backend> Session<B> {
    /// Outputs, loss and right answers of a batch whose examples have one answer each.
    pub(super) async fn answers(&mut self, examples: Examples<'_>) -> Result<Forward> {
        if self.workers() > 1 && examples.count() >= LEAST * self.workers() {
            let (asked, x) = match examples {
                Examples::Rows { part, rows } => (Asked { part: Some(part), rows: rows.to_vec() }, &[][..]),
                Examples::Given { x, .. } => (Asked { part: None, rows: Vec::new() }, x),
            };
            if self.call(0, Some(asked), x).await? {
                match self.answer_together(examples).await {
                    Ok(Some(forward)) => return Ok(forward),
                    Ok(None) => {}
                    Err(error) => {
                        self.set_team(None);
                        return Err(error);
                    }
                }
            }
        }
        self.forward(examples, true).await
    }

    /// As one of the others.
    pub(super) async fn answer_along(&mut self, asked: &Asked, x: &[f32]) -> Result<()> {
        let examples = match asked.part {
            Some(part) => Examples::Rows { part, rows: &asked.rows },
            None => Examples::Given { x, width: self.example_width() },
        };
        self.answer_together(examples).await.map(drop)
    }

    /// This worker's share of the answers, and the others' beside it; none if the team broke.
    async fn answer_together(&mut self, examples: Examples<'_>) -> Result<Option<Forward>> {
        let Some((size, rank)) = self.team.as_ref().map(|team| (team.size(), team.rank())) else { return Ok(None) };
        let count = examples.count();
        let share = share(count, size, rank);
        let own = self.forward(examples.part(share.clone()), true).await?;
        let width = own.predictions.len() / share.len();
        let weight = share.len() as f32 / count as f32;
        let mut sums = vec![0.0; count * width];
        sums[share.start * width..share.end * width].copy_from_slice(&own.predictions);
        sums.extend([own.loss * weight, own.correct.unwrap_or(0.0)]);
        let Some(team) = &mut self.team else { return Ok(None) };
        if team.sum(&mut sums).is_err() {
            self.set_team(None);
            return Ok(None);
        }
        let metrics = sums.split_off(count * width);
        Ok(Some(Forward { predictions: sums, loss: metrics[0], correct: own.correct.map(|_| metrics[1]), exact: own.exact }))
    }
}
