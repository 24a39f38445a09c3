//! A walk goes to another batch: forward by training, back to a snapshot and over the steps after it. A chunk at a time, so that whoever waits can
//! be told how far it is, and end it.

use super::Session;
use super::pace::Pace;
use super::walk::{Subject, TraceInfo, Travel, no_walk};
use crate::backend::Backend;
use crate::error::Result;

/// Most steps forward that one journey takes: a few epochs of any data set here.
const MOST_STEPS: usize = 10_000;

/// A way over whole steps that is under way. Between its chunks the session, or the program, stands at a step like any other.
pub struct Journey {
    /// Step at which it begins: going back, that of the snapshot.
    pub from: usize,
    /// Step at which it ends.
    pub to: usize,
    /// What is walked through, before and after.
    subject: Subject,
    x: Vec<f32>,
    pace: Pace,
}

impl Journey {
    /// A way between two steps.
    pub(super) fn new(from: usize, to: usize, subject: Subject, x: Vec<f32>) -> Self {
        Self { from, to, subject, x, pace: Pace::new() }
    }
}

/// `by` steps on from `step` or back, no further than a journey goes.
pub(super) fn target(step: usize, by: i32) -> usize {
    step.saturating_add_signed(by as isize).min(step.saturating_add(MOST_STEPS))
}

impl<B: Backend> Session<B> {
    /// Sets out for another batch or epoch; the walk is closed until [`Session::arrive`]. Going back, the session stands at the snapshot then. Where
    /// none leads to the step the walk stays open and where it is.
    pub async fn depart(&mut self, travel: Travel) -> Result<Journey> {
        let to = self.step_of(travel);
        let walk = self.walk.as_ref().ok_or_else(no_walk)?;
        let (subject, x) = (walk.subject.clone(), walk.x.clone());
        // Taken hold of first: the snapshot of the present may be the one too many.
        let kept = if to < self.step { Some(self.history.before(to)?) } else { None };
        self.close_walk()?;
        self.remember().await?;
        if let Some((_, kept)) = kept {
            self.go_back_to(&kept)?;
            self.history.stand_at(to);
        }
        Ok(Journey::new(self.step, to, subject, x))
    }

    /// The step at which a travel ends. Going back over epochs, the beginning of the current one comes first.
    fn step_of(&self, travel: Travel) -> usize {
        match travel {
            Travel::To { .. } => self.step,
            Travel::Batches { by } => target(self.step, by),
            Travel::Epochs { by } => {
                let begun = self.position.div_ceil(self.settings.batch_size.max(1));
                let start = self.step.saturating_sub(begun);
                let steps = |epochs: usize| epochs.saturating_mul(self.steps_per_epoch());
                let epochs = by.unsigned_abs() as usize;
                match by {
                    0 => self.step,
                    1.. => start.saturating_add(steps(epochs)).min(self.step.saturating_add(MOST_STEPS)),
                    _ => start.saturating_sub(steps(epochs - usize::from(begun > 0))),
                }
            }
        }
    }

    /// Takes a chunk of steps, with a snapshot where one is due; whether that was the last. `now` tells the time in milliseconds.
    pub async fn travel_on(&mut self, journey: &mut Journey, now: impl Fn() -> f64) -> Result<bool> {
        if self.step < journey.to {
            let (begun, first) = (now(), self.step);
            self.remember_if_due(&now).await?;
            let pending = self.submit(journey.pace.steps().min(journey.to - self.step)).await?;
            let metrics = pending.wait().await?;
            self.note_losses(&metrics);
            journey.pace.fit(now() - begun, self.step - first);
        }
        Ok(self.step >= journey.to)
    }

    /// Opens the walk again at the step that was reached, on what was walked through before.
    pub async fn arrive(&mut self, journey: Journey) -> Result<TraceInfo> {
        self.open_walk(journey.subject, journey.x).await
    }

    /// The whole way to another batch or epoch, without a driver: for programs and tests.
    pub async fn walk_steps(&mut self, travel: Travel) -> Result<TraceInfo> {
        let mut journey = self.depart(travel).await?;
        while !self.travel_on(&mut journey, || 0.0).await? {}
        self.arrive(journey).await
    }
}
