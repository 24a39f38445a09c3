//! A call of `train`: takes a session on by chunks of a few steps, evaluates at the ends of epochs, and stops where it should.

use std::collections::VecDeque;

use super::pace::Pace;
use super::step::{Pending, StepMetrics};
use super::{Evaluation, Evaluator, Session};
use crate::backend::Backend;
use crate::data::Split;
use crate::error::{Error, ErrorCode, Result};

/// How long to train.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Steps to take, or
    pub steps: Option<usize>,
    /// epochs to finish; the current one counts from where it stands.
    pub epochs: Option<usize>,
    /// Shuffle the examples each epoch.
    pub shuffle: bool,
    /// Evaluate the validation and the test part after each epoch.
    pub evaluate: bool,
    /// Stop when the validation loss (the training loss where nothing is held out) has not fallen for so many epochs.
    pub early_stopping: Option<usize>,
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunResult {
    /// Loss of each step.
    pub losses: Vec<f32>,
    /// Share of right answers, where the task is classification.
    pub accuracy: Option<f32>,
    /// Mean wall time of a step, evaluations left out.
    pub ms_per_step: f32,
    /// Whether it was stopped before its end.
    pub stopped: bool,
}

/// An epoch that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochEnd {
    /// Epochs done.
    pub epoch: usize,
    /// On what was held out.
    pub validation: Option<Evaluation>,
    /// On the test part.
    pub test: Option<Evaluation>,
}

/// What an advance brought.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Metrics that arrived, step by step.
    pub metrics: Vec<StepMetrics>,
    /// The epoch that ended.
    pub epoch: Option<EpochEnd>,
    /// Whether the run is over.
    pub done: bool,
}

/// A run under way.
pub struct Run {
    options: RunOptions,
    steps_left: usize,
    /// Number of the first step.
    first: usize,
    /// Steps submitted.
    taken: usize,
    pace: Pace,
    pending: VecDeque<(Pending, usize)>,
    ending: Option<Ending>,
    best: (f32, usize),
    epoch_loss: (f64, usize),
    /// Of every step that was waited for.
    metrics: Vec<StepMetrics>,
    stopped: bool,
    training_ms: f64,
}

/// The evaluations at the end of an epoch.
struct Ending {
    waiting: VecDeque<Split>,
    current: Option<(Split, Evaluator)>,
    end: EpochEnd,
}

/// Chunks in flight.
const IN_FLIGHT: usize = 2;

impl Run {
    /// A run of that length; none of both is one epoch.
    pub fn new<B: Backend>(session: &mut Session<B>, options: RunOptions) -> Result<Self> {
        let per_epoch = session.steps_per_epoch();
        let count = session.count(Split::Train);
        let rest_of_epoch = (count - session.position.min(count)).div_ceil(session.settings.batch_size);
        let steps_left = match (options.steps, options.epochs) {
            (Some(steps), _) => steps,
            (None, Some(0)) => 0,
            (None, epochs) => (epochs.unwrap_or(1) - 1).saturating_mul(per_epoch).saturating_add(rest_of_epoch),
        };
        if session.shuffle != options.shuffle {
            session.shuffle = options.shuffle;
            session.history.changed = true;
        }
        Ok(Self {
            options,
            steps_left,
            first: session.step,
            taken: 0,
            pace: Pace::new(),
            pending: VecDeque::new(),
            ending: None,
            best: (f32::INFINITY, 0),
            epoch_loss: (0.0, 0),
            metrics: Vec::new(),
            stopped: false,
            training_ms: 0.0,
        })
    }

    /// Steps that were submitted and not waited for yet.
    pub fn in_flight(&self) -> usize {
        self.pending.iter().map(|(_, steps)| steps).sum()
    }

    /// Steps still to take.
    pub fn steps_left(&self) -> usize {
        self.steps_left
    }

    /// The part that is evaluated at the end of an epoch, and how many of its examples are done.
    pub fn evaluating(&self) -> Option<(Split, usize)> {
        let (split, evaluator) = self.ending.as_ref()?.current.as_ref()?;
        Some((*split, evaluator.done()))
    }

    /// Takes one chunk of steps, or one batch of an evaluation. `now` tells the time in milliseconds.
    pub async fn advance<B: Backend>(&mut self, session: &mut Session<B>, now: impl Fn() -> f64) -> Result<Status> {
        if self.ending.is_some() {
            return self.evaluate(session).await;
        }
        let start = now();
        let mut status = Status::default();
        let mut ended = false;
        session.remember_if_due(&now).await?;
        if self.steps_left > 0 {
            let (step, epoch) = (session.step, session.epoch);
            let pending = session.submit(self.pace.steps().min(self.steps_left)).await?;
            let taken = session.step - step;
            self.steps_left -= taken;
            self.taken += taken;
            self.pending.push_back((pending, taken));
            ended = session.epoch > epoch;
        }
        let submitted = now();
        let taken = self.pending.back().map_or(0, |(_, steps)| *steps);
        let finish = ended || self.steps_left == 0;
        let mut waited = 0;
        while self.pending.len() >= IN_FLIGHT || (finish && !self.pending.is_empty()) {
            let Some((pending, steps)) = self.pending.pop_front() else { break };
            let metrics = pending.wait().await?;
            waited += steps;
            self.take(&metrics)?;
            session.note_losses(&metrics);
            status.metrics.extend(metrics);
        }
        let (submitting, waiting) = (submitted - start, now() - submitted);
        self.training_ms += submitting + waiting;
        // A CPU works while it submits, a GPU while it is waited for.
        match submitting > waiting {
            true => self.pace.fit(submitting, taken),
            false => self.pace.fit(waiting, waited),
        }
        if ended {
            self.begin_ending(session, &mut status)?;
        }
        status.done = self.steps_left == 0 && self.ending.is_none();
        Ok(status)
    }

