//! A model, its data and its state on one backend.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::rc::Rc;

use litemap::LiteMap;

use super::activations::Probe;
use super::decode::Decoder;
use super::history::{History, Kept};
use super::step::metrics;
use super::team::Team;
use super::walk::Walk;
use super::watch::Watch;
use crate::backend::{Backend, Column, Feed, StepData};
use crate::data::{self, Dataset, Part, Split, validation_start};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::{Group, Kind, NodeId, Target};
use crate::nn::{self, Built, LossSpec, ModelSpec};
use crate::ops::{Graph, Op};
use crate::optim::OptimizerSpec;
use crate::plan::{Mode, Plan};

/// What a session is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The layers.
    pub model: ModelSpec,
    /// The loss.
    pub loss: LossSpec,
    /// The optimizer.
    pub optimizer: OptimizerSpec,
    /// Examples a step.
    pub batch_size: usize,
    /// Seed of initial weights, shuffling and dropout.
    pub seed: u32,
    /// Last share of the training part that is held out for validation.
    pub validation_split: f32,
    /// Most examples that are trained on, of those that are not held out: the first; all if none.
    pub train_examples: Option<usize>,
}

/// A graph with its plan and what the backend made of it.
pub struct Compiled<B: Backend> {
    /// The graph and its named nodes.
    pub built: Built,
    /// The plan.
    pub plan: Rc<Plan>,
    /// The backend's part.
    pub exec: B::Exec,
}

/// A part of the data set on the backend, as numbered in [`Backend::set_data`].
pub(super) const TRAIN: usize = 0;
pub(super) const TEST: usize = 1;

/// A model that trains.
pub struct Session<B: Backend> {
    pub(super) backend: B,
    pub(super) settings: Settings,
    pub(super) data: Rc<Dataset>,
    pub(super) train: LiteMap<usize, Compiled<B>>,
    pub(super) infer: LiteMap<usize, Compiled<B>>,
    pub(super) inspect: Option<Compiled<B>>,
    pub(super) watch: Option<Watch<B>>,
    pub(super) probe: Option<Probe<B>>,
    pub(super) decoder: Option<Decoder<B>>,
    pub(super) walk: Option<Walk<B>>,
    pub(super) history: History<Kept>,
    /// Losses of the last steps that were waited for.
    pub(super) recent: VecDeque<f32>,
    /// Steps done.
    pub(super) step: usize,
    /// Whole epochs done.
    pub(super) epoch: usize,
    /// Examples of the current epoch done.
    pub(super) position: usize,
    pub(super) shuffle: bool,
    /// First row of the training part that is held out.
    held_out: usize,
    /// Slots of the optimizer.
    pub(super) slots: u8,
    pub(super) order: Option<(usize, bool, Vec<u32>)>,
    pub(super) last_rows: Vec<u32>,
    pub(super) overrides: BTreeMap<String, f32>,
    /// What was answered to each example of a part when it was last evaluated, by [`Split`]: the class and its probability.
    pub(super) answers: [Vec<(u32, f32)>; 3],
    /// Those that training is shared with.
    pub(super) team: Option<Box<dyn Team>>,
    /// Whether the others do not hold this state.
    pub(super) team_is_behind: bool,
}

impl<B: Backend> Session<B> {
    /// A session at its initial weights.
    pub async fn new(backend: B, settings: Settings, data: Rc<Dataset>) -> Result<Self> {
        let held_out = validation_start(data.train.count, settings.validation_split)?;
        let mut session = Session {
            backend,
            settings,
            data,
            held_out,
            slots: 0,
            train: LiteMap::new(),
            infer: LiteMap::new(),
            inspect: None,
            watch: None,
            probe: None,
            decoder: None,
            walk: None,
            history: History::default(),
            recent: VecDeque::new(),
            step: 0,
            epoch: 0,
            position: 0,
            shuffle: true,
            order: None,
            last_rows: Vec::new(),
            answers: Default::default(),
            overrides: BTreeMap::new(),
            team: None,
            team_is_behind: true,
        };
        session.check()?;
        let batch = session.settings.batch_size.min(session.count(Split::Train).max(1));
        session.settings.batch_size = batch;
        let graph = session.training_graph(batch)?;
        let slot = |&(_, target): &(NodeId, Target)| match target {
            Target::Flat(Group::Slot(slot)) => slot + 1,
            Target::Flat(_) | Target::Variable(_) => 0,
        };
        session.slots = graph.graph.writes().iter().map(slot).max().unwrap_or(0);
        let slots = (0..session.slots).map(Group::Slot);
        let groups = [Group::Parameters, Group::Gradients, Group::Statistics, Group::Frozen].into_iter().chain(slots);
        let groups: Vec<(Group, usize)> = groups.map(|group| (group, graph.graph.flat_len(group))).collect();
        session.backend.allocate(&groups)?;
        let label = graph.y.map(|_| session.settings.loss.label_shape(&graph.graph.shape(graph.output)[1..]));
        session.check_labels(&graph)?;
        session.check_tokens(&graph)?;
        session.backend.set_data(TRAIN, &columns(&session.data.train, label.as_deref())?)?;
        session.backend.set_data(TEST, &columns(&session.data.test, label.as_deref())?)?;
        let compiled = session.compile_training(graph).await?;
        session.train.insert(batch, compiled);
        session.reset(None)?;
        Ok(session)
    }

