//! A program of the scratchpad, walked through: the same steps as a session's, over a graph that has no layers and no data.

use std::collections::BTreeMap;

use super::history::{History, Past};
use super::journey::{Journey, target};
use super::pace::CHUNK_MS;
use super::walk::{OptimizerTable, Subject, TraceInfo, TraceLayer, TraceState};
use crate::backend::cpu::Cpu;
use crate::backend::{Backend, Device, StepData};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::{Group, Kind, Leaf, NodeId, Phase};
use crate::optim;
use crate::scratch::{self, Program};
use crate::trace::{Breakpoint, Hit, Lane, Trace};

/// Parameters, and what a step leaves alone, at the beginning of a step.
#[derive(Clone)]
struct Flats([Vec<f32>; 2]);
const FLATS: [Group; 2] = [Group::Parameters, Group::Statistics];

impl Past for Flats {
    fn bytes(&self) -> usize {
        4 * self.0.iter().map(Vec::len).sum::<usize>().max(1)
    }
}

/// A walk over a program's graph, on a CPU backend of its own.
pub struct ProgramWalk {
    program: Program,
    seed: u32,
    backend: Device,
    trace: Trace<Device>,
    step: usize,
    history: History<Flats>,
}

impl ProgramWalk {
    /// Compiles a program and opens its first step.
    pub async fn open(source: &str, seed: u32) -> Result<Self> {
        let program = scratch::compile(source, seed)?;
        let graph = &program.graph;
        let mut backend = Device::Cpu(Cpu::new());
        let groups = [Group::Parameters, Group::Gradients, Group::Statistics];
        backend.allocate(&groups.map(|group| (group, graph.flat_len(group))))?;
        for variable in graph.variables() {
            backend.write(variable.group, variable.offset, &variable.initial(0, 0))?;
        }
        let trace = Trace::open(&mut backend, graph, program.loss, data(&program, seed, 0), &[]).await?;
        Ok(Self { program, seed, backend, trace, step: 0, history: History::default() })
    }

    /// Steps done.
    pub fn step_count(&self) -> usize {
        self.step
    }

    /// The walk with its backend.
    pub fn trace(&mut self) -> (&mut Device, &mut Trace<Device>) {
        (&mut self.backend, &mut self.trace)
    }

    /// Goes to where `cursor` ops are done, or a breakpoint stops it.
    pub async fn go(&mut self, cursor: usize, breakpoints: &[Breakpoint]) -> Result<TraceState> {
        let hit = self.trace.go(&mut self.backend, cursor, breakpoints, None).await?;
        self.state(hit).await
    }

    /// Puts a number into an element: of a variable for good, so that the step is another one from here on, of a computed value for this walk.
    /// Going back to before the step takes a variable's edit back, and the steps taken anew from there are without it.
    pub async fn edit(&mut self, node: usize, element: usize, value: f32) -> Result<TraceState> {
        self.trace.edit(&mut self.backend, node, element, value)?;
        if matches!(self.trace.graph().node(NodeId(node as u32)).kind, Kind::Leaf(Leaf::Variable(_))) {
            self.history.changed = true;
            self.remember();
        }
        self.state(None).await
    }

    /// Sets out for a step of gradient descent further on or back; where none leads there the walk stays where it is.
    pub async fn depart(&mut self, by: i32) -> Result<Journey> {
        let to = target(self.step, by);
        if to < self.step {
            let (from, Flats(flats)) = self.history.before(to)?;
            self.trace.settle(&mut self.backend)?;
            for (group, values) in FLATS.into_iter().zip(&flats) {
                self.backend.write(group, 0, values)?;
            }
            self.history.stand_at(to);
            self.begin(from).await?;
        } else if to > self.step {
            // What was put into a computed value is for one walk, not for the step.
            self.trace.settle(&mut self.backend)?;
            self.begin(self.step).await?;
            self.remember();
        }
        Ok(Journey::new(self.step, to, Subject::Batch, Vec::new()))
    }

    /// Takes steps for a little while; whether the last one is done. `now` tells the time in milliseconds.
    pub async fn travel_on(&mut self, journey: &Journey, now: impl Fn() -> f64) -> Result<bool> {
        let begun = now();
        while self.step < journey.to && now() - begun < CHUNK_MS {
            if self.history.is_due(self.step, begun) {
                self.remember();
            }
            let all = self.trace.ops().len();
            self.trace.go(&mut self.backend, all, &[], None).await?;
            self.begin(self.step + 1).await?;
        }
        Ok(self.step >= journey.to)
    }

    /// Everything about the walk at the step that was reached, which can be gone back to.
    pub async fn arrive(&mut self) -> Result<TraceInfo> {
        self.remember();
        self.info().await
    }

    /// The whole way over so many steps, without a driver: for programs and tests.
    pub async fn steps(&mut self, by: i32) -> Result<TraceInfo> {
        let journey = self.depart(by).await?;
        while !self.travel_on(&journey, || 0.0).await? {}
        self.arrive().await
    }

    /// Keeps the state before this step.
    fn remember(&mut self) {
        if self.history.changed || self.history.steps().all(|step| step != self.step) {
            self.history.keep(self.step, Flats(FLATS.map(|group| self.trace.before(group).to_vec())));
        }
    }

