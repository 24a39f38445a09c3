//! Data-parallel training: several workers, each with its own memory and its own copy of a session, take a share of every batch, add up their
//! gradients, and apply the same update. The sums are taken in the order of the ranks, so that every worker holds the same bits after each
//! step, and the same number of workers gives the same bits again.
//!
//! The mean over a batch of B is Σ (bᵣ / B) gᵣ, with bᵣ the share of worker r and gᵣ its mean gradient; a regulariser, which is part of every
//! worker's loss, comes out once. Batch norm normalises within a share; its moving statistics are averaged in the same way. Dropout draws
//! from a stream of each worker's own.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;
use serde_json::Value;

use super::session::TRAIN;
use super::snapshot::{Snapshot, cells, unreadable};
use super::step::{StepMetrics, metrics};
use super::{Compiled, Session};
use crate::backend::{Backend, Feed, RING, StepData};
use crate::error::Result;
use crate::fields::{self, FromValue};
use crate::graph::Group;
use crate::plan::{BufferKind, Operand, Plan};
use crate::wire::Record;

/// The workers, as one of them sees them.
pub trait Team {
    /// How many they are.
    fn size(&self) -> usize;

    /// Which one this is; 0 leads.
    fn rank(&self) -> usize;

    /// Gives the others a job, as the leader.
    fn call(&mut self, job: &[u8]) -> Result<()>;

    /// Replaces `values` by their sum over all workers, added in the order of the ranks; waits until all have come.
    fn sum(&mut self, values: &mut [f32]) -> Result<()>;

    /// Ends the team: whoever waits for a worker gets an error.
    fn break_up(&mut self);
}

/// What the leader asks of the others: steps, or answers to a batch. Its state, if it comes along, stands behind it, and then what numbers there are.
#[derive(Serialize)]
pub(super) struct Job {
    pub steps: usize,
    pub shuffle: bool,
    pub overrides: BTreeMap<String, f32>,
    /// Bytes of the state.
    pub state: usize,
    pub batch: Option<Asked>,
}

/// A batch that answers are asked for: rows of a part, or the numbers behind the job.
#[derive(Serialize)]
pub(super) struct Asked {
    pub part: Option<usize>,
    pub rows: Vec<u32>,
}

impl FromValue for Job {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        let job = Record::of(value, name, at)?;
        let (steps, shuffle, overrides) = (job.field("steps")?, job.field("shuffle")?, job.field("overrides")?);
        Ok(Self { steps, shuffle, overrides, state: job.field("state")?, batch: job.field("batch")? })
    }
}

impl FromValue for Asked {
    fn from_value(value: &Value, name: &str, at: &str) -> Result<Self> {
        let asked = Record::of(value, name, at)?;
        Ok(Self { part: asked.field("part")?, rows: asked.field("rows")? })
    }
}

/// The rows of a batch that worker `rank` takes: shares differ by one at most.
pub(super) fn share(rows: usize, size: usize, rank: usize) -> Range<usize> {
    rows * rank / size..rows * (rank + 1) / size
}

/// Numbers of a step's metrics.
const METRICS: usize = 5;

/// The first step of a training plan that reads the gradients: before it they are made, from it on they are used.
fn cut(plan: &Plan) -> usize {
    let is_gradient = |operand: &Operand| match operand {
        Operand::Memory(place) => plan.buffers[place.buffer].kind == BufferKind::Flat(Group::Gradients),
        Operand::Scalar(_) | Operand::Constant(_) => false,
    };
    plan.steps.iter().position(|step| step.inputs.iter().any(|(operand, _)| is_gradient(operand))).unwrap_or(plan.steps.len())
}

impl<B: Backend> Session<B> {
    /// Length of the vectors and of the messages that a team of this session passes round.
    pub async fn team_needs(&self) -> Result<(usize, usize)> {
        const HEADER: usize = 4096;
        let Snapshot(state) = self.snapshot().await?;
        let examples = self.evaluation_batch();
        let longest = self.training().map_or(0, |Compiled { built, plan, .. }| {
            let flat = |group| plan.graph.flat_len(group);
            let answers = examples * built.graph.shape(built.output)[1..].iter().product::<usize>();
            flat(Group::Gradients).max(flat(Group::Statistics)).max(METRICS * RING).max(answers + METRICS)
        });
        Ok((longest, state.len() + HEADER + size_of::<f32>() * examples * self.example_width()))
    }

    /// Trains with others from now on, or alone again. Steps that another number of workers took cannot be taken again to the same bits: they are no
    /// past to go back to.
    pub fn set_team(&mut self, team: Option<Box<dyn Team>>) {
        let before = self.workers();
        if let Some(mut former) = std::mem::replace(&mut self.team, team) {
            former.break_up();
        }
        self.team_is_behind = true;
        if self.step > 0 && self.workers() != before {
            self.history.forget();
        }
    }

    /// Workers that train.
    pub fn workers(&self) -> usize {
        self.team.as_ref().map_or(1, |team| team.size())
    }

    /// Gives the others a job, as the leader; false if there is no team, or no more.
    pub(super) async fn call(&mut self, steps: usize, batch: Option<Asked>, x: &[f32]) -> Result<bool> {
        let state = if self.team_is_behind { self.snapshot().await?.0 } else { Vec::new() };
        let job = Job { steps, shuffle: self.shuffle, overrides: self.overrides.clone(), state: state.len(), batch };
        let mut message = serde_json::to_vec(&job).map_err(|error| unreadable(&error))?;
        // JSON holds no byte 0.
        message.push(0);
        message.extend(state);
        message.extend_from_slice(bytemuck::cast_slice(x));
        let Some(team) = &mut self.team else { return Ok(false) };
        if team.call(&message).is_err() {
            self.set_team(None);
            return Ok(false);
        }
        self.team_is_behind = false;
        Ok(true)
    }