    fn check(&self) -> Result<()> {
        let settings = &self.settings;
        settings.optimizer.check()?;
        if settings.batch_size == 0 || settings.batch_size > 1 << 16 {
            return Err(bad("batch_size", "between 1 and 65536", &settings.batch_size));
        }
        if settings.train_examples == Some(0) {
            return Err(bad("train_examples", "at least 1", &0));
        }
        if self.held_out == 0 {
            return Err(Error::new(ErrorCode::EmptySplit, &[("split", &Split::Train.name())]));
        }
        let (wants, has) = (crate::tensor::Shape::from(&settings.model.input[..]), &self.data.info.shape);
        if wants.numel() != has.iter().product::<usize>() {
            let has = crate::tensor::Shape::from(&has[..]);
            return Err(Error::new(ErrorCode::ShapeMismatch, &[("op", &"the model's input"), ("left", &wants), ("right", &has)]));
        }
        Ok(())
    }

    /// Classes that labels and predictions stand for; 0 where the task is not classification. One output is two classes.
    pub(super) fn classes(&self, built: &Built) -> usize {
        match (self.settings.loss.classifies(), built.graph.shape(built.output).last()) {
            (true, Some(1)) => 2,
            // Several independent yes-or-no answers are not one of so many classes.
            (true, Some(&classes)) if !matches!(self.settings.loss, LossSpec::BinaryCrossentropy(_)) => classes,
            _ => 0,
        }
    }

    fn check_labels(&self, built: &Built) -> Result<()> {
        if self.settings.loss.target() == nn::Target::Input {
            return Ok(());
        }
        let classes = self.classes(built);
        let parts = [&self.data.train, &self.data.test];
        let numbers = |part: &&Part| classes > 0 && (part.y.width() == 1 || self.settings.loss.takes_classes());
        parts.into_iter().filter(numbers).try_for_each(|part| part.check_labels(classes))
    }

    /// Where the model's input is tokens: each must be a row of the table that it looks them up in, or one of the words that are masked.
    fn check_tokens(&self, built: &Built) -> Result<()> {
        let known = |node: &crate::ops::Node| match &node.kind {
            Kind::Op(Op::Gather(_)) if node.inputs[1] == built.x => Some(built.graph.shape(node.inputs[0])[0]),
            Kind::Op(Op::MaskTokens(mask)) if node.inputs[0] == built.x => Some(mask.vocabulary),
            _ => None,
        };
        let Some(rows) = built.graph.nodes().iter().filter_map(known).min() else { return Ok(()) };
        [&self.data.train, &self.data.test].into_iter().try_for_each(|part| part.x.check_tokens(rows))
    }

    pub(super) fn training_graph(&self, batch: usize) -> Result<Built> {
        let settings = &self.settings;
        let mut built = nn::build(&settings.model, batch, nn::Mode::Train, Some(&settings.loss))?;
        settings.complete(&mut built, &[])?;
        Ok(built)
    }

    pub(super) async fn compile_training(&mut self, built: Built) -> Result<Compiled<B>> {
        let metrics = metrics(&built);
        self.compile(built, Mode::Train, &metrics, &metrics).await
    }

