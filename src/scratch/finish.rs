//! Behind the last statement: what gradients flow from, the gradients themselves, and the update.

use std::fmt::Display;
use std::ops::Range;

use super::build::Builder;
use super::problem::{Checked, Hint, Problem, snippet};
use super::{MOST_CELLS_IN_ALL, MOST_FLOPS, Program, Statement};
use crate::autograd;
use crate::error::{Error, ErrorCode};
use crate::graph::{Group, Initializer, Kind, Leaf, NodeId, VariableId};
use crate::optim::{self, OptimizerSpec, Sgd};
use crate::tensor::Meta;

impl Builder<'_> {
    /// What gradients flow from: the last statement named `loss`, else the last computed scalar, else the last scalar.
    pub fn loss(&self, statements: &[Statement]) -> Checked<(NodeId, Range<usize>)> {
        let scalar = |statement: &&Statement| self.graph.shape(statement.node).numel() == 1;
        let computed = |statement: &&Statement| matches!(self.graph.node(statement.node).kind, Kind::Op(_));
        let named = statements.iter().rev().find(|statement| statement.name == "loss");
        let chosen = named.or_else(|| statements.iter().rev().find(|statement| scalar(statement) && computed(statement)));
        let chosen = chosen.or_else(|| statements.iter().rev().find(scalar)).or(statements.last());
        match chosen {
            Some(statement) if scalar(&statement) => Ok((statement.node, statement.span.clone())),
            Some(Statement { name, node, span, .. }) => {
                let shape = self.graph.shape(*node);
                let source = if name.is_empty() { snippet(self.source, span) } else { name.clone() };
                let problem = Problem::new(ErrorCode::NotScalar, &[("name", &source), ("shape", shape)], span);
                Err(problem.hint(Hint::SumIt, &[("source", &source)]))
            }
            None => Err(Problem::new(ErrorCode::EmptyProgram, &[], &(0..0)).hint(Hint::TryThis, &[])),
        }
    }

    /// Appends the gradients of everything on the way to the loss, and the update of the variables.
    pub fn differentiate(mut self, loss: NodeId, statements: Vec<Statement>, span: &Range<usize>) -> Checked<Program> {
        let forward = self.graph.nodes().len();
        self.check_work(span)?;
        // The gradient of what stays as it is can be looked at too.
        let leaves: Vec<NodeId> = statements.iter().map(|statement| statement.node).filter(|&node| self.variable(node).is_some()).collect();
        let place = |error: Error| Problem::from(error, span);
        let gradients = autograd::backward(&mut self.graph, loss, &leaves).map_err(place)?;
        for (&leaf, gradient) in leaves.iter().zip(gradients) {
            if let (Some((id, Group::Parameters)), Some(gradient)) = (self.variable(leaf), gradient) {
                self.graph.set_gradient(id, gradient);
            }
        }
        let optimizer = OptimizerSpec::Sgd(Sgd { learning_rate: self.learning_rate.into(), ..Sgd::default() });
        if !self.graph.gradients().is_empty() {
            optim::append(&mut self.graph, &optimizer).map_err(place)?;
        }
        self.check_work(span)?;
        Ok(Program { graph: self.graph, forward, loss, statements, optimizer })
    }

    /// The variable of a leaf, and where it lives.
    fn variable(&self, node: NodeId) -> Option<(VariableId, Group)> {
        match self.graph.node(node).kind {
            Kind::Leaf(Leaf::Variable(id)) => Some((id, self.graph.variable(id).group)),
            Kind::Leaf(_) | Kind::Op(_) => None,
        }
    }

    /// The values that a leaf begins with; none for a computed node.
    pub fn first_values(&self, node: NodeId) -> Vec<f64> {
        match self.variable(node).map(|(id, _)| &self.graph.variable(id).init) {
            Some(Initializer::Values { values }) => values.clone(),
            _ => Vec::new(),
        }
    }

    /// An error if the graph so far holds or computes more than a page should.
    fn check_work(&self, span: &Range<usize>) -> Checked<()> {
        let cells: usize = self.graph.nodes().iter().map(|node| node.meta.shape.numel()).sum();
        let flops = self.graph.nodes().iter().map(|node| match &node.kind {
            Kind::Op(op) => {
                let inputs: Vec<&Meta> = node.inputs.iter().map(|&input| &self.graph.node(input).meta).collect();
                op.cost(&inputs, &node.meta).flops
            }
            Kind::Leaf(_) => 0.0,
        });
        let too_much = |what: &str, most: &dyn Display| Err(Problem::new(ErrorCode::TooLarge, &[("what", &what), ("most", most)], span));
        if cells > MOST_CELLS_IN_ALL {
            return too_much("cells in all tensors together", &MOST_CELLS_IN_ALL);
        }
        if flops.sum::<f64>() > MOST_FLOPS {
            return too_much("floating-point operations a step", &MOST_FLOPS);
        }
        Ok(())
    }
}
