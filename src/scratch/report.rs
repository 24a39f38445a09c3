//! A program's values and gradients, for a page that draws its graph.

use super::Program;
use crate::graph::{Kind, Leaf, Operation};
use crate::ops::CpuCx;
use crate::ops::eval::evaluate;

/// Most cells of a tensor that a report shows.
const MOST_SHOWN: usize = 256;

wire! {
    /// A program with the value and the gradient of every node.
    pub struct ScratchReport {
        /// What was written, in order.
        pub statements: Vec<ScratchStatement>,
        /// The forward nodes, inputs first; positions are ids.
        pub nodes: Vec<ScratchNode>,
        /// The node that gradients flow from.
        pub loss: usize,
        /// Size of a step of gradient descent.
        pub learning_rate: f32,
    }

    /// A statement.
    pub struct ScratchStatement {
        /// The name on the left, or nothing.
        pub name: String,
        /// The node of its value.
        pub node: usize,
        /// Whether it is a variable, which a step changes.
        pub variable: bool,
        /// The line that it begins in, from 1.
        pub line: usize,
    }

    /// A forward node.
    pub struct ScratchNode {
        /// Unique: the statement's name, or the operation's.
        pub name: String,
        /// The operation, or `"variable"`, `"data"`, `"scalar"`, `"constant"`.
        pub op: String,
        /// What it computes, as TeX; empty for leaves.
        pub formula: String,
        /// Nodes that it is computed from.
        pub inputs: Vec<usize>,
        /// Extents.
        pub shape: Vec<usize>,
        /// The first 256 elements, row-major.
        pub value: Vec<f32>,
        /// The first 256 elements of the loss's gradient with respect to it; none where the loss does not depend on it.
        pub gradient: Option<Vec<f32>>,
    }
}

/// Runs a program once, as it begins.
pub fn report(program: &Program) -> ScratchReport {
    let graph = &program.graph;
    let values = evaluate::<f32>(graph, &mut CpuCx::default(), |node, leaf| match leaf {
        Leaf::Variable(id) => graph.variable(*id).initial(0, 0),
        Leaf::Scalar(index) => vec![graph.scalars()[*index].1],
        Leaf::Constant(number) => vec![*number],
        Leaf::Input(_) | Leaf::Flat(_) => vec![0.0; graph.shape(node).numel()],
    });
    let shown = |node: crate::graph::NodeId| values[node.index()].iter().copied().take(MOST_SHOWN).collect::<Vec<f32>>();
    let nodes = graph.ids().take(program.forward).map(|id| {
        let node = graph.node(id);
        let (op, formula) = match &node.kind {
            Kind::Op(op) => (op.name(), op.formula()),
            Kind::Leaf(Leaf::Variable(id)) if graph.variable(*id).group == crate::graph::Group::Parameters => ("variable", String::new()),
            Kind::Leaf(Leaf::Variable(_)) => ("data", String::new()),
            Kind::Leaf(Leaf::Constant(_)) => ("constant", String::new()),
            Kind::Leaf(Leaf::Scalar(_) | Leaf::Input(_) | Leaf::Flat(_)) => ("scalar", String::new()),
        };
        ScratchNode {
            name: node.name.clone(),
            op: op.to_owned(),
            formula,
            inputs: node.inputs.iter().map(|input| input.index()).collect(),
            shape: node.meta.shape.to_vec(),
            value: shown(id),
            gradient: graph.gradient_of(id).map(shown),
        }
    });
    let statements = program.statements.iter().map(|statement| ScratchStatement {
        name: statement.name.clone(),
        node: statement.node.index(),
        variable: statement.variable,
        line: statement.line,
    });
    ScratchReport {
        statements: statements.collect(),
        nodes: nodes.collect(),
        loss: program.loss.index(),
        learning_rate: program.optimizer.learning_rate().at(0) as f32,
    }
}
