//! Training steps: which rows come next, submitting them, and their metrics.

use std::future::Future;
use std::pin::Pin;

use super::Session;
use super::session::TRAIN;
use crate::backend::{Backend, Feed, RING};
use crate::data::{self, Split, epoch_order, random_windows};
use crate::error::Result;
use crate::graph::NodeId;
use crate::nn::Built;

/// Loss and numbers of right answers of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepMetrics {
    /// Mean loss over the batch, with regularisers.
    pub loss: f32,
    /// Right answers in the batch, where the task is classification.
    pub correct: Option<f32>,
    /// Examples that were answered right at every position, where answers are sequences with an end.
    pub exact: Option<f32>,
    /// In a game, where `loss` is the discriminator's: the generator's loss, and the mean answers to the data and to what was generated.
    pub game: Option<[f32; 3]>,
    /// Examples in the batch.
    pub examples: usize,
}

impl StepMetrics {
    /// From the values of [`metrics`].
    pub(super) fn of(values: &[f32], examples: usize) -> Self {
        let loss = values.first().copied().unwrap_or(f32::NAN);
        match *values {
            [_, generator, real, fake] => Self { loss, correct: None, exact: None, game: Some([generator, real, fake]), examples },
            _ => Self { loss, correct: values.get(1).copied(), exact: values.get(2).copied(), game: None, examples },
        }
    }

    /// Share of right answers over some steps, and share of the examples that were answered right everywhere.
    pub fn shares(metrics: &[Self]) -> [Option<f32>; 2] {
        let examples: usize = metrics.iter().map(|metrics| metrics.examples).sum();
        let share = |of: fn(&Self) -> Option<f32>| {
            let right: Option<f32> = metrics.iter().map(of).sum();
            right.filter(|_| examples > 0).map(|right| right / examples as f32)
        };
        [share(|metrics| metrics.correct), share(|metrics| metrics.exact)]
    }
}

/// Metrics of steps that were submitted: waiting for them does not hold the session.
pub struct Pending {
    /// What a team brought, which is there at once.
    known: Vec<StepMetrics>,
    parts: Vec<Draining>,
}

/// Steps of one batch size whose metrics are on their way.
struct Draining {
    batch: usize,
    steps: usize,
    /// Numbers a step.
    width: usize,
    metrics: Pin<Box<dyn Future<Output = Result<Vec<f32>>>>>,
}

impl<B: Backend> Session<B> {
    /// Takes note of losses, to know what is usual.
    pub(super) fn note_losses(&mut self, metrics: &[StepMetrics]) {
        const MOST: usize = 20;
        self.recent.extend(metrics.iter().map(|metrics| metrics.loss));
        self.recent.drain(..self.recent.len().saturating_sub(MOST));
    }

    /// Mean loss of the last steps, if there were any.
    pub(super) fn usual_loss(&self) -> Option<f32> {
        (!self.recent.is_empty()).then(|| self.recent.iter().sum::<f32>() / self.recent.len() as f32)
    }

    /// Rows of the next batch.
    pub(super) fn next_rows(&mut self) -> Vec<u32> {
        let count = self.count(Split::Train);
        let step = self.data.train.step;
        if self.shuffle && step > 1 {
            // Examples are windows of one long row: they begin anywhere.
            let beginnings = self.data.train.row(count.saturating_sub(1)) + 1;
            return random_windows(self.settings.batch_size, beginnings, self.settings.seed, self.step as u32);
        }
        let wanted = (self.epoch, self.shuffle);
        let order = match self.order.take() {
            Some((epoch, shuffle, order)) if (epoch, shuffle) == wanted => order,
            _ => epoch_order(count, self.settings.seed, self.epoch, self.shuffle),
        };
        let end = (self.position + self.settings.batch_size).min(count);
        let rows = order[self.position..end].iter().map(|&example| self.data.train.row(example as usize) as u32).collect();
        self.order = Some((self.epoch, self.shuffle, order));
        rows
    }