    /// Memory that the states to go back to may take, in bytes.
    pub fn set_history_budget(&mut self, bytes: usize) {
        self.history.set_budget(bytes);
    }

    /// Stands before the first op of a step, which begins with the flat buffers as they are.
    async fn begin(&mut self, step: usize) -> Result<()> {
        self.step = step;
        self.trace.begin(&mut self.backend, data(&self.program, self.seed, step)).await
    }

    /// Everything about the walk. Each statement but the learning rate's stands for a layer, and the nodes that it is made of belong to it.
    pub async fn info(&mut self) -> Result<TraceInfo> {
        let state = self.state(None).await?;
        let Program { graph, statements, loss, .. } = &self.program;
        let loss = *loss;
        let mut ends: Vec<NodeId> = statements.iter().map(|statement| statement.node).collect();
        ends.sort_unstable();
        ends.dedup();
        let layer_of = |node: NodeId| match ends.iter().find(|&&end| end >= node) {
            Some(&end) if end != loss => graph.node(end).name.clone(),
            _ => String::new(),
        };
        let mut nodes = self.trace.nodes(1);
        for (id, node) in graph.ids().zip(&mut nodes) {
            node.batched = false;
            node.layer = match graph.node(id).phase {
                Phase::Forward => layer_of(id),
                Phase::Backward { of } => layer_of(of),
                Phase::Update => String::new(),
            };
        }
        let first = ends.first().copied().unwrap_or(loss);
        let layer = |&end: &NodeId| TraceLayer {
            name: graph.node(end).name.clone(),
            kind: nodes[end.index()].op.clone(),
            output: end.index(),
            parameters: matches!(graph.node(end).kind, Kind::Leaf(_)).then_some(end.index()).into_iter().collect(),
        };
        let is_scalar = |end: NodeId| matches!(graph.node(end).kind, Kind::Leaf(Leaf::Scalar(_)));
        let forward_end = self.trace.end_of(Lane::Forward);
        Ok(TraceInfo {
            number: 0,
            subject: Subject::Batch,
            batch: 1,
            rows: Vec::new(),
            ops: self.trace.ops().map(NodeId::index).collect(),
            forward_end,
            backward_end: self.trace.end_of(Lane::Backward).max(forward_end),
            layers: ends.iter().filter(|&&end| end != loss && end != first && !is_scalar(end)).map(layer).collect(),
            x: first.index(),
            y: None,
            output: loss.index(),
            loss: loss.index(),
            nodes,
            state,
        })
    }

    async fn state(&mut self, hit: Option<Hit>) -> Result<TraceState> {
        let loss = self.trace.loss(&self.backend).await?;
        Ok(TraceState {
            cursor: self.trace.cursor(),
            step: self.step,
            epoch: self.step,
            position: 0,
            steps_per_epoch: 1,
            loss,
            edited: self.trace.edited().map(NodeId::index).collect(),
            hit,
            snapshots: self.history.steps().collect(),
            thinned: self.history.thinned,
            hyper: BTreeMap::new(),
        })
    }

    /// What gradient descent does to a variable in this step.
    pub async fn optimizer_table(&mut self, parameter: &str) -> Result<(OptimizerTable, Vec<Vec<f32>>)> {
        let variables = self.program.graph.variables().iter();
        let mut trained = variables.filter(|variable| variable.group == Group::Parameters);
        let missing = || Error::new(ErrorCode::UnknownName, &[("kind", &"parameter"), ("got", &parameter)]);
        let variable = trained.find(|variable| variable.name == parameter).ok_or_else(missing)?;
        let range = variable.offset..variable.offset + variable.shape.numel();
        let mut columns = vec![("value", self.trace.before(Group::Parameters)[range.clone()].to_vec())];
        if self.trace.cursor() >= self.trace.end_of(Lane::Backward) {
            columns.push(("gradient", self.backend.read(Group::Gradients).await?[range.clone()].to_vec()));
        }
        if self.trace.cursor() == self.trace.ops().len() {
            let next = self.backend.read(Group::Parameters).await?[range].to_vec();
            let update = next.iter().zip(&columns[0].1).map(|(next, value)| next - value).collect();
            columns.extend([("update", update), ("next", next)]);
        }
        let (names, arrays): (Vec<&str>, Vec<Vec<f32>>) = columns.into_iter().unzip();
        let table = OptimizerTable {
            parameter: parameter.into(),
            shape: variable.shape.to_vec(),
            columns: names.into_iter().map(str::to_owned).collect(),
            learning_rate: self.program.optimizer.learning_rate().at(self.step) as f32,
            kind: self.program.optimizer.kind().to_owned(),
        };
        Ok((table, arrays))
    }
}

/// The numbers of a step.
fn data(program: &Program, seed: u32, step: usize) -> StepData {
    let now = optim::scalars_at(&program.optimizer, step);
    let value = |(name, first): &(String, f32)| now.iter().find(|(known, _)| known == name).map_or(*first, |(_, value)| *value);
    StepData { seed, step: step as u32, scalars: program.graph.scalars().iter().map(value).collect(), ..StepData::default() }
}
