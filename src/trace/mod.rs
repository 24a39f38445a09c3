//! The stepper: a cursor over the ops of one step of any graph, and every number on the way explained.
//!
//! A walk runs the plan `Inspect`, one op a node, and every value stays where it was computed: going back is only a smaller cursor. What the step
//! updates (parameters, the optimizer's memory, moving statistics) is kept as it was at the beginning and given back at the end.

mod explain;
mod nudge;
mod report;
mod value;
mod why;

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::rc::Rc;

pub use report::{Breakpoint, Cause, Explanation, Hit, Lane, Nudge, ReadItem, Reason, Role, Source, Term, TraceNode};

use litemap::LiteMap;

use crate::backend::{Backend, Feed, StepData};
use crate::error::{Error, ErrorCode, Result};
use crate::graph::{Group, Kind, Leaf, NodeId, Operation, Phase};
use crate::ops::{Graph, Op};
use crate::plan::{BufferKind, Mode, Operand, Place, Plan};
use crate::tensor::DType;

/// One training step, walked through.
pub struct Trace<B: Backend> {
    plan: Rc<Plan>,
    exec: B::Exec,
    loss: NodeId,
    data: StepData,
    /// Steps of the plan that each op takes: its kernel, and what is copied behind it.
    ops: Vec<(NodeId, Range<usize>)>,
    /// Position of each node among the ops.
    positions: HashMap<NodeId, usize>,
    /// The forward nodes whose gradient a node holds.
    gradient_of: HashMap<NodeId, Vec<NodeId>>,
    /// Ops done, as whoever walks sees it.
    cursor: usize,
    /// Ops done whose values are in memory; at least `cursor`.
    done: usize,
    /// What the step updates, as it was at the beginning.
    before: LiteMap<Group, Vec<f32>>,
    /// Numbers put in by hand, by node.
    edits: LiteMap<NodeId, LiteMap<usize, f32>>,
    /// Values read lately: an explanation reads the same ones as its neighbour's.
    read: VecDeque<(NodeId, Rc<Vec<f32>>)>,
}

/// Values that are kept after they were read.
const MOST_READ: usize = 6;
/// Cells of a value that is not: memory counts for more then than the milliseconds of another copy.
const LARGE: usize = 3 << 19;

/// Something that cannot be done in a walk, and why.
fn refused(what: &str, reason: &str) -> Error {
    Error::new(ErrorCode::WrongState, &[("what", &what), ("reason", &reason)])
}

impl<B: Backend> Trace<B> {
    /// A walk through one step of `graph`, whose gradients and updates are there already, before its first op. The backend has the graph's flat
    /// buffers; `inputs` are the batch's columns where the feed does not bring them.
    pub async fn open(backend: &mut B, graph: &Graph, loss: NodeId, data: StepData, inputs: &[&[f32]]) -> Result<Self> {
        let plan = Rc::new(Plan::new(graph, Mode::Inspect, &[])?);
        let mut exec = backend.compile(Rc::clone(&plan), &[]).await?;
        for (column, values) in inputs.iter().enumerate() {
            backend.write_input(&mut exec, column, values)?;
        }
        let mut ops: Vec<(NodeId, Range<usize>)> = Vec::with_capacity(plan.steps.len());
        for (index, step) in plan.steps.iter().enumerate() {
            match (step.nodes.last(), ops.last_mut()) {
                // Put together by several copies.
                (Some(node), Some((last, range))) if last == node => range.end = index + 1,
                (Some(&node), _) => ops.push((node, index..index + 1)),
                (None, Some((_, range))) => range.end = index + 1,
                (None, None) => {}
            }
        }
        let positions = ops.iter().enumerate().map(|(position, &(node, _))| (node, position)).collect();
        let mut gradient_of: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
        for id in plan.graph.ids() {
            if let Some(gradient) = plan.graph.gradient_of(id) {
                gradient_of.entry(gradient).or_default().push(id);
            }
        }
        let mut trace = Self {
            plan,
            exec,
            loss,
            data: StepData::default(),
            ops,
            positions,
            gradient_of,
            cursor: 0,
            done: 0,
            before: LiteMap::new(),
            edits: LiteMap::new(),
            read: VecDeque::new(),
        };
        trace.begin(backend, data).await?;
        Ok(trace)
    }

    /// Stands before the first op of another step over the same graph, which begins with the flat buffers as they are; no edit holds any more.
    pub async fn begin(&mut self, backend: &mut B, data: StepData) -> Result<()> {
        self.data = data;
        self.edits.clear();
        for group in updated(&self.plan.graph) {
            self.before.insert(group, backend.read(group).await?);
        }
        self.gather(backend)
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.plan.graph
    }