    pub(super) async fn compile(&mut self, built: Built, mode: Mode, keep: &[NodeId], metrics: &[NodeId]) -> Result<Compiled<B>> {
        let plan = Rc::new(Plan::new(&built.graph, mode, keep)?);
        let exec = self.backend.compile(Rc::clone(&plan), metrics).await?;
        Ok(Compiled { built, plan, exec })
    }

    /// Takes out the unfused plan of a training step on `batch` examples: the one that was used last, or a new one.
    pub(super) async fn inspector(&mut self, batch: usize) -> Result<Compiled<B>> {
        match self.inspect.take() {
            Some(kept) if kept.built.graph.shape(kept.built.x)[0] == batch => Ok(kept),
            _ => {
                let built = self.training_graph(batch)?;
                self.compile(built, Mode::Inspect, &[], &[]).await
            }
        }
    }

    /// The forward plan for `batch` examples, made at first use. Few are kept: those of odd sizes make room for each other.
    pub(super) async fn inference(&mut self, batch: usize) -> Result<&mut Compiled<B>> {
        if !self.infer.contains_key(&batch) {
            const MOST: usize = 4;
            if self.infer.len() >= MOST {
                let smallest = self.infer.first().map(|(&batch, _)| batch);
                smallest.and_then(|batch| self.infer.remove(&batch));
            }
            let built = nn::build(&self.settings.model, batch, nn::Mode::Infer, Some(&self.settings.loss))?;
            let metrics = metrics(&built);
            let keep: Vec<NodeId> = metrics.iter().copied().chain([built.output]).collect();
            let compiled = self.compile(built, Mode::Train, &keep, &metrics).await?;
            self.infer.insert(batch, compiled);
        }
        self.infer.get_mut(&batch).ok_or_else(|| Error::new(ErrorCode::WrongState, &[("what", &"predict"), ("reason", &"no plan")]))
    }

    /// Initial weights of the same seed or of a new one, optimizer's memory cleared, first epoch.
    pub fn reset(&mut self, seed: Option<u32>) -> Result<()> {
        self.settings.seed = seed.unwrap_or(self.settings.seed);
        (self.step, self.epoch, self.position) = (0, 0, 0);
        self.team_is_behind = true;
        self.history.forget();
        self.recent.clear();
        self.forget_order();
        let Some(compiled) = self.train.values().next() else { return Ok(()) };
        let graph = &compiled.built.graph;
        for slot in 0..self.slots {
            self.backend.write(Group::Slot(slot), 0, &vec![0.0; graph.flat_len(Group::Slot(slot))])?;
        }
        for (stream, variable) in graph.variables().iter().enumerate() {
            self.backend.write(variable.group, variable.offset, &variable.initial(self.settings.seed, stream as u32))?;
        }
        Ok(())
    }

    /// The order of the epoch belongs to a seed, the last rows to a step: both are gone once another state is taken up.
    pub(super) fn forget_order(&mut self) {
        self.order = None;
        self.last_rows.clear();
    }

    /// Examples of a part.
    pub fn count(&self, split: Split) -> usize {
        match split {
            Split::Train => self.held_out.min(self.settings.train_examples.unwrap_or(usize::MAX)),
            Split::Validation => self.data.train.count - self.held_out,
            Split::Test => self.data.test.count,
        }
    }

    /// The part that holds a split, and the first of the split's examples in it.
    pub fn part_of(&self, split: Split) -> (&Part, usize) {
        match split {
            Split::Train => (&self.data.train, 0),
            Split::Validation => (&self.data.train, self.held_out),
            Split::Test => (&self.data.test, 0),
        }
    }

    /// Some examples of a split as the backend's part number and rows.
    pub(super) fn rows_of(&self, split: Split, examples: Range<usize>) -> (usize, Vec<u32>) {
        let (part, first) = self.part_of(split);
        let number = if split == Split::Test { TEST } else { TRAIN };
        (number, examples.map(|example| part.row(first + example) as u32).collect())
    }

    /// Steps that make an epoch; the last may be smaller.
    pub fn steps_per_epoch(&self) -> usize {
        self.count(Split::Train).div_ceil(self.settings.batch_size)
    }

    /// Steps done.
    pub fn step_count(&self) -> usize {
        self.step
    }

    /// Epochs done, with the fraction of the current one.
    pub fn epochs_done(&self) -> f32 {
        self.epoch as f32 + self.position as f32 / self.count(Split::Train).max(1) as f32
    }

