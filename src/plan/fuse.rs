//! Which nodes share a kernel: an operation with the pointwise functions behind it, or pointwise functions among themselves.

use std::collections::HashSet;

use super::Mode;
use super::simplify::{Simplified, Value};
use crate::graph::{Kind, Leaf, NodeId, Target};
use crate::tensor::Shape;

/// Storage buffers that a kernel may bind, less one for the step's scalars (WebGPU guarantees 8).
const MOST_BUFFERS: usize = 7;

/// Nodes that one kernel computes, in order.
#[derive(Clone, Debug)]
pub(super) struct Fused {
    /// The operation in front, if it is not pointwise.
    pub anchor: Option<NodeId>,
    /// The pointwise nodes.
    pub chain: Vec<NodeId>,
}

impl Fused {
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.anchor.into_iter().chain(self.chain.iter().copied())
    }

    /// The node that comes last.
    pub fn last(&self) -> NodeId {
        self.chain.last().copied().or(self.anchor).unwrap_or(NodeId(0))
    }
}

/// Groups of nodes in no particular order.
pub(super) fn fuse(simple: &Simplified, mode: Mode) -> Vec<Fused> {
    let mut fusion = Fusion { simple, groups: Vec::new(), group_of: vec![None; simple.values.len()], consumers: consumers(simple) };
    for id in simple.graph.ids().filter(|id| simple.computed[id.index()]) {
        let pointwise = simple.pointwise(id).is_some();
        if mode == Mode::Inspect || !pointwise || !fusion.join(id) {
            let group = match pointwise {
                true => Fused { anchor: None, chain: vec![id] },
                false => Fused { anchor: Some(id), chain: Vec::new() },
            };
            fusion.group_of[id.index()] = Some(fusion.groups.len());
            fusion.groups.push(Some(group));
        }
    }
    fusion.split_crowded();
    fusion.groups.into_iter().flatten().collect()
}

/// How many computed nodes read each node's value.
fn consumers(simple: &Simplified) -> Vec<usize> {
    let mut count = vec![0; simple.values.len()];
    for id in simple.graph.ids().filter(|id| simple.computed[id.index()]) {
        let distinct: HashSet<NodeId> = simple.producers(id).collect();
        distinct.into_iter().for_each(|producer| count[producer.index()] += 1);
    }
    count
}

struct Fusion<'a> {
    simple: &'a Simplified<'a>,
    groups: Vec<Option<Fused>>,
    group_of: Vec<Option<usize>>,
    consumers: Vec<usize>,
}