    /// Ops done.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Nodes in the order in which they are computed.
    pub fn ops(&self) -> impl ExactSizeIterator<Item = NodeId> + '_ {
        self.ops.iter().map(|&(node, _)| node)
    }

    /// How many ops are done when the whole of a lane is.
    pub fn end_of(&self, lane: Lane) -> usize {
        let last = self.ops.iter().rposition(|&(node, _)| lane_of(&self.plan.graph, node) == lane);
        last.map_or(0, |position| position + 1)
    }

    /// Nodes with numbers put in by hand.
    pub fn edited(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.edits.keys().copied()
    }

    /// The loss, once it is computed.
    pub async fn loss(&mut self, backend: &B) -> Result<Option<f32>> {
        match self.is_known(self.loss) {
            true => Ok(self.value(backend, self.loss).await?.first().copied()),
            false => Ok(None),
        }
    }

    /// Every node as the page sees it; `batch` examples are walked through together.
    pub fn nodes(&self, batch: usize) -> Vec<TraceNode> {
        let graph = &self.plan.graph;
        let batched = self.batched(batch);
        let node = |id: NodeId| {
            let node = graph.node(id);
            let role = role_of(graph, id);
            let computed = matches!(node.kind, Kind::Op(_));
            TraceNode {
                name: node.name.clone(),
                op: match &node.kind {
                    Kind::Op(op) => op.name().into(),
                    Kind::Leaf(_) => format!("{role:?}").to_ascii_lowercase(),
                },
                formula: match &node.kind {
                    Kind::Op(op) => op.formula(),
                    Kind::Leaf(_) => String::new(),
                },
                role,
                layer: node.layer.clone(),
                time_step: node.time_step,
                lane: lane_of(graph, id),
                of: match node.phase {
                    Phase::Backward { of } if computed => Some(of.index()),
                    _ => None,
                },
                shape: node.meta.shape.to_vec(),
                batched: batched[id.index()],
                inputs: node.inputs.iter().map(|input| input.index()).collect(),
                gradient: graph.gradient_of(id).map(NodeId::index),
                position: self.position_of(id),
                variable: match &node.kind {
                    Kind::Leaf(Leaf::Variable(variable)) => Some(graph.variable(*variable).name.clone()),
                    _ => None,
                },
            }
        };
        graph.ids().map(node).collect()
    }

    /// Of each node, whether its first axis counts the examples: an input's does, and so does that of what is computed from such values and keeps
    /// the axis, unless it is a parameter's gradient.
    fn batched(&self, batch: usize) -> Vec<bool> {
        let graph = &self.plan.graph;
        let mut batched: Vec<bool> = Vec::with_capacity(graph.nodes().len());
        for (id, node) in graph.ids().zip(graph.nodes()) {
            let leads = node.meta.shape.first() == Some(&batch) && lane_of(graph, id) != Lane::Update;
            let weight = self.gradient_of.get(&id).is_some_and(|of| of.iter().any(|of| role_of(graph, *of) == Role::Parameter));
            let follows = match &node.kind {
                Kind::Leaf(leaf) => matches!(leaf, Leaf::Input(_)),
                Kind::Op(Op::RandomUniform(_)) => true,
                // Between sequences of each example and examples of each time step.
                Kind::Op(Op::Transpose(transpose)) if transpose.perm == [1, 0, 2] => !batched[node.inputs[0].index()],
                Kind::Op(_) => node.inputs.iter().any(|input| batched[input.index()] || graph.shape(*input).numel() == 1),
            };
            batched.push(leads && !weight && follows);
        }
        batched
    }

    /// Goes to where `cursor` ops are done. Going forward stops behind an op that a breakpoint is for; `usual_loss` is what a loss is compared with.
    pub async fn go(&mut self, backend: &mut B, cursor: usize, breakpoints: &[Breakpoint], usual_loss: Option<f32>) -> Result<Option<Hit>> {
        if cursor > self.ops.len() {
            let expected = format!("at most {}", self.ops.len());
            return Err(Error::new(ErrorCode::BadValue, &[("name", &"cursor"), ("expected", &expected), ("got", &cursor)]));
        }
        if cursor <= self.cursor || breakpoints.is_empty() {
            self.run_to(backend, cursor)?;
            self.cursor = cursor;
            return Ok(None);
        }
        while self.cursor < cursor {
            self.run_to(backend, self.cursor + 1)?;
            self.cursor += 1;
            let (node, _) = self.ops[self.cursor - 1];
            for (number, breakpoint) in breakpoints.iter().enumerate() {
                if let Some((element, value)) = self.hit(backend, node, breakpoint, usual_loss).await? {
                    return Ok(Some(Hit { breakpoint: number, node: node.index(), element, value }));
                }
            }
        }
        Ok(None)
    }

    /// Whether a breakpoint is for the op of `node`, which has just run: at which element, and what was there.
    async fn hit(&mut self, backend: &B, node: NodeId, at: &Breakpoint, usual_loss: Option<f32>) -> Result<Option<(Option<usize>, f32)>> {
        Ok(match *at {
            Breakpoint::Op { node: wanted } => (wanted == node.index()).then_some((None, 0.0)),
            Breakpoint::NotFinite => {
                let values = self.value(backend, node).await?;
                let found = values.iter().position(|value| !value.is_finite());
                found.map(|element| (Some(element), values[element]))
            }
            Breakpoint::LossAbove { factor } => match (node == self.loss, usual_loss) {
                (true, Some(usual)) => {
                    let loss = self.value(backend, node).await?.first().copied().unwrap_or(f32::NAN);
                    (loss > factor * usual).then_some((Some(0), loss))
                }
                _ => None,
            },
            Breakpoint::DeadUnits { share } => {
                let graph = &self.plan.graph;
                let is_relu = matches!(&graph.node(node).kind, Kind::Op(op) if op.name().ends_with("relu"));
                if !is_relu || lane_of(graph, node) != Lane::Forward {
                    return Ok(None);
                }
                let units: usize = graph.shape(node).iter().skip(1).product();
                let values = self.value(backend, node).await?;
                let dead = (0..units).filter(|&unit| values.iter().skip(unit).step_by(units).all(|&value| value == 0.0));
                let dead = dead.count() as f32 / units.max(1) as f32;
                (dead > share).then_some((None, dead))
            }
        })
    }

    /// Has at least so many ops done.
    fn run_to(&mut self, backend: &mut B, cursor: usize) -> Result<()> {
        while self.done < cursor {
            // As many ops at once as there are before the next one whose result was edited.
            let edited = |position: &usize| self.edits.contains_key(&self.ops[*position].0);
            let last = (self.done..cursor).find(edited).unwrap_or(cursor - 1);
            let range = self.ops[self.done].1.start..self.ops[last].1.end;
            let data = StepData { feed: Feed::Kept, ..self.data.clone() };
            backend.run(&mut self.exec, &data, range)?;
            self.done = last + 1;
            let node = self.ops[last].0;
            if let Some(Operand::Memory(place)) = self.plan.place(node) {
                self.put_edits(backend, node, place)?;
            }
        }
        Ok(())
    }

    /// Writes the numbers that were put into a node's value by hand.
    fn put_edits(&self, backend: &mut B, node: NodeId, place: Place) -> Result<()> {
        for (&element, &value) in self.edits.get(&node).into_iter().flatten() {
            backend.write_place(&self.exec, Place { offset: place.offset + element, len: 1, ..place }, &[value])?;
        }
        Ok(())
    }

    /// The batch as it was fed, with what was edited in it; nothing is done yet.
    fn gather(&mut self, backend: &mut B) -> Result<()> {
        backend.run(&mut self.exec, &self.data, 0..0)?;
        let edited: Vec<NodeId> = self.edits.keys().copied().collect();
        for node in edited {
            if let (Kind::Leaf(Leaf::Input(_)), Some(Operand::Memory(place))) = (&self.plan.graph.node(node).kind, self.plan.place(node)) {
                self.put_edits(backend, node, place)?;
            }
        }
        (self.done, self.cursor) = (0, 0);
        self.read.clear();
        Ok(())
    }

    /// Gives back what the step updated.
    fn restore(&self, backend: &mut B) -> Result<()> {
        self.before.iter().try_for_each(|(&group, values)| backend.write(group, 0, values))
    }

    /// A flat buffer as it was before the step; empty where the step has no part in it.
    pub fn before(&self, group: Group) -> &[f32] {
        self.before.get(&group).map_or(&[], Vec::as_slice)
    }

    /// Leaves the flat buffers as they were before the step, for whoever uses them outside the walk; [`Trace::resume`] takes the walk up again.
    pub fn settle(&mut self, backend: &mut B) -> Result<()> {
        let first = (0..self.done).find(|&position| self.updates(position));
        if let Some(first) = first {
            self.restore(backend)?;
            self.done = first;
            self.read.clear();
        }
        Ok(())
    }

    /// After [`Trace::settle`]: what the ops up to the cursor had updated is updated again.
    pub fn resume(&mut self, backend: &mut B) -> Result<()> {
        self.run_to(backend, self.cursor)
    }

    /// Whether an op writes what is not the walk's alone.
    fn updates(&self, position: usize) -> bool {
        let steps = &self.plan.steps[self.ops[position].1.clone()];
        let shared = |place: &Place| match self.plan.buffers[place.buffer].kind {
            // The gradients too: whoever looks from outside runs a backward pass of his own into them.
            BufferKind::Flat(_) => true,
            BufferKind::Slot | BufferKind::Input(_) => false,
        };
        steps.iter().flat_map(|step| &step.outputs).any(shared)
    }

    /// Puts a number into an element: of an input or a computed value for this walk, of a parameter or a statistic for good. The cursor then
    /// stands just behind the value, and what was made from it is computed anew.
    pub fn edit(&mut self, backend: &mut B, node: usize, element: usize, value: f32) -> Result<()> {
        let id = self.element(node, element)?;
        if !value.is_finite() {
            return Err(Error::new(ErrorCode::BadValue, &[("name", &"value"), ("expected", &"a number"), ("got", &value)]));
        }
        let graph = &self.plan.graph;
        match &graph.node(id).kind {
            Kind::Leaf(Leaf::Input(_)) if graph.node(id).meta.dtype == DType::F32 => {
                self.edits.entry(id).or_default().insert(element, value);
            }
            Kind::Leaf(Leaf::Variable(variable)) => {
                let variable = graph.variable(*variable);
                if let Some(cell) = self.before.get_mut(&variable.group).and_then(|values| values.get_mut(variable.offset + element)) {
                    *cell = value;
                }
                self.edits.entry(id).or_default().insert(element, value);
            }
            Kind::Op(_) if lane_of(graph, id) != Lane::Update => {
                let Some((&position, Operand::Memory(_))) = self.positions.get(&id).zip(self.plan.place(id)) else {
                    return Err(refused("edit", "this value is a constant"));
                };
                if position >= self.cursor {
                    return Err(refused("edit", "it is not computed yet"));
                }
                self.edits.entry(id).or_default().insert(element, value);
                self.restore(backend)?;
                self.gather(backend)?;
                self.run_to(backend, position + 1)?;
                self.cursor = position + 1;
                return Ok(());
            }
            Kind::Leaf(_) | Kind::Op(_) => return Err(refused("edit", "this value cannot be changed")),
        }
        self.restore(backend)?;
        self.gather(backend)
    }

    /// The node of that number, if it has that element.
    fn element(&self, node: usize, element: usize) -> Result<NodeId> {
        let missing = |kind: &str, got: usize| Error::new(ErrorCode::UnknownName, &[("kind", &kind), ("got", &got)]);
        let id = self.plan.graph.ids().nth(node).ok_or_else(|| missing("node", node))?;
        match element < self.plan.graph.shape(id).numel() {
            true => Ok(id),
            false => Err(missing("element", element)),
        }
    }
}

