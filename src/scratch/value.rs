//! What expressions stand for while a graph is built.

use std::fmt::Display;
use std::ops::Range;

use super::data::{self, Data};
use super::problem::{Checked, Hint, Problem, snippet};
use crate::error::ErrorCode;
use crate::graph::NodeId;
use crate::tensor::Shape;

/// What an expression stands for.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A number that was written.
    Number(f64),
    /// A word: `'same'`.
    Text(String),
    /// Known values.
    Data(Data),
    /// A list, parts of which are computed.
    Many(Vec<Item>),
    /// A node.
    Node(NodeId),
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub value: Value,
    pub span: Range<usize>,
}

/// The values, if they are known before anything runs.
pub(super) fn known(item: &Item) -> Option<Data> {
    match &item.value {
        Value::Number(number) => Some(Data::number(*number)),
        Value::Data(data) => Some(data.clone()),
        Value::Many(_) | Value::Node(_) | Value::Text(_) => None,
    }
}

/// A list: known values if all parts are, else a list of parts.
pub(super) fn list(items: Vec<Item>, span: &Range<usize>) -> Checked<Value> {
    let Some(parts) = items.iter().map(known).collect::<Option<Vec<Data>>>() else { return Ok(Value::Many(items)) };
    let first = parts[0].shape.clone();
    for (part, item) in parts.iter().zip(&items) {
        if part.shape != first {
            let args: [(&str, &dyn Display); 3] = [("op", &"list"), ("left", &first), ("right", &part.shape)];
            return Err(Problem::new(ErrorCode::ShapeMismatch, &args, &item.span).hint(Hint::Ragged, &[]));
        }
    }
    let shape: Shape = std::iter::once(parts.len()).chain(first.iter().copied()).collect();
    let shape = data::checked(shape, span)?;
    let fixed = parts.iter().any(|part| part.fixed);
    Ok(Value::Data(Data { shape, values: parts.into_iter().flat_map(|part| part.values).collect(), fixed }))
}

/// An error: something else is wanted than what stands there.
pub(super) fn wanted(expected: &str, source: &str, span: &Range<usize>) -> Box<Problem> {
    let found = snippet(source, span);
    Problem::new(ErrorCode::Unexpected, &[("expected", &expected), ("found", &found)], span)
}

/// A whole number that was written.
pub(super) fn integer(item: &Item) -> Checked<i64> {
    const LARGEST: f64 = (1u64 << 31) as f64;
    match item.value {
        Value::Number(number) if number.fract() == 0.0 && number.abs() < LARGEST => Ok(number as i64),
        Value::Number(_) | Value::Text(_) | Value::Data(_) | Value::Many(_) | Value::Node(_) => {
            Err(Problem::new(ErrorCode::WholeNumber, &[], &item.span))
        }
    }
}
