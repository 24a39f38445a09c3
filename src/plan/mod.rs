//! Compiles a graph into steps over buffers. The plan `Train` folds constants, fuses pointwise chains into the kernels in front of them, and
//! shares memory by lifetime; the plan `Inspect` runs one step a node and keeps every value, so that the stepper can look at any of them.

mod attention;
mod crop;
mod fuse;
mod memory;
mod schedule;
mod simplify;

use std::ops::Range;

use crate::error::Result;
use crate::graph::{Group, NodeId, Target};
use crate::ops::pointwise::Chain;
use crate::ops::{Cost, Graph, Op};
use crate::tensor::{Meta, Shape};

/// Storage buffers that a kernel may bind, less one for the step's scalars (WebGPU guarantees 8).
const MOST_BUFFERS: usize = 7;

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Speed: fused, memory shared.
    Train,
    /// Looking: one step a node, every value stays.
    Inspect,
}

/// Makes another graph that does the same with less work, and tells where each node went; none where there is nothing to save, or somebody looks.
type Rule = fn(&Graph, &[NodeId]) -> Result<Option<(Graph, Vec<NodeId>)>>;

/// A plan: what to run, in which buffers.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it is for.
    pub mode: Mode,
    /// The graph of its steps' nodes: the one that it came from, or one in which single operations stand for parts of that.
    pub graph: Graph,
    /// All buffers.
    pub buffers: Vec<Buffer>,
    /// Where the value of each node of the graph that it came from lies, once computed; none for values that were fused away or never needed.
    pub places: Vec<Option<Operand>>,
    /// What to run, in order.
    pub steps: Vec<Step>,
}

/// A buffer of 32-bit cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Buffer {
    /// What lives in it.
    pub kind: BufferKind,
    /// Cells.
    pub len: usize,
}

/// What lives in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BufferKind {
    /// Intermediate values of this plan.
    Slot,
    /// A batch column: 0 is x, 1 is y.
    Input(usize),
    /// Parameters, gradients, the optimizer's slots, statistics: shared by all plans of a session.
    Flat(Group),
}

/// A range of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Position in [`Plan::buffers`].
    pub buffer: usize,
    /// First cell; a multiple of [`crate::graph::ALIGN`], but for what a [`Kernel::Copy`] reads and writes.
    pub offset: usize,
    /// Cells.
    pub len: usize,
}

impl Place {
    /// Whether the two share cells.
    pub fn overlaps(&self, other: &Place) -> bool {
        self.buffer == other.buffer && self.offset < other.offset + other.len && other.offset < self.offset + self.len
    }
}

/// Where a kernel reads a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operand {
    /// From memory.
    Memory(Place),
    /// One of the step's scalars.
    Scalar(usize),
    /// A number.
    Constant(f32),
}

/// What a step runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Kernel {
    /// An operation over the first inputs, then a chain (if any) over its result and the inputs after them.
    Op {
        /// The operation.
        op: Op,
        /// Metas of its own inputs.
        inputs: Vec<Meta>,
        /// Meta of its own result.
        out: Meta,
        /// What is done to the result before it is stored.
        chain: Option<Chain>,
    },
    /// Pointwise functions alone.
    Chain(Chain),
    /// The one input, copied to the output.
    Copy,
}

/// One kernel with its operands.
#[derive(Clone, Debug)]
pub struct Step {
    /// What to run.
    pub kernel: Kernel,
    /// What it reads, with the shape that it reads it as.
    pub inputs: Vec<(Operand, Shape)>,
    /// What it writes: one place, or one for each output of a chain. A place may equal an input's: then element i depends on that input's
    /// element i alone.
    pub outputs: Vec<Place>,
    /// Shape of the results.
    pub shape: Shape,
    /// The nodes that it computes, in order.
    pub nodes: Vec<NodeId>,
}

impl Plan {
    /// Compiles `graph` for `mode`, so that the values of `keep` stay readable after a run. Writes and gradients of the graph are always made.
    pub fn new(graph: &Graph, mode: Mode, keep: &[NodeId]) -> Result<Plan> {
        let rules: &[Rule] = match mode {
            Mode::Train => &[crop::crop, attention::fuse],
            Mode::Inspect => &[],
        };
        Self::by(rules, graph, mode, keep)
    }

