//! A program of the scratchpad, walked through: the same steps as a session's, over a graph that has no layers and no data.

use std::collections::BTreeMap;

use super::walk::{OptimizerTable, Subject, TraceInfo, TraceLayer, TraceState};
use crate::backend::cpu::Cpu;
use crate::backend::{Backend, Device, StepData};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::{Group, Kind, Leaf, NodeId, Phase};
use crate::optim;
use crate::scratch::{self, Program};
use crate::trace::{Breakpoint, Hit, Lane, Trace};

/// Bytes that the states before earlier steps may take together.
const BUDGET: usize = 64 << 20;
/// Most states to go back to.
const MOST_KEPT: usize = 256;
/// Most steps that one travel takes.
const MOST_STEPS: usize = 10_000;

/// Parameters, and what a step leaves alone, at the beginning of a step.
type Flats = [Vec<f32>; 2];
const FLATS: [Group; 2] = [Group::Parameters, Group::Statistics];

/// A walk over a program's graph, on a CPU backend of its own.
pub struct ProgramWalk {
    program: Program,
    seed: u32,
    backend: Device,
    trace: Trace<Device>,
    step: usize,
    /// States to go back to, by step.
    history: BTreeMap<usize, Flats>,
    thinned: bool,
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
        Ok(Self { program, seed, backend, trace, step: 0, history: BTreeMap::new(), thinned: false })
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

    /// Puts a number into an element; a variable keeps it.
    pub async fn edit(&mut self, node: usize, element: usize, value: f32) -> Result<TraceState> {
        self.trace.edit(&mut self.backend, node, element, value)?;
        // What was reached from the former value is no longer so.
        self.history.split_off(&self.step);
        self.state(None).await
    }

    /// Takes so many steps of gradient descent, or goes back over them; the walk is opened anew there.
    pub async fn steps(&mut self, by: i32) -> Result<TraceInfo> {
        let target = self.step.saturating_add_signed(by as isize).min(self.step.saturating_add(MOST_STEPS));
        if target < self.step {
            let (&from, flats) = self
                .history
                .range(..=target)
                .next_back()
                .ok_or_else(|| Error::new(ErrorCode::WrongState, &[("what", &"going back"), ("reason", &"no snapshot is that old")]))?;
            let flats = flats.clone();
            self.trace.settle(&mut self.backend)?;
            for (group, values) in FLATS.into_iter().zip(&flats) {
                self.backend.write(group, 0, values)?;
            }
            self.step = from;
            self.reopen().await?;
        }
        if self.step < target {
            // What was put into a computed value is for one walk, not for the step.
            self.trace.settle(&mut self.backend)?;
            self.reopen().await?;
        }
        while self.step < target {
            self.remember();
            let all = self.trace.ops().len();
            self.trace.go(&mut self.backend, all, &[], None).await?;
            self.step += 1;
            self.reopen().await?;
        }
        self.info().await
    }

    /// Keeps the state before this step; every second of the old ones goes when they take too much.
    fn remember(&mut self) {
        let flats = FLATS.map(|group| self.trace.before(group).to_vec());
        let bytes = 4 * flats.iter().map(Vec::len).sum::<usize>().max(1);
        self.history.insert(self.step, flats);
        if self.history.len() > MOST_KEPT || self.history.len() * bytes > BUDGET {
            let mut odd = false;
            self.history.retain(|&step, _| {
                odd = !odd;
                odd || step == 0
            });
            self.thinned = true;
        }
    }

    /// Opens the step that the flat buffers stand at.
    async fn reopen(&mut self) -> Result<()> {
        let data = data(&self.program, self.seed, self.step);
        self.trace = Trace::open(&mut self.backend, &self.program.graph, self.program.loss, data, &[]).await?;
        Ok(())
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
            snapshots: self.history.keys().copied().collect(),
            thinned: self.thinned,
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
