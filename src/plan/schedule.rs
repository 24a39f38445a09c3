//! In which order the kernels run, and which of them may write a parameter in place.

use std::collections::{BTreeSet, HashSet};

use super::fuse::{Fused, outputs};
use super::simplify::{Simplified, Value};
use super::target_range;
use crate::graph::{Group, Kind, Leaf, NodeId, Target};

/// Kernels in order.
pub(super) struct Schedule {
    /// In the order in which they run.
    pub groups: Vec<Fused>,
    /// Values that their kernel writes straight to a flat buffer: (node, group, offset).
    pub in_place: Vec<(NodeId, Group, usize)>,
    /// Values that are copied there at the end.
    pub copies: Vec<(NodeId, Group, usize)>,
}

impl Schedule {
    pub fn new(simple: &Simplified, groups: Vec<Fused>) -> Self {
        let mut order = Order::new(simple, groups);
        let mut in_place: Vec<(NodeId, Group, usize)> = Vec::new();
        let mut copies = Vec::new();
        let mut place = |order: &mut Order, value: NodeId, group: Group, offset: usize, len: usize| {
            let taken = |node: NodeId| in_place.iter().any(|&(other, ..)| other == node);
            match simple.values[value.index()] {
                Value::Node(node) if order.can_place(node, group, offset, len) && !taken(node) => {
                    in_place.push((node, group, offset));
                }
                _ => copies.push((value, group, offset)),
            }
        };
        for &(variable, gradient) in simple.graph.gradients() {
            let variable = simple.graph.variable(variable);
            place(&mut order, gradient, Group::Gradients, variable.offset, variable.shape.numel());
        }
        order.gradients_first();
        for &(value, target) in simple.graph.writes() {
            let (group, offset, len) = target_range(simple.graph, target);
            place(&mut order, value, group, offset, len);
        }
        Schedule { groups: order.sorted(), in_place, copies }
    }
}

struct Order<'a> {
    simple: &'a Simplified<'a>,
    groups: Vec<Fused>,
    group_of: Vec<Option<usize>>,
    /// For each group, those that must run before it.
    before: Vec<BTreeSet<usize>>,
}

impl<'a> Order<'a> {
    fn new(simple: &'a Simplified<'a>, groups: Vec<Fused>) -> Self {
        let mut group_of = vec![None; simple.values.len()];
        for (index, group) in groups.iter().enumerate() {
            group.nodes().for_each(|node| group_of[node.index()] = Some(index));
        }
        let before = groups
            .iter()
            .enumerate()
            .map(|(index, group)| {
                let producers = group.nodes().flat_map(|node| simple.producers(node));
                producers.filter_map(|node| group_of[node.index()]).filter(|&other| other != index).collect()
            })
            .collect();
        Self { simple, groups, group_of, before }
    }

    /// The leaves that a group reads.
    fn leaves(&self, group: usize) -> impl Iterator<Item = (NodeId, &Leaf)> + '_ {
        let inputs = self.groups[group].nodes().flat_map(|node| &self.simple.inputs[node.index()]);
        inputs.filter_map(|input| match self.simple.values[input.index()] {
            Value::Node(node) => match &self.simple.graph.node(node).kind {
                Kind::Leaf(leaf) => Some((node, leaf)),
                Kind::Op(_) => None,
            },
            Value::Constant(_) => None,
        })
    }

    fn reads(&self, group: usize, of: Group, offset: usize, len: usize) -> bool {
        self.leaves(group).any(|(_, leaf)| {
            let (from, start, count) = match leaf {
                Leaf::Flat(flat) => target_range(self.simple.graph, Target::Flat(*flat)),
                Leaf::Variable(id) => target_range(self.simple.graph, Target::Variable(*id)),
                Leaf::Input(_) | Leaf::Scalar(_) | Leaf::Constant(_) => return false,
            };
            from == of && start < offset + len && offset < start + count
        })
    }

    /// Whether the kernel of `node` may write its value to that range: everything else that reads the range can run before it, and it reads
    /// the range itself only element by element. If so, the order is made to hold.
    fn can_place(&mut self, node: NodeId, group: Group, offset: usize, len: usize) -> bool {
        let Some(writer) = self.group_of[node.index()] else { return false };
        if self.simple.shape(node).numel() != len || !outputs(self.simple, &self.groups[writer]).contains(&node) {
            return false;
        }
        if group == Group::Gradients {
            return true;
        }
        if self.reads(writer, group, offset, len) {
            let shape = self.simple.shape(self.groups[writer].last());
            let elementwise = self.groups[writer].anchor.is_none()
                && self.leaves(writer).all(|(leaf, _)| {
                    self.simple.shape(leaf) == shape
                        || !matches!(self.simple.graph.node(leaf).kind, Kind::Leaf(Leaf::Flat(_) | Leaf::Variable(_)))
                });
            if !elementwise {
                return false;
            }
        }
        let readers: Vec<usize> =
            (0..self.groups.len()).filter(|&other| other != writer && self.reads(other, group, offset, len)).collect();
        if self.depend(readers.clone(), writer) {
            return false;
        }
        self.before[writer].extend(readers);
        true
    }

    /// Whatever reads the whole gradient waits for each of its parts.
    fn gradients_first(&mut self) {
        let gradients = self.simple.graph.gradients().iter();
        let producers: BTreeSet<usize> = gradients
            .filter_map(|&(_, node)| match self.simple.values[node.index()] {
                Value::Node(node) => self.group_of[node.index()],
                Value::Constant(_) => None,
            })
            .collect();
        for group in 0..self.groups.len() {
            let reads = self.leaves(group).any(|(_, leaf)| *leaf == Leaf::Flat(Group::Gradients));
            if reads {
                self.before[group].extend(producers.iter().copied().filter(|&producer| producer != group));
            }
        }
    }

    /// Whether any of the groups waits for `on`.
    fn depend(&self, mut stack: Vec<usize>, on: usize) -> bool {
        let mut seen = HashSet::new();
        while let Some(next) = stack.pop() {
            if next == on {
                return true;
            }
            if seen.insert(next) {
                stack.extend(&self.before[next]);
            }
        }
        false
    }

    /// Topological order; among those that could run, the one whose last node is earliest in the graph.
    fn sorted(self) -> Vec<Fused> {
        let mut waiting: Vec<usize> = self.before.iter().map(BTreeSet::len).collect();
        let mut after = vec![Vec::new(); self.groups.len()];
        for (group, before) in self.before.iter().enumerate() {
            before.iter().for_each(|&earlier| after[earlier].push(group));
        }
        let mut ready: BTreeSet<(NodeId, usize)> =
            (0..self.groups.len()).filter(|&group| waiting[group] == 0).map(|group| (self.groups[group].last(), group)).collect();
        let mut order = Vec::with_capacity(self.groups.len());
        while let Some((_, group)) = ready.pop_first() {
            order.push(group);
            for &next in &after[group] {
                waiting[next] -= 1;
                if waiting[next] == 0 {
                    ready.insert((self.groups[next].last(), next));
                }
            }
        }
        let mut groups: Vec<Option<Fused>> = self.groups.into_iter().map(Some).collect();
        order.into_iter().filter_map(|group| groups[group].take()).collect()
    }
}
