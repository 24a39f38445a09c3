//! The functions of the language: a table, beside which every pointwise operation can be called by its own name.

mod bodies;

use std::fmt::Display;
use std::ops::Range;

use super::build::Builder;
use super::data::{self, Data};
use super::problem::{Checked, Hint, Problem, nearest};
use super::value::{Item, Value, integer, wanted};
use crate::error::ErrorCode;
use crate::ops::pointwise::Pointwise;
use crate::ops::reduce::Reduction;
use crate::ops::softmax::{LogSoftmax, Softmax};
use crate::ops::window::Padding;
use crate::tensor::Shape;

/// A row of the table.
struct Function {
    name: &'static str,
    /// How it is written, for a hint.
    usage: &'static str,
    /// Fewest and most values by place.
    count: (usize, usize),
    /// What may be given by key.
    keys: &'static [&'static str],
    make: fn(&mut Builder, &Call) -> Checked<Value>,
}

/// Any number of values by place.
const ANY: usize = usize::MAX;

const FUNCTIONS: &[Function] = &[
    Function { name: "data", usage: "data([[0.5, 1]])", count: (1, 1), keys: &[], make: bodies::fixed },
    Function {
        name: "randn",
        usage: "randn(2, 3)",
        count: (0, ANY),
        keys: &[],
        make: |b, call| bodies::draw(b, call, |rng| rng.normal().into()),
    },
    Function {
        name: "rand",
        usage: "rand(2, 3)",
        count: (0, ANY),
        keys: &[],
        make: |b, call| bodies::draw(b, call, |rng| rng.uniform().into()),
    },
    Function { name: "zeros", usage: "zeros(2, 3)", count: (0, ANY), keys: &[], make: |_, call| bodies::filled(call, 0.0) },
    Function { name: "ones", usage: "ones(2, 3)", count: (0, ANY), keys: &[], make: |_, call| bodies::filled(call, 1.0) },
    Function { name: "eye", usage: "eye(3)", count: (1, 1), keys: &[], make: bodies::eye },
    Function { name: "linspace", usage: "linspace(0, 1, 5)", count: (3, 3), keys: &[], make: bodies::linspace },
    Function { name: "sum", usage: REDUCE, count: (1, 1), keys: AXES, make: |b, call| bodies::reduce(b, call, Reduction::Sum) },
    Function { name: "mean", usage: REDUCE, count: (1, 1), keys: AXES, make: |b, call| bodies::reduce(b, call, Reduction::Mean) },
    Function { name: "max", usage: REDUCE, count: (1, 1), keys: AXES, make: |b, call| bodies::reduce(b, call, Reduction::Max) },
    Function { name: "min", usage: REDUCE, count: (1, 1), keys: AXES, make: bodies::least },
    Function { name: "var", usage: REDUCE, count: (1, 1), keys: AXES, make: |b, call| bodies::reduce(b, call, Reduction::Variance) },
    Function {
        name: "softmax",
        usage: "softmax(x)",
        count: (1, 1),
        keys: &[],
        make: |b, call| b.apply(Softmax {}, call.values(), call.span),
    },
    Function {
        name: "log_softmax",
        usage: "log_softmax(x)",
        count: (1, 1),
        keys: &[],
        make: |b, call| b.apply(LogSoftmax {}, call.values(), call.span),
    },
    Function { name: "cumsum", usage: "cumsum(x, axis=0, reverse=false)", count: (1, 1), keys: &["axis", "reverse"], make: bodies::cumsum },
    Function { name: "top_k", usage: "top_k(x, 3)", count: (2, 2), keys: &[], make: bodies::top_k },
    Function { name: "cross_entropy", usage: "cross_entropy(logits, labels)", count: (2, 2), keys: &[], make: bodies::cross_entropy },
    Function { name: "mse", usage: "mse(a, b)", count: (2, 2), keys: &[], make: bodies::mse },
    Function { name: "reshape", usage: "reshape(x, 2, -1)", count: (2, ANY), keys: &[], make: bodies::reshape },
    Function { name: "transpose", usage: "transpose(x), transpose(x, 1, 0)", count: (1, ANY), keys: &[], make: bodies::transpose },
    Function { name: "concat", usage: "concat(a, b, axis=0)", count: (1, ANY), keys: &["axis"], make: bodies::concat },
    Function {
        name: "conv2d",
        usage: "conv2d(images, kernel, strides=1, padding='valid')",
        count: (2, 2),
        keys: &["strides", "padding"],
        make: bodies::conv2d,
    },
    Function {
        name: "max_pool2d",
        usage: POOL,
        count: (1, 2),
        keys: &["size", "strides", "padding"],
        make: |b, call| bodies::pool(b, call, true),
    },
    Function {
        name: "avg_pool2d",
        usage: POOL,
        count: (1, 2),
        keys: &["size", "strides", "padding"],
        make: |b, call| bodies::pool(b, call, false),
    },
];

