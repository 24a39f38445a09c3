//! Where each value lives: parameters and gradients in their flat buffers, everything else in slots that are shared by lifetime.

use super::fuse::{Fused, outputs, shape_of};
use super::schedule::Schedule;
use super::simplify::{Simplified, Value};
use super::{Buffer, BufferKind, Kernel, Mode, Operand, Place, Plan, Step};
use crate::graph::{ALIGN, Group, Kind, Leaf, NodeId};
use crate::ops::pointwise::{Arg, Chain, Instr};
use crate::tensor::Shape;

/// Cells of a small value, and for how many kernels its slot rests: so that what could run beside its last reader need not wait for that.
const SMALL: usize = 1 << 14;
const REST: usize = 8;

pub(super) fn allocate(simple: &Simplified, schedule: Schedule, mode: Mode) -> Plan {
    let mut memory = Memory::new(simple, &schedule, mode);
    let mut steps = Vec::with_capacity(schedule.groups.len() + schedule.copies.len());
    // A copy to the gradient comes before whatever reads the gradient; copies to parameters come last.
    let (gradients, writes): (Vec<_>, Vec<_>) = schedule.copies.iter().copied().partition(|(_, group, _)| *group == Group::Gradients);
    let mut pending = Some(gradients);
    for (time, group) in schedule.groups.iter().enumerate() {
        let reads_gradient = group.nodes().flat_map(|node| &simple.inputs[node.index()]).any(|input| {
            matches!(simple.values[input.index()], Value::Node(node)
                if simple.graph.node(node).kind == Kind::Leaf(Leaf::Flat(Group::Gradients)))
        });
        if reads_gradient {
            for copy in pending.take().unwrap_or_default() {
                steps.push(memory.copy(copy));
            }
        }
        memory.append(group, time, &mut steps);
    }
    for copy in pending.unwrap_or_default().into_iter().chain(writes) {
        steps.push(memory.copy(copy));
    }
    let places = simple.graph.ids().map(|id| memory.operand_if_placed(id)).collect();
    Plan { mode, graph: simple.graph.clone(), buffers: memory.buffers, places, steps }
}

struct Memory<'a> {
    simple: &'a Simplified<'a>,
    mode: Mode,
    buffers: Vec<Buffer>,
    /// Place of each resolved node.
    placed: Vec<Option<Place>>,
    /// When a value is read for the last time; never for what must stay.
    last_use: Vec<usize>,
    /// Slices that are read where they lie: of which node they are, and where they begin in it.
    views: Vec<Option<(NodeId, usize)>>,
    /// Parts that are written where they belong: in which node's value, and where in it.
    homes: Vec<Option<(NodeId, usize)>>,
    /// Free slots.
    free: Vec<usize>,
    /// Slots by the time after which they are free.
    busy: Vec<Vec<usize>>,
    /// The first time whose slots are not free yet.
    now: usize,
}

impl<'a> Memory<'a> {
    fn new(simple: &'a Simplified<'a>, schedule: &Schedule, mode: Mode) -> Self {
        let count = simple.values.len();
        let mut memory = Memory {
            simple,
            mode,
            buffers: Vec::new(),
            placed: vec![None; count],
            last_use: vec![0; count],
            views: vec![None; count],
            homes: vec![None; count],
            free: Vec::new(),
            busy: vec![Vec::new(); schedule.groups.len()],
            now: 0,
        };
        for (time, group) in schedule.groups.iter().enumerate() {
            for node in group.nodes().flat_map(|node| simple.producers(node)) {
                memory.last_use[node.index()] = time;
            }
        }
        for id in simple.graph.ids().filter(|id| simple.kept[id.index()]) {
            memory.last_use[id.index()] = usize::MAX;
        }
        for &(node, group, offset) in &schedule.in_place {
            let buffer = memory.shared(BufferKind::Flat(group), simple.graph.flat_len(group));
            memory.placed[node.index()] = Some(Place { buffer, offset, len: simple.shape(node).numel() });
        }
        if mode == Mode::Train {
            schedule.groups.iter().rev().filter_map(|group| group.anchor).for_each(|node| memory.settle_view(node));
        }
        let assembled = schedule.groups.iter().filter_map(|group| group.anchor).filter(|&node| simple.assembled(node));
        assembled.for_each(|node| memory.settle_parts(node));
        memory
    }

    /// Has a slice be read where it lies, if a kernel can bind it there: what it is of lives as long as it does.
    fn settle_view(&mut self, node: NodeId) {
        let Some((source, offset)) = self.simple.range(node) else { return };
        if offset.is_multiple_of(ALIGN) && self.placed[node.index()].is_none() && self.placed[source.index()].is_none() {
            self.views[node.index()] = Some((source, offset));
            self.last_use[source.index()] = self.last_use[source.index()].max(self.last_use[node.index()]);
        }
    }

