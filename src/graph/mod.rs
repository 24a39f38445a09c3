//! The graph: nodes that name an operation, its inputs, its shape and the phase it belongs to. Generic over the operations, of which it
//! knows only how they infer a shape; the registry of operations is in [`crate::ops`].

mod variable;

use std::collections::HashMap;

pub use variable::{ALIGN, Group, Initializer, Variable};

use crate::error::{Error, ErrorCode, Result};
use crate::tensor::{DType, Meta, Shape};

/// What the graph needs to know of an operation.
pub trait Operation: Clone {
    /// The field's name for it: `"conv2d"`.
    fn name(&self) -> &'static str;
    /// Shape and dtype of the result, or why these inputs cannot be taken.
    fn infer(&self, inputs: &[&Meta]) -> Result<Meta>;
}

/// Index of a node in its graph. Inputs always precede the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

impl NodeId {
    /// Position in [`Graph::nodes`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Index of a variable in [`Graph::variables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VariableId(pub u32);

/// Where a value that no operation computes comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Leaf {
    /// A batch column: 0 is `x`, 1 is `y`.
    Input(usize),
    /// A parameter or a statistic.
    Variable(VariableId),
    /// A whole flat buffer, padding included, `[len]`: all parameters, or one of the optimizer's slots.
    Flat(Group),
    /// A number that may change from step to step without compiling anew (learning rate); its position in the step's scalars.
    Scalar(usize),
    /// A number fixed in the graph.
    Constant(f32),
}

/// Part of the training step that a node belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// From the inputs to the loss.
    Forward,
    /// From the loss to the gradients.
    Backward {
        /// The forward node whose gradient rule made it.
        of: NodeId,
    },
    /// From the gradients to the new parameters.
    Update,
}

/// An operation or a leaf.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind<O> {
    /// A value from outside.
    Leaf(Leaf),
    /// A computed value.
    Op(O),
}

/// A node: one value and how it is made.
#[derive(Clone, Debug)]
pub struct Node<O> {
    /// How.
    pub kind: Kind<O>,
    /// From what.
    pub inputs: Vec<NodeId>,
    /// Shape and dtype.
    pub meta: Meta,
    /// When.
    pub phase: Phase,
    /// The layer that it belongs to: `"conv2d_1"`; empty for loss and optimizer.
    pub layer: String,
    /// The time step of an unrolled layer that it belongs to.
    pub time_step: Option<u32>,
    /// Unique: `"conv2d_1/relu"`, `"lstm/t3/forget"`.
    pub name: String,
}

/// Nodes in an order in which they can be computed, the variables, and what is written back at the end of the step.
#[derive(Clone, Debug)]
pub struct Graph<O> {
    nodes: Vec<Node<O>>,
    variables: Vec<Variable>,
    scalars: Vec<(String, f32)>,
    writes: Vec<(NodeId, Target)>,
    gradients: Vec<(VariableId, NodeId)>,
    /// The gradient of each node, and the loss that it is of.
    gradient_of: HashMap<NodeId, (NodeId, NodeId)>,
    names: HashMap<String, usize>,
    phase: Phase,
    layer: String,
    time_step: Option<u32>,
}

/// Where a value is written at the end of the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A whole flat buffer.
    Flat(Group),
    /// One variable.
    Variable(VariableId),
}

impl<O> Default for Graph<O> {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            variables: Vec::new(),
            scalars: Vec::new(),
            writes: Vec::new(),
            gradients: Vec::new(),
            gradient_of: HashMap::new(),
            names: HashMap::new(),
            phase: Phase::Forward,
            layer: String::new(),
            time_step: None,
        }
    }
}

/// Most cells of a tensor: kernels count them in 32 bits, and so does wasm's memory its bytes.
const MOST_CELLS: u64 = 1 << 29;

/// The same shape, or an error if no machine that we run on could hold it.
fn addressable(meta: Meta) -> Result<Meta> {
    let cells = meta.shape.iter().try_fold(1u64, |cells, &extent| cells.checked_mul(extent as u64));
    match cells {
        Some(cells) if cells <= MOST_CELLS => Ok(meta),
        _ => {
            let bytes = meta.shape.iter().fold(4.0, |bytes, &extent| bytes * extent as f64);
            let what = format!("a tensor of shape {}", meta.shape);
            Err(Error::new(ErrorCode::OutOfMemory, &[("bytes", &bytes), ("what", &what)]))
        }
    }
}

impl<O: Operation> Graph<O> {
    /// All nodes, inputs first.
    pub fn nodes(&self) -> &[Node<O>] {
        &self.nodes
    }

