//! Which nodes share a kernel: an operation with the pointwise functions behind it, and what only these read, or pointwise functions among themselves.

use std::collections::HashSet;

use super::simplify::{Simplified, Value};
use super::{MOST_BUFFERS, Mode};
use crate::graph::{Kind, Leaf, NodeId, Target};
use crate::tensor::Shape;

/// Most nodes that are tried for one kernel when a crowded group is taken apart.
const LONGEST: usize = 64;
/// Most groups that a search for a cycle looks at: one that is so long mostly ends in one.
const FARTHEST: usize = 256;

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
    let count = simple.values.len();
    let mut fusion = Fusion { simple, groups: Vec::new(), group_of: vec![None; count], level: Vec::new() };
    for id in simple.graph.ids().filter(|id| simple.computed[id.index()]) {
        if mode == Mode::Inspect || simple.pointwise(id).is_none() || !fusion.join(id) {
            let group = fusion.add(&[id]);
            fusion.raise(group);
        }
    }
    fusion.split_crowded();
    fusion.groups.into_iter().flatten().collect()
}

struct Fusion<'a> {
    simple: &'a Simplified<'a>,
    groups: Vec<Option<Fused>>,
    group_of: Vec<Option<usize>>,
    /// For each group, a number above that of every group which it waits for.
    level: Vec<usize>,
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
                Some(into) if self.cyclic(&[into, candidate], id) => {}
                Some(into) if self.both_chains(into, candidate) || self.serves(candidate, id) => self.merge(candidate, into),
                Some(into) if self.serves(into, id) => {
                    self.merge(into, candidate);
                    home = Some(candidate);
                }
                Some(_) => {}
            }
        }
        let Some(home) = home else { return false };
        if let Some(group) = &mut self.groups[home] {
            group.chain.push(id);
        }
        self.group_of[id.index()] = Some(home);
        self.raise(home);
        true
    }

    /// Makes a group of these.
    fn add(&mut self, nodes: &[NodeId]) -> usize {
        let index = self.groups.len();
        let anchor = nodes.first().copied().filter(|&first| self.simple.pointwise(first).is_none());
        nodes.iter().for_each(|node| self.group_of[node.index()] = Some(index));
        self.groups.push(Some(Fused { anchor, chain: nodes[usize::from(anchor.is_some())..].to_vec() }));
        self.level.push(0);
        index
    }

    /// The groups that read from a group, itself among them where its nodes read each other.
    fn behind(&self, group: usize) -> impl Iterator<Item = usize> + '_ {
        let readers = self.groups[group].iter().flat_map(Fused::nodes).flat_map(|node| &self.simple.readers[node.index()]);
        readers.filter_map(|reader| self.group_of[reader.index()])
    }

    /// Levels anew: of a group that waits for more than before, and of those that wait for it.
    fn raise(&mut self, group: usize) {
        let mut stack = vec![group];
        while let Some(group) = stack.pop() {
            let producers = self.groups[group].iter().flat_map(Fused::nodes).flat_map(|node| self.simple.producers(node));
            let before = producers.filter_map(|node| self.group_of[node.index()]).filter(|&other| other != group);
            self.level[group] = before.map(|other| self.level[other] + 1).fold(self.level[group], usize::max);
            stack.extend(self.behind(group).filter(|&other| other != group && self.level[other] <= self.level[group]));
        }
    }

    fn both_chains(&self, a: usize, b: usize) -> bool {
        [a, b].iter().all(|&group| self.groups[group].as_ref().is_some_and(|group| group.anchor.is_none()))
    }

    /// Whether a chain is there for node `id` alone, as a mask of its gradient: then it can stand behind an operation.
    fn serves(&self, group: usize, id: NodeId) -> bool {
        let served = |node: &NodeId| {
            let own = |reader: &NodeId| *reader == id || self.group_of[reader.index()] == Some(group);
            !self.simple.kept[node.index()] && self.simple.readers[node.index()].iter().all(own)
        };
        self.groups[group].as_ref().is_some_and(|fused| fused.anchor.is_none() && fused.chain.iter().all(served))
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
        self.level[into] = self.level[into].max(self.level[from]);
        self.raise(into);
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
        let private = fused.anchor.is_none_or(|anchor| {
            let moved = self.simple.range(anchor).is_some() || self.simple.assembled(anchor);
            let only = self.simple.readers[tail.index()].len() == 1 && !self.simple.kept[tail.index()];
            !moved && only && self.simple.producers(id).any(|producer| producer == tail)
        });
        reads_elementwise && same_shape && private
    }

    /// Whether computing these groups and `id` together would have something outside wait for them that they wait for themselves.
    fn cyclic(&self, groups: &[usize], id: NodeId) -> bool {
        let of_id = self.simple.producers(id).filter_map(|node| self.group_of[node.index()]);
        let read: Vec<usize> = of_id.filter(|group| !groups.contains(group)).collect();
        // What leads to a group is below it.
        let highest = read.iter().chain(groups).map(|&group| self.level[group]).max();
        let mut stack: Vec<usize> = groups.iter().flat_map(|&group| self.behind(group)).filter(|group| !groups.contains(group)).collect();
        let mut seen = HashSet::new();
        while let Some(group) = stack.pop() {
            if read.contains(&group) || groups.contains(&group) || seen.len() > FARTHEST {
                return true;
            }
            if Some(self.level[group]) < highest && seen.insert(group) {
                stack.extend(self.behind(group));
            }
        }
        false
    }

    /// Takes groups apart that would bind more buffers than a device must offer: into as few kernels as it takes, one behind the other.
    fn split_crowded(&mut self) {
        for index in 0..self.groups.len() {
            let Some(nodes) = self.groups[index].as_ref().map(|group| group.nodes().collect::<Vec<_>>()) else { continue };
            if nodes.len() < 2 || self.buffers(&nodes) <= MOST_BUFFERS {
                continue;
            }
            self.groups[index] = None;
            let mut rest = &nodes[..];
            while !rest.is_empty() {
                let fits = |&count: &usize| self.buffers(&rest[..count]) <= MOST_BUFFERS;
                let (now, later) = rest.split_at((1..=rest.len().min(LONGEST)).rev().find(fits).unwrap_or(1));
                self.add(now);
                rest = later;
            }
        }
    }

    /// Buffers that a kernel of these nodes binds.
    fn buffers(&self, nodes: &[NodeId]) -> usize {
        let mut read = HashSet::new();
        for input in nodes.iter().flat_map(|node| &self.simple.inputs[node.index()]) {
            if let Value::Node(node) = self.simple.values[input.index()] {
                let scalar = matches!(self.simple.graph.node(node).kind, Kind::Leaf(Leaf::Scalar(_)));
                if !nodes.contains(&node) && !scalar {
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
        let written = nodes.iter().filter(|&&node| is_output(self.simple, nodes, node) && !in_place(node)).count();
        read.len() + written
    }
}

/// Whether the value of a node among these is read by others or after the run.
fn is_output(simple: &Simplified, nodes: &[NodeId], node: NodeId) -> bool {
    simple.kept[node.index()] || simple.readers[node.index()].iter().any(|reader| !nodes.contains(reader))
}

/// The members whose values a group stores: those that are read outside it or after the run.
pub(super) fn outputs(simple: &Simplified, group: &Fused) -> Vec<NodeId> {
    if group.anchor.is_some() {
        return vec![group.last()];
    }
    let nodes: Vec<NodeId> = group.nodes().collect();
    nodes.iter().copied().filter(|&node| is_output(simple, &nodes, node)).collect()
}

/// Shape that a group's kernel runs over.
pub(super) fn shape_of(simple: &Simplified, group: &Fused) -> Shape {
    simple.shape(group.last()).clone()
}
