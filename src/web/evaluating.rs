//! How far evaluations are, and those that were asked for: a batch at a time between requests, so that nothing waits for a whole one. A run that is under way does
//! wait: in the middle of an evaluation no parameter may change. A walk through a step may go on, since each batch is evaluated with the
//! parameters as they were before the step.

use super::answer::Desk;
use super::driving::PROGRESS_MS;
use super::js::{now, to_js};
use super::protocol::{Event, Request, WalkRequest};
use crate::data::Split;
use crate::error::{Error, ErrorCode, Result};
use crate::train::{Evaluator, Travel};

/// An evaluation under way.
pub(super) struct Evaluating {
    /// The request that it answers.
    id: u32,
    evaluator: Evaluator,
    clock: Clock,
}

/// Tells the page now and then how far an evaluation is.
pub(super) struct Clock {
    /// Which part is evaluated.
    pub split: Split,
    begun: f64,
    sent_at: f64,
}

impl Clock {
    pub fn new(split: Split) -> Self {
        Self { split, begun: now(), sent_at: now() }
    }

    /// What the page is to hear, if it is time.
    pub fn event(&mut self, done: usize, total: usize) -> Option<Event> {
        let time = now();
        if time - self.sent_at < PROGRESS_MS {
            return None;
        }
        self.sent_at = time;
        let seconds_left = ((time - self.begun) / 1000.0) as f32 * (total - done) as f32 / done.max(1) as f32;
        Some(Event::Evaluating { split: self.split, done, total, seconds_left })
    }
}

/// Whether a walk's request leaves the parameters as they were before its step, which they are given back for each batch of an evaluation.
fn stays_in_step(request: &WalkRequest) -> bool {
    match request {
        WalkRequest::Open { .. }
        | WalkRequest::OpenScratch { .. }
        | WalkRequest::Travel { travel: Travel::To { .. }, .. }
        | WalkRequest::Read { .. }
        | WalkRequest::Explain { .. }
        | WalkRequest::Nudge { .. }
        | WalkRequest::Why { .. }
        | WalkRequest::Optimizer { .. }
        | WalkRequest::Stop
        | WalkRequest::Close => true,
        WalkRequest::Travel { travel: Travel::Batches { .. } | Travel::Epochs { .. }, .. } | WalkRequest::Edit { .. } => false,
    }
}

/// Whether a request leaves the parameters as they are, and so may come between two batches of an evaluation.
pub(super) fn only_looks(request: &Request) -> bool {
    use Request::{
        Activations, Attribute, Augment, Backends, Cell, Datasets, Describe, Documents, Evaluate, Examples, Frame, Generate, GetParameter,
        Guess, Health, Landscape, Memory, Nodes, Parameters, Pin, Predict, Presets, Rates, Read, Sample, Scratch, Snapshot, Stop,
        Tokenization, Train, Vocabulary, Watch,
    };
    matches!(
        request,
        Backends
            | Presets
            | Datasets
            | Describe { .. }
            | Augment { .. }
            | Rates { .. }
            | Parameters
            | GetParameter { .. }
            | Evaluate { .. }
            | Predict
            | Sample { .. }
            | Activations { .. }
            | Scratch { .. }
            | Cell { .. }
            | Health
            | Generate { .. }
            | Guess { .. }
            | Attribute { .. }
            | Landscape { .. }
            | Nodes
            | Read { .. }
            | Examples { .. }
            | Documents { .. }
            | Vocabulary
            | Tokenization { .. }
            | Pin { .. }
            | Watch { .. }
            | Frame
            | Snapshot
            | Memory
            | Stop
            | Train { .. }
    )
}

impl Desk {
    pub(super) fn begin_evaluation(&mut self, id: u32, split: Split) -> Result<()> {
        let evaluator = Evaluator::new(self.session()?, split)?;
        self.evaluations.push_back(Evaluating { id, evaluator, clock: Clock::new(split) });
        Ok(())
    }

    /// One batch of the evaluation that was asked for first.
    pub(super) async fn evaluate_on(&mut self) {
        let Some(mut current) = self.evaluations.pop_front() else { return };
        let result = match self.leave_walk(false).and_then(|()| self.session()) {
            Ok(session) => current.evaluator.advance(session).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(None) => {
                let total = self.session.as_ref().map_or(0, |session| session.count(current.clock.split));
                if let Some(event) = current.clock.event(current.evaluator.done(), total) {
                    self.post.event(&event, Vec::new());
                }
                self.evaluations.push_front(current);
            }
            Ok(Some(evaluation)) => self.post.answer(current.id, Ok((to_js(&evaluation), Vec::new()))),
            // On the CPU it begins anew.
            Err(lost) if lost.code == ErrorCode::DeviceLost => {
                let again = self.recover(&lost).await.and_then(|()| self.begin_evaluation(current.id, current.clock.split));
                if let Err(error) = again {
                    self.post.answer(current.id, Err(error));
                }
            }
            Err(error) => self.post.answer(current.id, Err(error)),
        }
    }

    /// After a lost GPU the parameters are others: every evaluation under way begins anew.
    pub(super) fn begin_evaluations_anew(&mut self) -> Result<()> {
        for Evaluating { id, clock, .. } in std::mem::take(&mut self.evaluations) {
            self.begin_evaluation(id, clock.split)?;
        }
        Ok(())
    }

    /// Makes way for a request: what would change parameters waits for the evaluations; what stops everything, or ends the session, cuts them off.
    pub(super) async fn settle_evaluations(&mut self, request: &Request) {
        let cut = match request {
            Request::Create { .. } | Request::Dispose => Some("it was disposed of"),
            Request::Stop => Some("it was stopped"),
            _ => None,
        };
        if let Some(reason) = cut {
            for Evaluating { id, .. } in std::mem::take(&mut self.evaluations) {
                self.post.answer(id, Err(Error::new(ErrorCode::WrongState, &[("what", &"evaluate"), ("reason", &reason)])));
            }
        } else if !only_looks(request) && !matches!(request, Request::Walk { walk, .. } if stays_in_step(walk)) {
            while !self.evaluations.is_empty() {
                self.evaluate_on().await;
            }
        }
    }
}