    /// As the leader: takes up to `most` steps with the others. Gives the metrics of those that were taken; fewer than asked for if the team broke,
    /// which then is no more.
    pub(super) async fn lead(&mut self, most: usize) -> Result<Vec<StepMetrics>> {
        let steps = most.min(RING);
        if !self.call(steps, None, &[]).await? {
            return Ok(Vec::new());
        }
        let taken = self.take_together(steps).await;
        if taken.is_err() {
            self.set_team(None);
        }
        taken
    }

    /// As one of the others: does what the leader asked for.
    pub async fn follow(&mut self, message: &[u8]) -> Result<()> {
        let end = message.iter().position(|&byte| byte == 0).unwrap_or(message.len());
        let job: Job = fields::from_json(&String::from_utf8_lossy(&message[..end]), "job")?;
        let behind = message.get(end + 1..).and_then(|behind| behind.split_at_checked(job.state));
        let (state, x) = behind.ok_or_else(|| unreadable(&"it is cut off"))?;
        if !state.is_empty() {
            self.restore(&Snapshot(state.to_vec()))?;
        }
        (self.shuffle, self.overrides) = (job.shuffle, job.overrides);
        match job.batch {
            Some(asked) => self.answer_along(&asked, &cells(x)).await,
            None => self.take_together(job.steps).await.map(drop),
        }
    }

    /// Takes steps to the end of the epoch at the furthest. A team that breaks in a step leaves it untaken.
    async fn take_together(&mut self, most: usize) -> Result<Vec<StepMetrics>> {
        let (mut taken, mut weights) = (Vec::new(), Vec::new());
        for _ in 0..most {
            let rows = self.next_rows();
            let batch = rows.len();
            let Some((metrics, weight)) = self.step_together(rows).await? else { break };
            taken.push(metrics);
            weights.push(weight);
            if self.advance_position(batch) {
                break;
            }
        }
        let parts = taken.iter().zip(&weights).flat_map(|(of, weight)| {
            let game = of.game.unwrap_or_default().map(|mean| mean * weight);
            [of.loss * weight, of.correct.unwrap_or(0.0), of.exact.unwrap_or(0.0), game[0], game[1], game[2]]
        });
        let mut sums: Vec<f32> = parts.collect();
        if let Some(team) = &mut self.team
            && !taken.is_empty()
        {
            // If the others are gone by now, this worker's share stands for the batch.
            match team.sum(&mut sums) {
                Ok(()) => {
                    for (of, &[loss, correct, exact, generator, real, fake]) in taken.iter_mut().zip(sums.as_chunks().0) {
                        (of.loss, of.correct, of.exact) = (loss, of.correct.map(|_| correct), of.exact.map(|_| exact));
                        of.game = of.game.map(|_| [generator, real, fake]);
                    }
                }
                Err(_) => self.set_team(None),
            }
        }
        Ok(taken)
    }

    /// One step on this worker's share of `rows`: its loss and right answers, and the share's weight. None if the team broke before the update.
    async fn step_together(&mut self, rows: Vec<u32>) -> Result<Option<(StepMetrics, f32)>> {
        let Some(team) = &self.team else { return Ok(None) };
        let (rank, whole) = (team.rank(), rows.len());
        let share = share(whole, team.size(), rank);
        let weight = share.len() as f32 / whole.max(1) as f32;
        // A worker without a share takes part in the update alone; any plan will do for that.
        let size = if share.is_empty() { self.settings.batch_size } else { share.len() };
        self.prepare(size).await?;
        let Some(mut compiled) = self.train.remove(&size) else { return Ok(None) };
        let mut data = self.step_data(&compiled.built, Feed::Rows { part: TRAIN, rows: rows[share].to_vec() });
        data.seed = data.seed.wrapping_add((rank as u32).wrapping_mul(0x9E37_79B9));
        self.last_rows = rows;
        let done = self.step_apart(&mut compiled, &data, weight).await;
        self.train.insert(size, compiled);
        let Some(metrics) = done? else { return Ok(None) };
        self.step += 1;
        Ok(Some((StepMetrics::of(&metrics, whole), weight)))
    }

    /// The metrics of the step; none if the team broke before the update.
    async fn step_apart(&mut self, compiled: &mut Compiled<B>, data: &StepData, weight: f32) -> Result<Option<Vec<f32>>> {
        let (cut, end) = (cut(&compiled.plan), compiled.plan.steps.len());
        if weight > 0.0 {
            self.backend.run(&mut compiled.exec, data, 0..cut)?;
        }
        if !self.sum_up(Group::Gradients, weight).await? {
            return Ok(None);
        }
        self.backend.run(&mut compiled.exec, data, cut..end)?;
        if compiled.built.graph.flat_len(Group::Statistics) > 0 {
            self.sum_up(Group::Statistics, weight).await?;
        }
        let mut kept = self.backend.drain(&mut compiled.exec).await?;
        let newest = kept.split_off(kept.len().saturating_sub(metrics(&compiled.built).len()));
        Ok(Some(if weight > 0.0 { newest } else { vec![0.0; newest.len()] }))
    }

    /// Replaces a flat buffer by its weighted sum over the team; false if the team broke.
    async fn sum_up(&mut self, group: Group, weight: f32) -> Result<bool> {
        let mut values = self.backend.read(group).await?;
        // What a worker without a share holds is of another batch, and may be anything.
        values.iter_mut().for_each(|value| *value = if weight > 0.0 { *value * weight } else { 0.0 });
        let Some(team) = &mut self.team else { return Ok(false) };
        if team.sum(&mut values).is_err() {
            self.set_team(None);
            return Ok(false);
        }
        self.backend.write(group, 0, &values)?;
        Ok(true)
    }
}