    fn take(&mut self, metrics: &[StepMetrics]) -> Result<()> {
        for metric in metrics {
            self.metrics.push(*metric);
            self.epoch_loss = (self.epoch_loss.0 + f64::from(metric.loss), self.epoch_loss.1 + 1);
            if !metric.loss.is_finite() {
                let step = self.first + self.metrics.len();
                return Err(Error::new(ErrorCode::NotFinite, &[("what", &"loss"), ("value", &metric.loss), ("step", &step)]));
            }
        }
        Ok(())
    }

    fn begin_ending<B: Backend>(&mut self, session: &Session<B>, status: &mut Status) -> Result<()> {
        let wanted = [Split::Validation, Split::Test].into_iter();
        let needed = |split: &Split| {
            let early = self.options.early_stopping.is_some() && *split == Split::Validation;
            (self.options.evaluate || early) && session.count(*split) > 0
        };
        let waiting: VecDeque<Split> = wanted.filter(needed).collect();
        let end = EpochEnd { epoch: session.epoch, validation: None, test: None };
        if waiting.is_empty() {
            self.judge(&end);
            status.epoch = Some(end);
        } else {
            self.ending = Some(Ending { waiting, current: None, end });
        }
        Ok(())
    }

    async fn evaluate<B: Backend>(&mut self, session: &mut Session<B>) -> Result<Status> {
        let mut status = Status::default();
        let Some(mut ending) = self.ending.take() else { return Ok(status) };
        if ending.current.is_none() {
            ending.current = match ending.waiting.pop_front() {
                Some(split) => Some((split, Evaluator::new(session, split)?)),
                None => None,
            };
        }
        match &mut ending.current {
            Some((split, evaluator)) => {
                if let Some(evaluation) = evaluator.advance(session).await? {
                    match split {
                        Split::Validation => ending.end.validation = Some(evaluation),
                        Split::Train | Split::Test => ending.end.test = Some(evaluation),
                    }
                    ending.current = None;
                }
            }
            None => {
                self.judge(&ending.end);
                status.epoch = Some(ending.end);
                status.done = self.steps_left == 0;
                return Ok(status);
            }
        }
        self.ending = Some(ending);
        Ok(status)
    }

    /// Early stopping.
    fn judge(&mut self, end: &EpochEnd) {
        let training = (self.epoch_loss.0 / self.epoch_loss.1.max(1) as f64) as f32;
        self.epoch_loss = (0.0, 0);
        let loss = end.validation.as_ref().map_or(training, |evaluation| evaluation.loss);
        if loss < self.best.0 {
            self.best = (loss, 0);
        } else {
            self.best.1 += 1;
        }
        if self.options.early_stopping.is_some_and(|patience| self.best.1 >= patience.max(1)) {
            self.stopped = self.steps_left > 0;
            self.steps_left = 0;
        }
    }

    /// Ends the run before its time: waits for what was submitted. Gives the metrics that came late, and the epoch whose evaluation was cut off,
    /// with what there is of it.
    pub async fn stop(&mut self) -> Result<(Vec<StepMetrics>, Option<EpochEnd>)> {
        self.give_up();
        let mut late = Vec::new();
        while let Some((pending, _)) = self.pending.pop_front() {
            late.extend(pending.wait().await?);
        }
        self.take(&late)?;
        Ok((late, self.ending.take().map(|ending| ending.end)))
    }

    /// Marks the run as ended before its time.
    pub fn give_up(&mut self) {
        self.stopped = true;
        self.steps_left = 0;
    }

    /// Goes on with another session that stands at an earlier step of the same training: what was in flight is gone, the steps that were lost are
    /// taken again.
    pub fn resume_from<B: Backend>(&mut self, session: &mut Session<B>) {
        session.shuffle = self.options.shuffle;
        self.pending.clear();
        let end = self.first + self.taken + self.steps_left;
        if session.step < self.first + self.taken {
            self.ending = None;
        }
        self.first = self.first.min(session.step);
        self.taken = session.step - self.first;
        self.steps_left = end.saturating_sub(session.step);
        self.metrics.truncate(self.taken);
        self.epoch_loss = (0.0, 0);
    }

    /// What the run did.
    pub fn result(self) -> RunResult {
        let steps = self.metrics.len().max(1) as f64;
        let [accuracy, _] = StepMetrics::shares(&self.metrics);
        RunResult {
            accuracy,
            ms_per_step: (self.training_ms / steps) as f32,
            stopped: self.stopped,
            losses: self.metrics.into_iter().map(|metric| metric.loss).collect(),
        }
    }
}

impl<B: Backend> Session<B> {
    /// Runs to the end without a driver: for programs and tests.
    pub async fn run(&mut self, options: RunOptions, now: impl Fn() -> f64) -> Result<(RunResult, Vec<EpochEnd>)> {
        let mut run = Run::new(self, options)?;
        let mut epochs = Vec::new();
        loop {
            let status = run.advance(self, &now).await?;
            epochs.extend(status.epoch);
            if status.done {
                return Ok((run.result(), epochs));
            }
        }
    }
}