const REDUCE: &str = "sum(x), sum(x, axis=0), sum(x, axis=-1, keepdims=true); the same for mean, max, min, var; maximum(a, b) takes two";
const POOL: &str = "max_pool2d(images, 2, strides=2, padding='valid')";
const AXES: &[&str] = &["axis", "keepdims"];

/// Every name that can be called.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name).chain(Pointwise::ALL.iter().map(|function| function.label()))
}

/// What a name calls.
enum Callee {
    Listed(&'static Function),
    Pointwise(Pointwise),
}

impl Callee {
    fn find(name: &str) -> Option<Self> {
        let listed = FUNCTIONS.iter().find(|function| function.name == name).map(Callee::Listed);
        listed.or_else(|| Pointwise::ALL.iter().find(|function| function.label() == name).map(|&function| Callee::Pointwise(function)))
    }

    fn usage(&self) -> String {
        match self {
            Callee::Listed(function) => function.usage.to_owned(),
            Callee::Pointwise(function) => {
                let operands = ["x", "a, b", "a, b, c"][function.arity() - 1];
                format!("{}({operands})", function.label())
            }
        }
    }

    /// Fewest and most values by place.
    fn count(&self) -> (usize, usize) {
        match self {
            Callee::Listed(function) => function.count,
            Callee::Pointwise(function) => (function.arity(), function.arity()),
        }
    }

    fn keys(&self) -> &'static [&'static str] {
        match self {
            Callee::Listed(function) => function.keys,
            Callee::Pointwise(_) => &[],
        }
    }
}

/// What is given to a function.
struct Call<'a> {
    places: Vec<Item>,
    keys: Vec<(&'a str, Item)>,
    span: &'a Range<usize>,
    source: &'a str,
}

/// Calls a function with values by place and by key.
pub(super) fn call(builder: &mut Builder, name: &str, arguments: Vec<(Option<&str>, Item)>, span: &Range<usize>) -> Checked<Value> {
    let Some(callee) = Callee::find(name) else {
        let own = span.start..span.start + name.len();
        let problem = Problem::new(ErrorCode::UnknownName, &[("kind", &"function"), ("got", &name)], &own);
        return Err(match nearest(name, names()) {
            Some(suggestion) => problem.hint(Hint::DidYouMean, &[("suggestion", &suggestion)]),
            None => problem,
        });
    };
    let (usage, keys, (fewest, most)) = (callee.usage(), callee.keys(), callee.count());
    let usage: [(&str, &dyn Display); 1] = [("usage", &usage)];
    let mut call = Call { places: Vec::new(), keys: Vec::new(), span, source: builder.source };
    for (key, item) in arguments {
        match key {
            // The parts of `concat([a, b])` are not stacked.
            None if name == "concat" => call.places.push(item),
            None => call.places.push(builder.settled(item)?),
            Some(key) if keys.contains(&key) => call.keys.push((key, item)),
            Some(key) => {
                let expected = if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
                let args: [(&str, &dyn Display); 3] = [("what", &name), ("got", &key), ("expected", &expected)];
                return Err(Problem::new(ErrorCode::UnknownKey, &args, &item.span).hint(Hint::Usage, &usage));
            }
        }
    }
    if call.places.len() < fewest || call.places.len() > most {
        let expected = match most {
            ANY => format!("{fewest}+"),
            _ if fewest == most => fewest.to_string(),
            _ => format!("{fewest}-{most}"),
        };
        let args: [(&str, &dyn Display); 3] = [("function", &name), ("expected", &expected), ("got", &call.places.len())];
        return Err(Problem::new(ErrorCode::WrongArguments, &args, span).hint(Hint::Usage, &usage));
    }
    match callee {
        Callee::Listed(function) => (function.make)(builder, &call),
        Callee::Pointwise(function) => builder.apply(function, call.places, span),
    }
}