    /// One node.
    pub fn node(&self, id: NodeId) -> &Node<O> {
        &self.nodes[id.index()]
    }

    /// All ids, inputs first.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<O> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// Shape of a node.
    pub fn shape(&self, id: NodeId) -> &Shape {
        &self.node(id).meta.shape
    }

    /// The node of that name.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.nodes.iter().position(|node| node.name == name).map(|index| NodeId(index as u32))
    }

    /// All variables, in the order of their making.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// One variable.
    pub fn variable(&self, id: VariableId) -> &Variable {
        &self.variables[id.0 as usize]
    }

    /// Name and first value of each per-step scalar.
    pub fn scalars(&self) -> &[(String, f32)] {
        &self.scalars
    }

    /// What is written back at the end of the step.
    pub fn writes(&self) -> &[(NodeId, Target)] {
        &self.writes
    }

    /// The gradient node of each trainable variable, once autograd has run.
    pub fn gradients(&self) -> &[(VariableId, NodeId)] {
        &self.gradients
    }

    /// Number of elements of a flat buffer, padding included: the trainable groups share one layout.
    pub fn flat_len(&self, group: Group) -> usize {
        variable::flat_len(&self.variables, group)
    }

    /// Sets the phase of the nodes that follow; returns the former one.
    pub fn enter_phase(&mut self, phase: Phase) -> Phase {
        std::mem::replace(&mut self.phase, phase)
    }

    /// Sets the layer of the nodes that follow, which belong to none of its time steps; returns the former one.
    pub fn enter_layer(&mut self, layer: impl Into<String>) -> String {
        self.time_step = None;
        std::mem::replace(&mut self.layer, layer.into())
    }

    /// Sets the time step of the current layer that the nodes that follow belong to.
    pub fn enter_time_step(&mut self, time_step: Option<u32>) {
        self.time_step = time_step;
    }

    /// Appends an operation.
    pub fn push(&mut self, op: O, inputs: &[NodeId]) -> Result<NodeId> {
        let metas: Vec<&Meta> = inputs.iter().map(|&id| &self.node(id).meta).collect();
        let meta = op.infer(&metas).and_then(addressable).map_err(|error| self.place(error))?;
        let name = op.name();
        Ok(self.append(Kind::Op(op), inputs, meta, name))
    }

    /// Appends a batch column of that shape, batch first.
    pub fn input(&mut self, column: usize, meta: Meta) -> NodeId {
        let name = match column {
            0 => "x",
            1 => "y",
            _ => "input",
        };
        self.append(Kind::Leaf(Leaf::Input(column)), &[], meta, name)
    }

    /// Appends a number.
    pub fn constant(&mut self, value: f32) -> NodeId {
        self.append(Kind::Leaf(Leaf::Constant(value)), &[], Meta::f32(Shape::scalar()), "constant")
    }

    /// The per-step scalar of that name, made with `value` at the first call.
    pub fn scalar(&mut self, name: &str, value: f32) -> NodeId {
        let known = self.scalars.iter().position(|(known, _)| known == name);
        let index = known.unwrap_or_else(|| {
            self.scalars.push((name.to_owned(), value));
            self.scalars.len() - 1
        });
        let leaf = Leaf::Scalar(index);
        let node = self.nodes.iter().position(|node| matches!(&node.kind, Kind::Leaf(known) if *known == leaf));
        match node {
            Some(node) => NodeId(node as u32),
            None => self.append(Kind::Leaf(leaf), &[], Meta::f32(Shape::scalar()), name),
        }
    }

    /// Appends a whole flat buffer as a vector.
    pub fn flat(&mut self, group: Group) -> NodeId {
        let len = self.flat_len(group);
        self.append(Kind::Leaf(Leaf::Flat(group)), &[], Meta::f32([len]), group.name())
    }

    /// Declares a variable of the current layer and appends its node. Its name is `layer.role`.
    pub fn declare(&mut self, role: &str, shape: impl Into<Shape>, group: Group, init: Initializer) -> NodeId {
        let shape = shape.into();
        let name = match self.layer.as_str() {
            "" => role.to_owned(),
            layer => format!("{layer}.{role}"),
        };
        let offset = self.flat_len(group);
        let id = VariableId(self.variables.len() as u32);
        self.variables.push(Variable { name: name.clone(), shape: shape.clone(), group, offset, init });
        let node = self.append(Kind::Leaf(Leaf::Variable(id)), &[], Meta { shape, dtype: DType::F32 }, role);
        self.nodes[node.index()].name = name;
        node
    }

    /// Has `value` written to `target` when the step ends, in place of what was to be written there.
    pub fn write(&mut self, value: NodeId, target: Target) {
        self.writes.retain(|&(_, other)| other != target);
        self.writes.push((value, target));
    }

    /// What is to be written to `target`.
    pub fn written(&self, target: Target) -> Option<NodeId> {
        self.writes.iter().find(|&&(_, other)| other == target).map(|&(value, _)| value)
    }

    /// Records the gradient node of a variable.
    pub fn set_gradient(&mut self, variable: VariableId, gradient: NodeId) {
        self.gradients.push((variable, gradient));
    }

    /// Records the gradient of `loss` with respect to any node. Where there are several losses, a node keeps the first one's.
    pub fn set_gradient_of(&mut self, node: NodeId, gradient: NodeId, loss: NodeId) {
        self.gradient_of.entry(node).or_insert((gradient, loss));
    }

    /// The loss's gradient with respect to a node, once autograd has run; none where the loss does not depend on it or nobody needed it.
    pub fn gradient_of(&self, node: NodeId) -> Option<NodeId> {
        self.gradient_of.get(&node).map(|&(gradient, _)| gradient)
    }

    /// The loss that a node's gradient is of.
    pub fn loss_of(&self, node: NodeId) -> Option<NodeId> {
        self.gradient_of.get(&node).map(|&(_, loss)| loss)
    }

    /// Gives a node a better name than its operation's, unique within the graph.
    pub fn rename(&mut self, id: NodeId, name: &str) {
        let name = self.unique(name);
        self.nodes[id.index()].name = name;
    }

    /// The operation of a node; none of a leaf.
    pub fn op(&self, id: NodeId) -> Option<&O> {
        match &self.node(id).kind {
            Kind::Op(op) => Some(op),
            Kind::Leaf(_) => None,
        }
    }

    /// The same graph, but for the nodes that `other` makes in another way: for each it may append nodes to the new graph, given where those before
    /// it went, and name the one that stands for it. Also gives where each node went. Which gradients are of nodes that are no variables is not carried over.
    pub fn rewritten(
        mut self,
        mut other: impl FnMut(&mut Self, NodeId, &[NodeId]) -> Result<Option<NodeId>>,
    ) -> Result<(Self, Vec<NodeId>)> {
        let nodes = std::mem::take(&mut self.nodes);
        let mut moved: Vec<NodeId> = Vec::with_capacity(nodes.len());
        self.gradient_of.clear();
        for (index, mut node) in nodes.into_iter().enumerate() {
            if let Phase::Backward { of } = &mut node.phase {
                *of = moved[of.index()];
            }
            self.enter_phase(node.phase);
            self.enter_layer(node.layer.as_str());
            self.enter_time_step(node.time_step);
            let place = match other(&mut self, NodeId(index as u32), &moved)? {
                Some(place) => place,
                None => {
                    node.inputs.iter_mut().for_each(|input| *input = moved[input.index()]);
                    self.nodes.push(node);
                    NodeId(self.nodes.len() as u32 - 1)
                }
            };
            moved.push(place);
        }
        self.writes.iter_mut().for_each(|(node, _)| *node = moved[node.index()]);
        self.gradients.iter_mut().for_each(|(_, node)| *node = moved[node.index()]);
        Ok((self, moved))
    }

    fn append(&mut self, kind: Kind<O>, inputs: &[NodeId], meta: Meta, name: &str) -> NodeId {
        let backward = matches!(self.phase, Phase::Backward { .. });
        let prefix = if backward { "∂" } else { "" };
        let name = self.here(&format!("{prefix}{name}"));
        let name = self.unique(&name);
        let (phase, layer, time_step) = (self.phase, self.layer.clone(), self.time_step);
        let node = Node { kind, inputs: inputs.to_vec(), meta, phase, layer, time_step, name };
        self.nodes.push(node);
        NodeId(self.nodes.len() as u32 - 1)
    }

    /// A name with the layer, and its time step, that nodes are appended to: `"lstm/t3/forget"`.
    pub fn here(&self, name: &str) -> String {
        match (self.layer.as_str(), self.time_step) {
            ("", _) => name.to_owned(),
            (layer, None) => format!("{layer}/{name}"),
            (layer, Some(t)) => format!("{layer}/t{t}/{name}"),
        }
    }

    fn unique(&mut self, name: &str) -> String {
        let count = self.names.entry(name.to_owned()).or_insert(0);
        *count += 1;
        match *count {
            1 => name.to_owned(),
            n => format!("{name}_{}", n - 1),
        }
    }

    fn place(&self, error: Error) -> Error {
        match self.layer.as_str() {
            "" => error,
            layer => error.at(layer),
        }
    }
}
