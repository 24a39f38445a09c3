//! What of a graph has to be computed: aliases resolved, constants folded (in the plan `Train`), dead nodes left out.

use std::collections::HashSet;

use super::{MOST_BUFFERS, Mode};
use crate::graph::{Kind, Leaf, NodeId, Phase};
use crate::ops::pointwise::Pointwise;
use crate::ops::{Graph, Op};
use crate::tensor::Shape;

/// What a node's value is, once aliases and constants are resolved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    /// The value of that node, which is a leaf in memory, a scalar, or computed.
    Node(NodeId),
    /// A number.
    Constant(f32),
}

/// A graph seen through aliases and folding.
pub(super) struct Simplified<'a> {
    pub graph: &'a Graph,
    /// Resolved value of each node.
    pub values: Vec<Value>,
    /// Inputs of each node as its kernel reads them: broadcasts that a pointwise function does by itself are skipped.
    pub inputs: Vec<Vec<NodeId>>,
    /// Whether an operation has to run for the node.
    pub computed: Vec<bool>,
    /// Resolved nodes whose values must exist in memory after the run.
    pub kept: Vec<bool>,
    /// The computed nodes that read each node's value.
    pub readers: Vec<Vec<NodeId>>,
    /// The nodes that were asked for, unresolved.
    pub keep: Vec<NodeId>,
}

impl<'a> Simplified<'a> {
    pub fn new(graph: &'a Graph, mode: Mode, keep: &[NodeId]) -> Self {
        let count = graph.nodes().len();
        let mut simple = Simplified {
            graph,
            values: Vec::with_capacity(count),
            inputs: Vec::with_capacity(count),
            computed: vec![false; count],
            kept: vec![false; count],
            readers: vec![Vec::new(); count],
            keep: keep.to_vec(),
        };
        for id in graph.ids() {
            let value = simple.resolve(id, mode);
            simple.values.push(value);
            let inputs = simple.kernel_inputs(id, mode);
            simple.inputs.push(inputs);
        }
        simple.mark_live(mode);
        for id in graph.ids().filter(|id| simple.computed[id.index()]) {
            let distinct: HashSet<NodeId> = simple.producers(id).collect();
            distinct.into_iter().for_each(|producer| simple.readers[producer.index()].push(id));
        }
        simple
    }

