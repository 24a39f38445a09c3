//! The scratchpad: a small language of expressions over scalars and tensors, whose programs become graphs with gradients.
//!
//! ```text
//! x = data([[0.5, 1]])        # data(...) stays as it is
//! w = randn(2, 3)             # what is written out, random, or made of these alone is a variable: it gets a gradient and is trained
//! b = zeros(3)
//! loss = mean((tanh(x @ w + b) - 0.5)^2)
//! ```
//!
//! A statement a line, or several separated by `;`. Operators from the loosest to the tightest: `+ -`, `* / @`, unary `-`, `^` (to the
//! right), and behind a value `[...]` (NumPy's slices) and `.T`. Broadcasting is NumPy's. `learning_rate = 0.5` sets the size of a step.
//! The functions stand in `functions`. Gradients flow from the statement named `loss`, else from the last computed scalar.

mod build;
mod data;
mod finish;
mod functions;
mod lexer;
mod problem;
mod report;
mod syntax;
mod value;

pub use problem::Hint;
pub use report::{ScratchNode, ScratchReport, ScratchStatement, report};

use crate::error::Result;
use crate::graph::NodeId;
use crate::ops::Graph;
use crate::optim::OptimizerSpec;

/// Most characters of a program.
pub const MOST_CHARACTERS: usize = 20_000;
/// Most brackets, signs and exponents within one another.
pub const MOST_DEPTH: usize = 64;
/// Most nodes of a program before its gradients are added.
pub const MOST_NODES: usize = 1_000;
/// Most cells of a tensor.
pub const MOST_CELLS: usize = 1 << 18;
/// Most cells of all tensors of a program, gradients included.
pub const MOST_CELLS_IN_ALL: usize = 1 << 23;
/// Most floating-point operations of a step.
pub const MOST_FLOPS: f64 = 2e9;

/// A program as a graph, forward and backward, with the update behind.
#[derive(Clone, Debug)]
pub struct Program {
    /// Forward nodes first, then their gradients, then gradient descent on the variables.
    pub graph: Graph,
    /// How many nodes are forward.
    pub forward: usize,
    /// The scalar that gradients flow from.
    pub loss: NodeId,
    /// What was written, in order.
    pub statements: Vec<Statement>,
    /// Gradient descent with the program's learning rate.
    pub optimizer: OptimizerSpec,
}

/// A statement of a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The name on the left, or nothing.
    pub name: String,
    /// The node that holds its value.
    pub node: NodeId,
    /// Whether it is a variable, and trained.
    pub variable: bool,
    /// Where it stands, in bytes of the source.
    pub span: std::ops::Range<usize>,
    /// The line that it begins in, from 1.
    pub line: usize,
}

/// Reads a program and differentiates it. `seed` keys its random numbers. An error's place is `line:column`; its `args` hold `line`,
/// `column` (from 1, in characters), `width` (characters), `caret` (the line with carets below, for a terminal) and, where there is one, `hint`
/// (a [`Hint`]) with the values of its sentence.
pub fn compile(source: &str, seed: u32) -> Result<Program> {
    let compiled = lexer::tokens(source).and_then(|tokens| syntax::parse(source, &tokens)).and_then(|tree| build::build(&tree, seed));
    compiled.map_err(|problem| problem.locate(source))
}
