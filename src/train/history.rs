//! The way back: snapshots at some steps, and the steps in between taken again.

use std::collections::{BTreeMap, BTreeSet};

use super::Session;
use super::snapshot::Snapshot;
use crate::backend::Backend;
use crate::error::{Error, ErrorCode, Result};

/// Bytes that the snapshots may take together.
const BUDGET: usize = 64 << 20;
/// Share of the time that may go into snapshots, as its inverse.
const PATIENCE: f64 = 50.0;
/// Steps between two snapshots at first; more where a run is long.
const FIRST_GAP: usize = 50;
/// Most snapshots: steps between them are quickly taken again.
const MOST: usize = 12;

/// What is kept of a step.
pub(super) trait Past: Clone {
    /// Memory that it takes.
    fn bytes(&self) -> usize;
}

/// A session's state.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    snapshot: Snapshot,
    /// What [`super::Session::set_hyper`] had set.
    overrides: BTreeMap<String, f32>,
}

impl Past for Kept {
    fn bytes(&self) -> usize {
        self.snapshot.0.len()
    }
}

#[derive(Debug)]
struct Entry<P> {
    past: P,
    /// Whether something was changed by hand just before: steps cannot be taken again across it.
    base: bool,
}

/// States by step, within a budget of memory.
#[derive(Debug)]
pub(super) struct History<P> {
    entries: BTreeMap<usize, Entry<P>>,
    /// Steps that cannot be taken again, since their examples came from outside, by the number of steps done before each.
    lost: BTreeSet<usize>,
    /// Whether some were given up for memory.
    pub thinned: bool,
    /// Something was changed by hand: the next step begins with a snapshot.
    pub changed: bool,
    /// Milliseconds on the clock from which on a snapshot is due.
    due: f64,
    budget: usize,
    gap: usize,
}

impl<P> Default for History<P> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), lost: BTreeSet::new(), thinned: false, changed: true, due: 0.0, budget: BUDGET, gap: FIRST_GAP }
    }
}

impl<P: Past> History<P> {
    /// Another budget, in bytes.
    pub fn set_budget(&mut self, bytes: usize) {
        self.budget = bytes;
        self.thin();
    }

    /// Steps that have a snapshot.
    pub fn steps(&self) -> impl Iterator<Item = usize> + '_ {
        self.entries.keys().copied()
    }

    /// Whether a snapshot should be taken at this step and time: there is none of it, and none near before.
    pub fn is_due(&self, step: usize, now: f64) -> bool {
        let last = self.entries.range(..=step).next_back();
        self.changed || (now >= self.due && last.is_none_or(|(&last, _)| step >= last + self.gap))
    }

    /// Notes how long a snapshot took, which ended `now`.
    pub fn took(&mut self, elapsed: f64, now: f64) {
        self.due = now + PATIENCE * elapsed;
    }

    /// Keeps the state at a step. After a change by hand, what was kept of later steps is of another past.
    pub fn keep(&mut self, step: usize, past: P) {
        if self.changed {
            self.entries.split_off(&step);
            self.lost.split_off(&step);
            self.gap = if self.entries.is_empty() { FIRST_GAP } else { self.gap };
        }
        let base = self.changed || self.entries.get(&step).is_some_and(|entry| entry.base);
        self.changed = false;
        self.entries.insert(step, Entry { past, base });
        self.thin();
    }

    /// The step and the state from which `step` is reached: kept at it, or nearest before it with steps in between that can be taken again.
    pub fn before(&self, step: usize) -> Result<(usize, P)> {
        let nearest = self.entries.range(..=step).next_back();
        let leads = |&(&from, _): &(&usize, &Entry<P>)| self.lost.range(from..step).next().is_none();
        let missing = || Error::new(ErrorCode::WrongState, &[("what", &"going back"), ("reason", &"no snapshot leads to that step")]);
        nearest.filter(leads).map(|(&from, entry)| (from, entry.past.clone())).ok_or_else(missing)
    }

    /// The step after `step` steps was taken on examples from outside.
    pub fn lose(&mut self, step: usize) {
        self.lost.insert(step);
        self.changed = true;
    }

    /// The session stands at `step` again. What was done by hand later has not happened any more: what was kept from there on is of another past.
    pub fn stand_at(&mut self, step: usize) {
        self.lost.split_off(&step);
        let later = self.entries.range(step.saturating_add(1)..).find(|(_, entry)| entry.base).map(|(&later, _)| later);
        if let Some(later) = later {
            self.entries.split_off(&later);
        }
    }

    /// The session took up a state from elsewhere: it has no past.
    pub fn forget(&mut self) {
        *self = Self { budget: self.budget, ..Self::default() };
    }

    /// While they are too many or take too much: every second of those between which steps can be taken again goes, then the oldest.
    fn thin(&mut self) {
        let bytes = |entries: &BTreeMap<usize, Entry<P>>| entries.values().map(|entry| entry.past.bytes()).sum::<usize>();
        let newest = self.entries.keys().next_back().copied();
        while self.entries.len() > 1 && (self.entries.len() > MOST || bytes(&self.entries) > self.budget) {
            self.thinned |= bytes(&self.entries) > self.budget;
            // A run's snapshots are as far apart as there is room for, over all that it has covered.
            let covered = newest.unwrap_or(0) - self.entries.keys().next().copied().unwrap_or(0);
            self.gap = FIRST_GAP.max(2 * covered / MOST);
            let kept = |(step, entry): &(&usize, &Entry<P>)| !entry.base && Some(**step) != newest;
            let between: Vec<usize> = self.entries.iter().filter(kept).map(|(&step, _)| step).collect();
            match between.len() {
                0 => drop(self.entries.pop_first()),
                _ => between.into_iter().step_by(2).for_each(|step| drop(self.entries.remove(&step))),
            }
        }
    }
}

impl<B: Backend> Session<B> {
    /// Memory that the snapshots to go back to may take, in bytes.
    pub fn set_history_budget(&mut self, bytes: usize) {
        self.history.set_budget(bytes);
    }

    /// Keeps a snapshot to go back to, unless there is one of this step.
    pub(super) async fn remember(&mut self) -> Result<()> {
        if self.history.changed || self.history.steps().all(|step| step != self.step) {
            let snapshot = self.snapshot().await?;
            self.history.keep(self.step, Kept { snapshot, overrides: self.overrides.clone() });
        }
        Ok(())
    }

    /// The same when it is time to; `now` tells the time in milliseconds.
    pub(super) async fn remember_if_due(&mut self, now: impl Fn() -> f64) -> Result<()> {
        let begun = now();
        if self.history.is_due(self.step, begun) {
            self.remember().await?;
            self.history.took(now() - begun, now());
        }
        Ok(())
    }

    /// Back to a state that was kept.
    pub(super) fn go_back_to(&mut self, kept: &Kept) -> Result<()> {
        self.take_up(&kept.snapshot)?;
        self.overrides.clone_from(&kept.overrides);
        Ok(())
    }
}