    /// Has the parts of a value be written straight into it, as far as kernels can bind them there.
    fn settle_parts(&mut self, node: NodeId) {
        if self.placed[node.index()].is_some() {
            return;
        }
        let mut end = 0;
        for &input in &self.simple.inputs[node.index()] {
            let offset: usize = end;
            end += self.simple.shape(input).numel();
            let Value::Node(part) = self.simple.values[input.index()] else { continue };
            let index = part.index();
            let taken = self.placed[index].is_some() || self.views[index].is_some() || self.homes[index].is_some();
            if self.simple.computed[index] && !taken && !self.simple.assembled(part) && offset.is_multiple_of(ALIGN) {
                self.homes[index] = Some((node, offset));
                self.last_use[node.index()] = self.last_use[node.index()].max(self.last_use[index]);
            }
        }
    }

    /// The buffer of that kind, made at first use.
    fn shared(&mut self, kind: BufferKind, len: usize) -> usize {
        match self.buffers.iter().position(|buffer| buffer.kind == kind) {
            Some(known) => known,
            None => {
                self.buffers.push(Buffer { kind, len });
                self.buffers.len() - 1
            }
        }
    }

    /// A slot for `len` cells from `time` until `until`: the tightest free one, else the largest free one, which grows, else a new one.
    fn slot(&mut self, len: usize, time: usize, until: usize) -> usize {
        while self.now < time {
            self.free.append(&mut self.busy[self.now]);
            self.now += 1;
        }
        let fits = |slot: &&usize| self.buffers[**slot].len >= len;
        let best = (self.mode == Mode::Train)
            .then(|| {
                let tightest = self.free.iter().filter(fits).min_by_key(|&&slot| self.buffers[slot].len);
                tightest.or_else(|| self.free.iter().max_by_key(|&&slot| self.buffers[slot].len)).copied()
            })
            .flatten();
        let slot = match best {
            Some(slot) => {
                self.free.retain(|&other| other != slot);
                self.buffers[slot].len = self.buffers[slot].len.max(len);
                slot
            }
            None => {
                self.buffers.push(Buffer { kind: BufferKind::Slot, len });
                self.buffers.len() - 1
            }
        };
        // What stays to the end is never free.
        let rest = if len <= SMALL { REST } else { 0 };
        if let Some(busy) = self.busy.get_mut(until.saturating_add(rest)) {
            busy.push(slot);
        }
        slot
    }

    /// Where a leaf lies.
    fn leaf(&mut self, id: NodeId, leaf: &Leaf) -> Operand {
        let len = self.simple.shape(id).numel();
        let (kind, total, offset) = match leaf {
            Leaf::Constant(number) => return Operand::Constant(*number),
            Leaf::Scalar(index) => return Operand::Scalar(*index),
            Leaf::Input(column) => (BufferKind::Input(*column), len, 0),
            Leaf::Flat(group) => (BufferKind::Flat(*group), self.simple.graph.flat_len(*group), 0),
            Leaf::Variable(variable) => {
                let variable = self.simple.graph.variable(*variable);
                (BufferKind::Flat(variable.group), self.simple.graph.flat_len(variable.group), variable.offset)
            }
        };
        let buffer = self.shared(kind, total);
        Operand::Memory(Place { buffer, offset, len })
    }

    /// What a kernel reads as input `id`, with the shape that it reads it as.
    fn operand(&mut self, id: NodeId) -> (Operand, Shape) {
        let shape = self.simple.shape(id).clone();
        let operand = match self.simple.values[id.index()] {
            Value::Constant(number) => Operand::Constant(number),
            Value::Node(node) => match &self.simple.graph.node(node).kind {
                Kind::Leaf(leaf) => self.leaf(node, leaf),
                Kind::Op(_) => self.placed[node.index()].map_or(Operand::Constant(f32::NAN), Operand::Memory),
            },
        };
        (operand, shape)
    }

    fn operand_if_placed(&mut self, id: NodeId) -> Option<Operand> {
        match self.simple.values[id.index()] {
            Value::Constant(number) => Some(Operand::Constant(number)),
            Value::Node(node) => match &self.simple.graph.node(node).kind {
                Kind::Leaf(leaf) => self.simple.kept[node.index()].then(|| self.leaf(node, leaf)),
                Kind::Op(_) if self.simple.kept[node.index()] => self.placed[node.index()].map(Operand::Memory),
                Kind::Op(_) => None,
            },
        }
    }