    /// Submits up to `most` training steps, to the end of the epoch at the furthest. Waiting for their metrics is the caller's business.
    pub async fn submit(&mut self, most: usize) -> Result<Pending> {
        if self.team.is_some() {
            let known = self.lead(most).await?;
            // A team that broke before its first step: this worker goes on alone.
            if !known.is_empty() || self.team.is_some() {
                return Ok(Pending { known, parts: Vec::new() });
            }
        }
        let mut parts: Vec<(usize, usize)> = Vec::new();
        let submitted = self.submit_steps(most, &mut parts).await;
        // Drained even after an error, or the metrics would be taken for the next run's.
        let mut pending = Pending { known: Vec::new(), parts: Vec::new() };
        for (batch, steps) in parts {
            if let Some(compiled) = self.train.get_mut(&batch) {
                let width = metrics(&compiled.built).len();
                let future = self.backend.drain(&mut compiled.exec);
                pending.parts.push(Draining { batch, steps, width, metrics: Box::pin(future) });
            }
        }
        submitted.map(|()| pending)
    }

    async fn submit_steps(&mut self, most: usize, parts: &mut Vec<(usize, usize)>) -> Result<()> {
        for _ in 0..most.min(RING) {
            let rows = self.next_rows();
            let batch = rows.len();
            self.prepare(batch).await?;
            self.last_rows.clone_from(&rows);
            self.run_step(batch, Feed::Rows { part: TRAIN, rows })?;
            match parts.last_mut() {
                Some((size, steps)) if *size == batch => *steps += 1,
                _ => parts.push((batch, 1)),
            }
            if self.advance_position(batch) {
                break;
            }
        }
        Ok(())
    }

    /// Compiles the training step for so many examples, if it is not there yet.
    pub(super) async fn prepare(&mut self, batch: usize) -> Result<()> {
        if !self.train.contains_key(&batch) {
            let built = self.training_graph(batch)?;
            let compiled = self.compile_training(built).await?;
            self.train.insert(batch, compiled);
        }
        Ok(())
    }

    /// So many examples more are done; whether that ends the epoch.
    pub(super) fn advance_position(&mut self, examples: usize) -> bool {
        self.position += examples;
        let ended = self.position >= self.count(Split::Train);
        if ended {
            (self.epoch, self.position) = (self.epoch + 1, 0);
        }
        ended
    }

    fn run_step(&mut self, batch: usize, feed: Feed) -> Result<()> {
        let Some(mut compiled) = self.train.remove(&batch) else { return Ok(()) };
        let data = self.step_data(&compiled.built, feed);
        let range = 0..compiled.plan.steps.len();
        let done = self.backend.run(&mut compiled.exec, &data, range);
        self.train.insert(batch, compiled);
        done?;
        self.step += 1;
        self.team_is_behind = true;
        Ok(())
    }

    /// One training step on examples from outside; returns its loss. They must be as many as a batch.
    pub async fn train_batch(&mut self, x: &[f32], y: &[f32]) -> Result<f32> {
        let batch = self.settings.batch_size;
        let Some(compiled) = self.train.get(&batch) else { return Ok(f32::NAN) };
        let classes = self.classes(&compiled.built);
        if classes > 0 && (y.len() == batch || self.settings.loss.takes_classes()) {
            data::Column::floats(&[], y.to_vec()).check_labels(classes)?;
        }
        let Some(compiled) = self.train.get_mut(&batch) else { return Ok(f32::NAN) };
        self.backend.write_input(&mut compiled.exec, 0, x)?;
        self.backend.write_input(&mut compiled.exec, 1, y)?;
        self.history.lose(self.step);
        self.run_step(batch, Feed::Kept)?;
        let Some(compiled) = self.train.get_mut(&batch) else { return Ok(f32::NAN) };
        let metrics = self.backend.drain(&mut compiled.exec).await?;
        Ok(metrics.first().copied().unwrap_or(f32::NAN))
    }
}

/// The nodes whose values are kept for every step: the loss, and the numbers of right answers where there are such; in a game what
/// [`StepMetrics::game`] holds.
pub(super) fn metrics(built: &Built) -> Vec<NodeId> {
    let game = built.game.into_iter().flat_map(|game| [game.loss, game.answers[0], game.answers[1]]);
    built.loss.into_iter().chain(built.correct).chain(built.exact).chain(game).collect()
}

impl Pending {
    /// The metrics of each step, in order.
    pub async fn wait(self) -> Result<Vec<StepMetrics>> {
        let mut all = self.known;
        for Draining { batch: examples, steps, width, metrics } in self.parts {
            let mut values = metrics.await?;
            // Only the newest: steps of a run that failed may stand before them.
            values.drain(..values.len().saturating_sub(steps * width));
            all.extend(values.chunks_exact(width.max(1)).map(|values| StepMetrics::of(values, examples)));
        }
        Ok(all)
    }
}