    /// The operation of a computed node.
    pub fn op(&self, id: NodeId) -> Option<&'a Op> {
        self.graph.op(id)
    }

    /// Its pointwise function, if it is one.
    pub fn pointwise(&self, id: NodeId) -> Option<Pointwise> {
        match self.op(id) {
            Some(Op::Pointwise(function)) => Some(*function),
            _ => None,
        }
    }

    /// Shape of a node.
    pub fn shape(&self, id: NodeId) -> &'a Shape {
        self.graph.shape(id)
    }

    /// The computed nodes that `id`'s kernel reads.
    pub fn producers(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.inputs[id.index()].iter().filter_map(|input| match self.values[input.index()] {
            Value::Node(node) if self.computed[node.index()] => Some(node),
            _ => None,
        })
    }

    /// Of a slice whose elements lie side by side in a computed value: that value's node, and where they begin in it.
    pub fn range(&self, id: NodeId) -> Option<(NodeId, usize)> {
        let Some(Op::Slice(slice)) = self.op(id) else { return None };
        let whole = self.graph.node(id).inputs[0];
        match self.values[whole.index()] {
            Value::Node(source) if self.op(source).is_some() => Some((source, slice.range(self.shape(whole))?)),
            _ => None,
        }
    }

    /// Whether a value is put together of parts that lie one behind the other, too many for one kernel to bind.
    pub fn assembled(&self, id: NodeId) -> bool {
        let many = self.inputs[id.index()].len() >= MOST_BUFFERS;
        matches!(self.op(id), Some(Op::Concat(concat)) if many && self.shape(id)[..concat.axis].iter().all(|&extent| extent == 1))
    }

    fn resolve(&self, id: NodeId, mode: Mode) -> Value {
        let node = self.graph.node(id);
        let op = match &node.kind {
            Kind::Leaf(Leaf::Constant(number)) => return Value::Constant(*number),
            Kind::Leaf(_) => return Value::Node(id),
            Kind::Op(op) => op,
        };
        if let Op::Reshape(_) = op {
            return self.values[node.inputs[0].index()];
        }
        if let (Op::Pointwise(function), Mode::Train) = (op, mode) {
            return self.fold(id, *function).unwrap_or(Value::Node(id));
        }
        Value::Node(id)
    }

    /// The value of a function of constants, or of a product with 1 or a sum with 0.
    fn fold(&self, id: NodeId, function: Pointwise) -> Option<Value> {
        let node = self.graph.node(id);
        let constants: Vec<Option<f32>> = node
            .inputs
            .iter()
            .map(|input| match self.values[input.index()] {
                Value::Constant(number) => Some(number),
                Value::Node(_) => None,
            })
            .collect();
        if let (true, Some(numbers)) = (node.meta.shape.numel() == 1, constants.iter().copied().collect::<Option<Vec<f32>>>()) {
            let operand = |k: usize| [numbers.get(k).copied().unwrap_or_default()];
            let mut out = [0.0f32];
            function.apply([&operand(0), &operand(1), &operand(2)], &mut out);
            return Some(Value::Constant(out[0]));
        }
        let neutral = match function {
            Pointwise::Mul | Pointwise::Div => 1.0,
            Pointwise::Add | Pointwise::Sub => 0.0,
            _ => return None,
        };
        let commutes = matches!(function, Pointwise::Mul | Pointwise::Add);
        let other = match constants[..] {
            [_, Some(number)] if number == neutral => node.inputs[0],
            [Some(number), _] if number == neutral && commutes => node.inputs[1],
            _ => return None,
        };
        (*self.shape(other) == node.meta.shape).then(|| self.values[other.index()])
    }

    /// A pointwise function broadcasts its operands itself: it reads what a `broadcast_to` in front of it reads, as long as another operand
    /// still gives the result its shape.
    fn kernel_inputs(&self, id: NodeId, mode: Mode) -> Vec<NodeId> {
        let node = self.graph.node(id);
        let mut inputs = node.inputs.clone();
        if mode == Mode::Inspect || self.pointwise(id).is_none() || inputs.len() < 2 {
            return inputs;
        }
        for position in 0..inputs.len() {
            let shaped = (0..inputs.len()).any(|other| other != position && *self.shape(inputs[other]) == node.meta.shape);
            let Value::Node(source) = self.values[inputs[position].index()] else { continue };
            let unchanged = self.shape(source) == self.shape(inputs[position]);
            if let (Some(Op::Broadcast(_)), true, true) = (self.op(source), unchanged, shaped) {
                inputs[position] = self.graph.node(source).inputs[0];
            }
        }
        inputs
    }

    /// Marks what is needed for the writes, the gradients and the nodes asked for.
    fn mark_live(&mut self, mode: Mode) {
        let mut stack: Vec<NodeId> = Vec::new();
        let asked = self.keep.iter().copied();
        let written = self.graph.writes().iter().map(|&(value, _)| value);
        let gradients = self.graph.gradients().iter().map(|&(_, node)| node);
        let all: Vec<NodeId> = match mode {
            Mode::Train => asked.chain(written).chain(gradients).collect(),
            // Everything but what a gradient's rule emitted for an input whose gradient nobody asks for.
            Mode::Inspect => {
                let wanted: HashSet<NodeId> =
                    self.graph.ids().filter_map(|id| self.graph.gradient_of(id)).chain(asked).chain(gradients).collect();
                let backward = |id: &NodeId| matches!(self.graph.node(*id).phase, Phase::Backward { .. });
                self.graph.ids().filter(|id| !backward(id) || wanted.contains(id)).collect()
            }
        };
        for id in all {
            if let Value::Node(node) = self.values[id.index()] {
                self.kept[node.index()] = true;
                stack.push(node);
            }
        }
        while let Some(id) = stack.pop() {
            if self.computed[id.index()] || self.op(id).is_none() {
                continue;
            }
            self.computed[id.index()] = true;
            self.kept[id.index()] |= mode == Mode::Inspect;
            for input in &self.inputs[id.index()] {
                if let Value::Node(node) = self.values[input.index()] {
                    stack.push(node);
                }
            }
        }
    }
}