    /// Appends what a group runs: a kernel, copies, or nothing.
    fn append(&mut self, group: &Fused, time: usize, steps: &mut Vec<Step>) {
        let Some(node) = group.anchor.filter(|_| group.chain.is_empty()) else {
            return steps.push(self.step(group, time));
        };
        if let Some((source, offset)) = self.views[node.index()] {
            self.placed[node.index()] = self.placed[source.index()].map(|whole| self.within(whole, offset, node));
        } else if self.simple.assembled(node) {
            let whole = self.place(node, time);
            let mut offset = 0;
            for input in self.simple.inputs[node.index()].clone() {
                let (output, operand) = (self.within(whole, offset, input), self.operand(input));
                if operand.0 != Operand::Memory(output) {
                    steps.push(copy(operand, output, vec![node]));
                }
                offset += output.len;
            }
        } else if let Some((source, offset)) = self.simple.range(node)
            && let Some(whole) = self.placed[source.index()]
        {
            let operand = (Operand::Memory(self.within(whole, offset, node)), self.simple.shape(node).clone());
            let output = self.place(node, time);
            steps.push(copy(operand, output, vec![node]));
        } else {
            steps.push(self.step(group, time));
        }
    }

    /// The cells of `node` within a larger value.
    fn within(&self, whole: Place, offset: usize, node: NodeId) -> Place {
        Place { offset: whole.offset + offset, len: self.simple.shape(node).numel(), ..whole }
    }

    fn step(&mut self, group: &Fused, time: usize) -> Step {
        let mut inputs: Vec<(Operand, Shape)> = Vec::new();
        let mut kernel_of_anchor = None;
        if let Some(anchor) = group.anchor {
            let ids = self.simple.inputs[anchor.index()].clone();
            for &id in &ids {
                let operand = self.operand(id);
                inputs.push(operand);
            }
            let metas = ids.iter().map(|&id| self.simple.graph.node(id).meta.clone()).collect();
            kernel_of_anchor = self.simple.op(anchor).map(|op| (op.clone(), metas, self.simple.graph.node(anchor).meta.clone()));
        }
        let first = inputs.len();
        let mut instrs = Vec::with_capacity(group.chain.len());
        for &node in &group.chain {
            let Some(function) = self.simple.pointwise(node) else { continue };
            let ids = self.simple.inputs[node.index()].clone();
            let args = ids.into_iter().map(|id| self.arg(id, group, first, &mut inputs)).collect();
            instrs.push(Instr { function, args });
        }
        let stored = outputs(self.simple, group);
        let places: Vec<Place> = stored.iter().map(|&node| self.place(node, time)).collect();
        let positions = stored.iter().filter_map(|node| group.chain.iter().position(|member| member == node)).collect();
        let chain = Chain { instrs, outputs: positions };
        let kernel = match kernel_of_anchor {
            Some((op, metas, out)) => Kernel::Op { op, inputs: metas, out, chain: (!chain.instrs.is_empty()).then_some(chain) },
            None => Kernel::Chain(chain),
        };
        Step { kernel, inputs, outputs: places, shape: shape_of(self.simple, group), nodes: group.nodes().collect() }
    }

    /// An operand of an instruction; what comes from memory is added to the step's inputs once.
    fn arg(&mut self, id: NodeId, group: &Fused, first: usize, inputs: &mut Vec<(Operand, Shape)>) -> Arg {
        if let Value::Node(node) = self.simple.values[id.index()] {
            if group.anchor == Some(node) {
                return Arg::Anchor;
            }
            if let Some(value) = group.chain.iter().position(|&member| member == node) {
                return Arg::Value(value);
            }
        }
        let operand = self.operand(id);
        if let Operand::Constant(number) = operand.0 {
            return Arg::Constant(number);
        }
        let known = inputs[first..].iter().position(|other| *other == operand);
        Arg::Input(known.unwrap_or_else(|| {
            inputs.push(operand);
            inputs.len() - 1 - first
        }))
    }

    fn place(&mut self, node: NodeId, time: usize) -> Place {
        if let Some(place) = self.placed[node.index()] {
            return place;
        }
        let place = match self.homes[node.index()] {
            Some((whole, offset)) => {
                let whole = self.place(whole, time);
                self.within(whole, offset, node)
            }
            None => {
                let len = self.simple.shape(node).numel();
                let buffer = self.slot(len, time, self.last_use[node.index()].max(time));
                Place { buffer, offset: 0, len }
            }
        };
        self.placed[node.index()] = Some(place);
        place
    }

    fn copy(&mut self, (value, group, offset): (NodeId, Group, usize)) -> Step {
        let input = self.operand(value);
        let buffer = self.shared(BufferKind::Flat(group), self.simple.graph.flat_len(group));
        let output = Place { buffer, offset, len: input.1.numel() };
        copy(input, output, Vec::new())
    }
}

fn copy(input: (Operand, Shape), output: Place, nodes: Vec<NodeId>) -> Step {
    Step { kernel: Kernel::Copy, shape: input.1.clone(), inputs: vec![input], outputs: vec![output], nodes }
}