    fn by(rules: &[Rule], graph: &Graph, mode: Mode, keep: &[NodeId]) -> Result<Plan> {
        let Some((rule, rest)) = rules.split_first() else {
            let simple = simplify::Simplified::new(graph, mode, keep);
            let groups = fuse::fuse(&simple, mode);
            let schedule = schedule::Schedule::new(&simple, groups);
            return Ok(memory::allocate(&simple, schedule, mode));
        };
        let Some((other, moved)) = rule(graph, keep)? else { return Self::by(rest, graph, mode, keep) };
        let keep: Vec<NodeId> = keep.iter().map(|node| moved[node.index()]).collect();
        let plan = Self::by(rest, &other, mode, &keep)?;
        // A part of a value is not the value.
        let whole = |(id, &to): (NodeId, &NodeId)| plan.place(to).filter(|_| graph.shape(id) == other.shape(to));
        let places = graph.ids().zip(&moved).map(whole).collect();
        Ok(Plan { places, ..plan })
    }

    /// Where a node's value lies after a run.
    pub fn place(&self, node: NodeId) -> Option<Operand> {
        self.places[node.index()]
    }

    /// The last node of the step that writes most to a buffer.
    pub fn largest_in(&self, buffer: usize) -> Option<NodeId> {
        let size = |step: &Step| step.outputs.iter().filter(|place| place.buffer == buffer).map(|place| place.len).max();
        let (_, step) = self.steps.iter().filter_map(|step| Some((size(step)?, step))).max_by_key(|&(len, _)| len)?;
        step.nodes.last().copied()
    }

    /// Cells of the largest value that the plan has a buffer of its own for.
    pub fn largest(&self) -> usize {
        let places = self.steps.iter().flat_map(|step| &step.outputs);
        let own = places.filter(|place| matches!(self.buffers[place.buffer].kind, BufferKind::Slot | BufferKind::Input(_)));
        own.map(|place| place.len).max().unwrap_or(0)
    }

    /// Whether some of the steps write what other plans of a session compute with, and what lasts.
    pub fn writes_weights(&self, steps: Range<usize>) -> bool {
        let weighs = |place: &Place| match self.buffers[place.buffer].kind {
            BufferKind::Flat(Group::Parameters | Group::Statistics | Group::Frozen) => true,
            BufferKind::Flat(Group::Gradients | Group::Slot(_) | Group::Live | Group::Cache) => false,
            BufferKind::Slot | BufferKind::Input(_) => false,
        };
        self.steps[steps].iter().flat_map(|step| &step.outputs).any(weighs)
    }

    /// Work of one run.
    pub fn cost(&self) -> Cost {
        let mut total = Cost::default();
        let mut nodes: Vec<NodeId> = self.steps.iter().flat_map(|step| &step.nodes).copied().collect();
        // What several copies put together is there as often.
        nodes.dedup();
        for node in nodes {
            let node = self.graph.node(node);
            if let crate::graph::Kind::Op(op) = &node.kind {
                let inputs: Vec<&Meta> = node.inputs.iter().map(|&input| &self.graph.node(input).meta).collect();
                let cost = op.cost(&inputs, &node.meta);
                total.flops += cost.flops;
                total.bytes += cost.bytes;
            }
        }
        total
    }

    /// Cells of the plan's own buffers.
    pub fn slot_cells(&self) -> usize {
        self.buffers.iter().filter(|buffer| buffer.kind == BufferKind::Slot).map(|buffer| buffer.len).sum()
    }

    /// The buffer of a batch column, if the plan reads it.
    pub fn input(&self, column: usize) -> Option<usize> {
        self.buffers.iter().position(|buffer| buffer.kind == BufferKind::Input(column))
    }
}

/// The flat range that a target names: group, offset, length.
pub(crate) fn target_range(graph: &Graph, target: Target) -> (Group, usize, usize) {
    match target {
        Target::Flat(group) => (group, 0, graph.flat_len(group)),
        Target::Variable(id) => {
            let variable = graph.variable(id);
            (variable.group, variable.offset, variable.shape.numel())
        }
    }
}