impl Call<'_> {
    fn values(&self) -> Vec<Item> {
        self.places.clone()
    }

    fn key(&self, key: &str) -> Option<&Item> {
        self.keys.iter().rev().find(|(known, _)| *known == key).map(|(_, item)| item)
    }

    /// `true` or `false` by key; the latter where nothing is said.
    fn flag(&self, key: &str) -> Checked<bool> {
        self.key(key).map_or(Ok(false), |item| Ok(integer(item)? != 0))
    }

    /// One axis by key, the first where nothing is said.
    fn axis(&self, rank: usize) -> Checked<usize> {
        Ok(axes(self, &[self.key("axis").map_or(Ok(0), integer)?], rank)?[0])
    }

    /// A value that was made on the way, at the call's own place.
    fn item(&self, value: Value) -> Item {
        Item { value, span: self.span.clone() }
    }

    /// A pair of whole numbers, at least 1: `2` or `[2, 1]`.
    fn pair(&self, item: Option<&Item>, default: [usize; 2]) -> Checked<[usize; 2]> {
        let Some(item) = item else { return Ok(default) };
        let pair = match integers(item)?[..] {
            [both] => [both, both],
            [down, across] => [down, across],
            _ => return Err(wanted("a number or a pair of numbers", self.source, &item.span)),
        };
        match pair.map(usize::try_from) {
            [Ok(down), Ok(across)] if down > 0 && across > 0 => Ok([down, across]),
            _ => Err(wanted("a number or a pair of numbers", self.source, &item.span)),
        }
    }

    fn padding(&self) -> Checked<Padding> {
        let Some(item) = self.key("padding") else { return Ok(Padding::Valid) };
        match &item.value {
            Value::Text(text) if text == "same" => Ok(Padding::Same),
            Value::Text(text) if text == "valid" => Ok(Padding::Valid),
            Value::Number(0.0) => Ok(Padding::Valid),
            Value::Number(_) | Value::Data(_) => {
                let [rows, columns] = self.pair(Some(item), [0, 0])?;
                Ok(Padding::Explicit { top: rows, bottom: rows, left: columns, right: columns })
            }
            Value::Text(_) | Value::Many(_) | Value::Node(_) => Err(wanted("'same', 'valid' or a number", self.source, &item.span)),
        }
    }
}

/// Whole numbers that were written: one, or a list.
fn integers(item: &Item) -> Checked<Vec<i64>> {
    match &item.value {
        Value::Data(Data { values, shape, .. }) if shape.rank() == 1 => {
            values.iter().map(|&value| integer(&Item { value: Value::Number(value), span: item.span.clone() })).collect()
        }
        _ => Ok(vec![integer(item)?]),
    }
}

/// Whole numbers by place, `(2, 3)` or `([2, 3])`.
fn spread(items: &[Item]) -> Checked<Vec<i64>> {
    match items {
        [one] => integers(one),
        _ => items.iter().map(integer).collect(),
    }
}

/// The shape that a call gives.
fn shape(call: &Call) -> Checked<Shape> {
    let extents = spread(&call.places)?;
    data::checked(extents.into_iter().map(|extent| usize::try_from(extent).unwrap_or(0)).collect(), call.span)
}

/// Axes from 0 that were written, counted from the end where negative.
fn axes(call: &Call, written: &[i64], rank: usize) -> Checked<Vec<usize>> {
    let signed_rank = rank as i64;
    let axis = |&axis: &i64| {
        let from_start = if axis < 0 { axis + signed_rank } else { axis };
        let found = usize::try_from(from_start).ok().filter(|&axis| axis < rank);
        found.ok_or_else(|| {
            let expected = if rank == 0 { "none".to_owned() } else { format!("{}...{}", -signed_rank, rank - 1) };
            let args: [(&str, &dyn Display); 3] = [("name", &"axis"), ("expected", &expected), ("got", &axis)];
            Problem::new(ErrorCode::BadValue, &args, call.span)
        })
    };
    written.iter().map(axis).collect()
}