/// The flat buffers that a step changes.
fn updated(graph: &Graph) -> Vec<Group> {
    let written = graph.writes().iter().map(|&(_, target)| crate::plan::target_range(graph, target).0);
    // Variables are read from here too, whether the step changes them or not.
    let variables = graph.variables().iter().map(|variable| variable.group);
    let flats = graph.nodes().iter().filter_map(|node| match node.kind {
        Kind::Leaf(Leaf::Flat(group)) if group != Group::Gradients => Some(group),
        _ => None,
    });
    let mut groups = Vec::new();
    for group in written.chain(variables).chain(flats) {
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups
}

/// When a node is computed.
pub(crate) fn lane_of(graph: &Graph, id: NodeId) -> Lane {
    match graph.node(id).phase {
        Phase::Forward => Lane::Forward,
        Phase::Backward { .. } => Lane::Backward,
        Phase::Update => Lane::Update,
    }
}

/// What a node's value is.
fn role_of(graph: &Graph, id: NodeId) -> Role {
    match &graph.node(id).kind {
        Kind::Op(_) => Role::Op,
        Kind::Leaf(Leaf::Input(0)) => Role::Input,
        Kind::Leaf(Leaf::Input(_)) => Role::Target,
        Kind::Leaf(Leaf::Flat(_)) => Role::Optimizer,
        Kind::Leaf(Leaf::Scalar(_)) => Role::Scalar,
        Kind::Leaf(Leaf::Constant(_)) => Role::Constant,
        Kind::Leaf(Leaf::Variable(variable)) => match graph.variable(*variable).group {
            Group::Parameters => Role::Parameter,
            Group::Frozen => Role::Frozen,
            Group::Statistics | Group::Gradients | Group::Slot(_) | Group::Live | Group::Cache => Role::Statistic,
        },
    }
}
