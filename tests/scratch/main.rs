//! The scratchpad's language: values and gradients, what stays known, walks through a program, and every mistake with its place and its hint.

mod gradients;
mod language;
mod mistakes;
mod walk;

use gradscope::error::Error;
use gradscope::scratch::{self, Program, ScratchNode, ScratchReport};

fn compile(source: &str) -> Program {
    scratch::compile(source, 7).unwrap_or_else(|error| panic!("{source}\n{error}\n{}", error.args["caret"]))
}

fn report(source: &str) -> ScratchReport {
    scratch::report(&compile(source))
}

/// The node of the last statement of that name.
fn node<'a>(report: &'a ScratchReport, name: &str) -> &'a ScratchNode {
    let statement = report.statements.iter().rev().find(|statement| statement.name == name).expect("a statement of that name");
    &report.nodes[statement.node]
}

fn close(got: &[f32], expected: &[f64]) {
    let near = |(&got, &expected): (&f32, &f64)| (f64::from(got) - expected).abs() <= 2e-6 * expected.abs().max(1.0);
    assert!(got.len() == expected.len() && got.iter().zip(expected).all(near), "got {got:?}, expected {expected:?}");
}

fn error(source: &str) -> Error {
    match scratch::compile(source, 0) {
        Ok(_) => panic!("this is no program: {source}"),
        Err(error) => error,
    }
}