impl Fusion<'_> {
    /// Adds a pointwise node to the group of one of its inputs, if that is sound; and joins the groups of its other inputs to that one.
    fn join(&mut self, id: NodeId) -> bool {
        let mut candidates: Vec<usize> = self.simple.producers(id).filter_map(|producer| self.group_of[producer.index()]).collect();
        candidates.sort_unstable();
        candidates.dedup();
        let mut home = None;
        for candidate in candidates.into_iter().rev() {
            if !self.fits(id, candidate) {
                continue;
            }
            match home {
                None => {
                    if !self.cyclic(&[candidate], id) {
                        home = Some(candidate);
                    }
                }
                Some(into) if self.both_chains(into, candidate) && !self.cyclic(&[into, candidate], id) => {
                    self.merge(candidate, into);
                }
                Some(_) => {}
            }
        }
        let Some(home) = home else { return false };
        if let Some(group) = &mut self.groups[home] {
            group.chain.push(id);
        }
        self.group_of[id.index()] = Some(home);
        true
    }

    fn both_chains(&self, a: usize, b: usize) -> bool {
        [a, b].iter().all(|&group| self.groups[group].as_ref().is_some_and(|group| group.anchor.is_none()))
    }

    fn merge(&mut self, from: usize, into: usize) {
        let Some(moved) = self.groups[from].take() else { return };
        for node in &moved.chain {
            self.group_of[node.index()] = Some(into);
        }
        if let Some(group) = &mut self.groups[into] {
            group.chain.extend(moved.chain);
            group.chain.sort_unstable();
        }
    }

    /// Whether `id` can be computed element by element from the values of the group.
    fn fits(&self, id: NodeId, group: usize) -> bool {
        let Some(fused) = &self.groups[group] else { return false };
        let shape = self.simple.shape(id);
        let reads_elementwise = self.simple.inputs[id.index()].iter().all(|input| match self.simple.values[input.index()] {
            Value::Node(node) if self.group_of[node.index()] == Some(group) => self.simple.shape(*input) == shape,
            _ => true,
        });
        let same_shape = match (&fused.anchor, fused.chain.first()) {
            (_, Some(&first)) => self.simple.shape(first) == shape,
            (Some(anchor), None) => self.simple.shape(*anchor).numel() == shape.numel(),
            (None, None) => false,
        };
        // Behind an operation only the last value is stored: what stands before it must have no other reader.
        let tail = fused.last();
        let private = fused.anchor.is_none()
            || (self.consumers[tail.index()] == 1
                && !self.simple.kept[tail.index()]
                && self.simple.producers(id).any(|producer| producer == tail));
        reads_elementwise && same_shape && private
    }

    /// Whether computing these groups and `id` together would have something outside wait for them that they wait for themselves.
    fn cyclic(&self, groups: &[usize], id: NodeId) -> bool {
        let inside = |node: NodeId| self.group_of[node.index()].is_some_and(|group| groups.contains(&group));
        let members = groups.iter().filter_map(|&group| self.groups[group].as_ref()).flat_map(Fused::nodes).chain([id]);
        let mut stack: Vec<NodeId> = members.flat_map(|node| self.simple.producers(node)).filter(|&node| !inside(node)).collect();
        let mut seen = HashSet::new();
        while let Some(node) = stack.pop() {
            let Some(group) = self.group_of[node.index()] else { continue };
            if !seen.insert(group) {
                continue;
            }
            for member in self.groups[group].iter().flat_map(Fused::nodes) {
                for producer in self.simple.producers(member) {
                    if inside(producer) {
                        return true;
                    }
                    stack.push(producer);
                }
            }
        }
        false
    }

    /// Takes groups apart that would bind more buffers than a device must offer.
    fn split_crowded(&mut self) {
        for index in 0..self.groups.len() {
            let Some(group) = self.groups[index].clone() else { continue };
            if group.chain.len() + usize::from(group.anchor.is_some()) < 2 || self.buffers(&group, index) <= MOST_BUFFERS {
                continue;
            }
            let mut nodes = group.nodes();
            let first = nodes.next();
            self.groups[index] = first.map(|first| self.single(first));
            for node in nodes {
                self.group_of[node.index()] = Some(self.groups.len());
                self.groups.push(Some(self.single(node)));
            }
        }
    }

    fn single(&self, id: NodeId) -> Fused {
        match self.simple.pointwise(id) {
            Some(_) => Fused { anchor: None, chain: vec![id] },
            None => Fused { anchor: Some(id), chain: Vec::new() },
        }
    }

    fn buffers(&self, group: &Fused, index: usize) -> usize {
        let mut read = HashSet::new();
        for input in group.nodes().flat_map(|node| &self.simple.inputs[node.index()]) {
            if let Value::Node(node) = self.simple.values[input.index()] {
                let scalar = matches!(self.simple.graph.node(node).kind, Kind::Leaf(Leaf::Scalar(_)));
                if self.group_of[node.index()] != Some(index) && !scalar {
                    read.insert(node);
                }
            }
        }
        // What a whole flat buffer is overwritten with binds that buffer once, read or not.
        let in_place = |node: NodeId| {
            let targets = self.simple.graph.writes().iter().filter(|(value, _)| self.simple.values[value.index()] == Value::Node(node));
            targets.into_iter().any(|(_, target)| match target {
                Target::Flat(flat) => read.iter().any(|&leaf| self.simple.graph.node(leaf).kind == Kind::Leaf(Leaf::Flat(*flat))),
                Target::Variable(_) => false,
            })
        };
        let outputs = group.nodes().filter(|&node| is_output(self.simple, group, &self.group_of, index, node));
        let written = outputs.filter(|&node| !in_place(node)).count();
        read.len() + written
    }
}

/// Whether a member's value is read outside its group or after the run.
fn is_output(simple: &Simplified, group: &Fused, group_of: &[Option<usize>], index: usize, node: NodeId) -> bool {
    let outside = |reader: NodeId| group_of[reader.index()] != Some(index) && simple.producers(reader).any(|p| p == node);
    simple.kept[node.index()] || node == group.last() || simple.graph.ids().filter(|id| simple.computed[id.index()]).any(outside)
}

/// The members whose values a group stores: those that are read outside it or after the run.
pub(super) fn outputs(simple: &Simplified, group: &Fused) -> Vec<NodeId> {
    if group.anchor.is_some() {
        return vec![group.last()];
    }
    let members: HashSet<NodeId> = group.nodes().collect();
    let read_outside = |node: NodeId| {
        let mut readers = simple.graph.ids().filter(|id| simple.computed[id.index()] && !members.contains(id));
        readers.any(|reader| simple.producers(reader).any(|producer| producer == node))
    };
    group.nodes().filter(|&node| simple.kept[node.index()] || read_outside(node)).collect()
}

/// Shape that a group's kernel runs over.
pub(super) fn shape_of(simple: &Simplified, group: &Fused) -> Shape {
    simple.shape(group.last()).clone()
}