    /// Whether the next step begins an epoch.
    pub fn at_epoch_start(&self) -> bool {
        self.position == 0
    }

    /// What it is made of.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The data set.
    pub fn data(&self) -> &Rc<Dataset> {
        &self.data
    }

    /// The backend.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// The training plan at the full batch size.
    pub fn training(&self) -> Option<&Compiled<B>> {
        self.train.get(&self.settings.batch_size)
    }

    /// Changes a hyper-parameter from the next step on: `"learning_rate"` (which ends a schedule), `"learning_rate:generator"` where the generator has
    /// an optimizer of its own, `"momentum"`, `"weight_decay"`, or `"dropout"`, which stands for every dropout layer's. What the
    /// optimizer was made without cannot be changed.
    pub fn set_hyper(&mut self, name: &str, value: f32) -> Result<()> {
        let (sound, range) = match name {
            "momentum" | "dropout" => ((0.0..1.0).contains(&value), "at least 0 and less than 1"),
            "learning_rate" | "learning_rate:generator" | "weight_decay" => (value.is_finite() && value >= 0.0, "a number of at least 0"),
            _ => return Err(Error::new(ErrorCode::UnknownName, &[("kind", &"hyper-parameter"), ("got", &name)])),
        };
        if !sound {
            return Err(bad(name, range, &value));
        }
        let made_with =
            |name: &str| self.training().is_some_and(|compiled| compiled.built.graph.scalars().iter().any(|(of, _)| of == name));
        if name != "dropout" && !made_with(name) {
            let reason = "the optimizer was made without one";
            return Err(Error::new(ErrorCode::WrongState, &[("what", &name), ("reason", &reason)]));
        }
        self.overrides.insert(name.to_owned(), value);
        self.history.changed = true;
        Ok(())
    }

    /// What was changed by [`Session::set_hyper`] in another session of the same training holds here too.
    pub fn take_hyper(&mut self, other: &Self) {
        self.overrides.clone_from(&other.overrides);
        self.history.changed = true;
    }

    /// Learning rate of the next step.
    pub fn learning_rate(&self) -> f32 {
        self.overrides.get("learning_rate").copied().unwrap_or_else(|| self.settings.optimizer.learning_rate().at(self.step) as f32)
    }

    /// Values of a graph's scalars at the present step.
    pub(super) fn scalars(&self, graph: &Graph) -> Vec<f32> {
        let computed = self.settings.scalars_at(self.step);
        let value = |(name, initial): &(String, f32)| {
            // A rate of dropout stands for every layer's.
            let key = if name.starts_with("dropout:") { "dropout" } else { name };
            let known = computed.iter().find(|(known, _)| known == name).map(|&(_, value)| value);
            self.overrides.get(key).copied().or(known).unwrap_or(*initial)
        };
        graph.scalars().iter().map(value).collect()
    }

    pub(super) fn step_data(&self, built: &Built, feed: Feed) -> StepData {
        let mut scalars = self.scalars(&built.graph);
        // What is looked at outside training draws the same numbers each time; of an example from outside nothing is hidden but what it hides itself.
        let (seed, step) = match built.mode {
            nn::Mode::Train => (self.settings.seed, self.step as u32),
            nn::Mode::Infer | nn::Mode::Prefill | nn::Mode::Decode => (0, 0),
        };
        if built.mode == nn::Mode::Infer && matches!(feed, Feed::Kept) {
            let names = built.graph.scalars().iter().map(|(name, _)| name.starts_with(nn::UNMASKED));
            scalars.iter_mut().zip(names).filter(|(_, unmasked)| *unmasked).for_each(|(share, _)| *share = 1.0);
        }
        StepData { seed, step, scalars, feed }
    }
}

/// What a backend keeps of a part: the examples, and the labels in the form that the loss takes, if it takes any.
fn columns(part: &Part, label: Option<&[usize]>) -> Result<Vec<Column>> {
    let column = |column: data::Column| Column { width: column.width(), stride: column.stride, cells: column.cells };
    let labels = label.map(|shape| part.targets(shape)).transpose()?;
    Ok(std::iter::once(part.x.clone()).chain(labels).map(column).collect())
}

pub(super) fn bad(name: &str, expected: &str, got: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorCode::BadValue, &[("name", &name), ("expected", &expected), ("got", &got.to_string())])
}
