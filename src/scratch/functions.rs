//! The functions of the language: a table, beside which every pointwise operation can be called by its own name.

use std::fmt::Display;
use std::ops::Range;

use super::build::Builder;
use super::data::{self, Data};
use super::problem::{Checked, Hint, Problem, nearest};
use super::value::{Item, Value, integer, wanted};
use crate::error::ErrorCode;
use crate::graph::Group;
use crate::ops::concat::Concat;
use crate::ops::conv2d::Conv2d;
use crate::ops::cross_entropy::SoftmaxCrossEntropy;
use crate::ops::cumsum::CumSum;
use crate::ops::pointwise::Pointwise;
use crate::ops::pool2d::{AvgPool2d, MaxPool2d, Windows};
use crate::ops::reduce::{Reduce, Reduction};
use crate::ops::reshape::Reshape;
use crate::ops::softmax::{LogSoftmax, Softmax};
use crate::ops::top_k::TopK;
use crate::ops::transpose::Transpose;
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
    Function { name: "data", usage: "data([[0.5, 1]])", count: (1, 1), keys: &[], make: fixed },
    Function { name: "randn", usage: "randn(2, 3)", count: (0, ANY), keys: &[], make: |b, call| draw(b, call, |rng| rng.normal().into()) },
    Function { name: "rand", usage: "rand(2, 3)", count: (0, ANY), keys: &[], make: |b, call| draw(b, call, |rng| rng.uniform().into()) },
    Function { name: "zeros", usage: "zeros(2, 3)", count: (0, ANY), keys: &[], make: |_, call| filled(call, 0.0) },
    Function { name: "ones", usage: "ones(2, 3)", count: (0, ANY), keys: &[], make: |_, call| filled(call, 1.0) },
    Function { name: "eye", usage: "eye(3)", count: (1, 1), keys: &[], make: eye },
    Function { name: "linspace", usage: "linspace(0, 1, 5)", count: (3, 3), keys: &[], make: linspace },
    Function { name: "sum", usage: REDUCE, count: (1, 1), keys: AXES, make: |b, call| reduce(b, call, Reduction::Sum) },
    Function { name: "mean", usage: REDUCE, count: (1, 1), keys: AXES, make: |b, call| reduce(b, call, Reduction::Mean) },
    Function { name: "max", usage: REDUCE, count: (1, 1), keys: AXES, make: |b, call| reduce(b, call, Reduction::Max) },
    Function { name: "min", usage: REDUCE, count: (1, 1), keys: AXES, make: least },
    Function { name: "var", usage: REDUCE, count: (1, 1), keys: AXES, make: |b, call| reduce(b, call, Reduction::Variance) },
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
    Function { name: "cumsum", usage: "cumsum(x, axis=0, reverse=false)", count: (1, 1), keys: &["axis", "reverse"], make: cumsum },
    Function { name: "top_k", usage: "top_k(x, 3)", count: (2, 2), keys: &[], make: top_k },
    Function { name: "cross_entropy", usage: "cross_entropy(logits, labels)", count: (2, 2), keys: &[], make: cross_entropy },
    Function { name: "mse", usage: "mse(a, b)", count: (2, 2), keys: &[], make: mse },
    Function { name: "reshape", usage: "reshape(x, 2, -1)", count: (2, ANY), keys: &[], make: reshape },
    Function { name: "transpose", usage: "transpose(x), transpose(x, 1, 0)", count: (1, ANY), keys: &[], make: transpose },
    Function { name: "concat", usage: "concat(a, b, axis=0)", count: (1, ANY), keys: &["axis"], make: concat },
    Function {
        name: "conv2d",
        usage: "conv2d(images, kernel, strides=1, padding='valid')",
        count: (2, 2),
        keys: &["strides", "padding"],
        make: conv2d,
    },
    Function { name: "max_pool2d", usage: POOL, count: (1, 2), keys: &["size", "strides", "padding"], make: |b, call| pool(b, call, true) },
    Function {
        name: "avg_pool2d",
        usage: POOL,
        count: (1, 2),
        keys: &["size", "strides", "padding"],
        make: |b, call| pool(b, call, false),
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

fn fixed(builder: &mut Builder, call: &Call) -> Checked<Value> {
    match &call.places[0].value {
        Value::Number(number) => Ok(Value::Data(Data { fixed: true, ..Data::number(*number) })),
        Value::Data(data) => Ok(Value::Data(Data { fixed: true, ..data.clone() })),
        Value::Text(_) | Value::Many(_) | Value::Node(_) => Err(wanted("numbers", builder.source, &call.places[0].span)),
    }
}

fn draw(builder: &mut Builder, call: &Call, number: fn(&mut crate::tensor::Rng) -> f64) -> Checked<Value> {
    let shape = shape(call)?;
    let mut rng = builder.draw();
    Ok(Value::Data(Data::from_fn(&shape, |_| number(&mut rng))))
}

fn filled(call: &Call, value: f64) -> Checked<Value> {
    Ok(Value::Data(Data::from_fn(&shape(call)?, |_| value)))
}

fn eye(_: &mut Builder, call: &Call) -> Checked<Value> {
    let side = *shape(call)?.first().ok_or_else(|| wanted("a number", call.source, call.span))?;
    let square = data::checked([side, side].into(), call.span)?;
    Ok(Value::Data(Data::from_fn(&square, |i| f64::from(u8::from(i / side == i % side)))))
}

fn linspace(builder: &mut Builder, call: &Call) -> Checked<Value> {
    let number = |item: &Item| match item.value {
        Value::Number(number) => Ok(number),
        Value::Text(_) | Value::Data(_) | Value::Many(_) | Value::Node(_) => Err(wanted("a number", builder.source, &item.span)),
    };
    let (from, to) = (number(&call.places[0])?, number(&call.places[1])?);
    let count = usize::try_from(integer(&call.places[2])?).unwrap_or(0);
    let shape = data::checked([count].into(), call.span)?;
    let step = (to - from) / (count.max(2) - 1) as f64;
    Ok(Value::Data(Data::from_fn(&shape, |i| if i > 0 && i + 1 == count { to } else { from + step * i as f64 })))
}

fn reduce(builder: &mut Builder, call: &Call, reduction: Reduction) -> Checked<Value> {
    let rank = builder.shape(&call.places[0])?.rank();
    let mut axes = match call.key("axis") {
        Some(item) => axes(call, &integers(item)?, rank)?,
        None => (0..rank).collect(),
    };
    axes.sort_unstable();
    axes.dedup();
    let keep_dims = call.flag("keepdims")?;
    builder.apply(Reduce { reduction, axes, keep_dims }, call.values(), call.span)
}

fn cumsum(builder: &mut Builder, call: &Call) -> Checked<Value> {
    let axis = call.axis(builder.shape(&call.places[0])?.rank())?;
    builder.apply(CumSum { axis, reverse: call.flag("reverse")? }, call.values(), call.span)
}

fn top_k(builder: &mut Builder, call: &Call) -> Checked<Value> {
    let k = usize::try_from(integer(&call.places[1])?).unwrap_or(0);
    builder.apply(TopK { k }, vec![call.places[0].clone()], call.span)
}

/// min x = −max(−x).
fn least(builder: &mut Builder, call: &Call) -> Checked<Value> {
    let negative = builder.apply(Pointwise::Neg, call.values(), call.span)?;
    let negated = Call { places: vec![call.item(negative)], keys: call.keys.clone(), span: call.span, source: call.source };
    let largest = reduce(builder, &negated, Reduction::Max)?;
    builder.apply(Pointwise::Neg, vec![call.item(largest)], call.span)
}

/// The mean over all elements.
fn mean(builder: &mut Builder, call: &Call, of: Value) -> Checked<Value> {
    let item = call.item(of);
    let axes: Vec<usize> = (0..builder.shape(&item)?.rank()).collect();
    match axes.is_empty() {
        true => Ok(item.value),
        false => builder.apply(Reduce { reduction: Reduction::Mean, axes, keep_dims: false }, vec![item], call.span),
    }
}

/// Mean over the examples of −Σ t ln softmax(logits); labels are classes `[...]` or probabilities `[..., C]`.
fn cross_entropy(builder: &mut Builder, call: &Call) -> Checked<Value> {
    let [logits, labels] = &call.places[..] else { return Err(wanted("two values", call.source, call.span)) };
    let (scores, given) = (builder.shape(logits)?, builder.shape(labels)?);
    let classes = scores.last().copied().unwrap_or(0);
    let labels = match classes > 0 && scores.rank() == given.rank() + 1 && scores[..given.rank()] == given[..] {
        true => one_hot(builder, labels, classes)?,
        false => labels.clone(),
    };
    let each = builder.apply(SoftmaxCrossEntropy::default(), vec![logits.clone(), labels], call.span)?;
    mean(builder, call, each)
}

/// Classes as rows of 0 and 1.
fn one_hot(builder: &mut Builder, labels: &Item, classes: usize) -> Checked<Item> {
    let values = match &labels.value {
        Value::Data(data) => data.values.clone(),
        Value::Number(number) => vec![*number],
        Value::Node(node) => builder.first_values(*node),
        Value::Many(_) | Value::Text(_) => Vec::new(),
    };
    if let Some(index) = values.iter().position(|&label| label.fract() != 0.0 || label < 0.0 || label >= classes as f64) {
        let args: [(&str, &dyn Display); 3] = [("label", &values[index]), ("index", &index), ("classes", &classes)];
        return Err(Problem::new(ErrorCode::LabelOutOfRange, &args, &labels.span));
    }
    let column: Shape = builder.shape(labels)?.iter().copied().chain([1]).collect();
    let column = builder.apply(Reshape { shape: column }, vec![labels.clone()], &labels.span)?;
    let numbers = builder.leaf("classes", &Data::from_fn(&[classes].into(), |i| i as f64), Group::Statistics);
    let sides = vec![Item { value: column, span: labels.span.clone() }, Item { value: Value::Node(numbers), span: labels.span.clone() }];
    let value = builder.apply(Pointwise::Equal, sides, &labels.span)?;
    Ok(Item { value, span: labels.span.clone() })
}

/// Mean of (a − b)².
fn mse(builder: &mut Builder, call: &Call) -> Checked<Value> {
    let error = builder.apply(Pointwise::Sub, call.values(), call.span)?;
    let square = builder.apply(Pointwise::Pow, vec![call.item(error), call.item(Value::Number(2.0))], call.span)?;
    mean(builder, call, square)
}

fn reshape(builder: &mut Builder, call: &Call) -> Checked<Value> {
    let (tensor, extents) = (&call.places[0], spread(&call.places[1..])?);
    let cells = builder.shape(tensor)?.numel();
    let rest = extents.iter().filter(|&&extent| extent != -1).try_fold(1i64, |product, &extent| product.checked_mul(extent));
    let rest = rest.and_then(|rest| usize::try_from(rest).ok()).unwrap_or(0);
    // One extent may be left open.
    let open = cells.checked_div(rest).unwrap_or(0);
    let extents = extents.iter().map(|&extent| if extent == -1 { open } else { usize::try_from(extent).unwrap_or(0) });
    let shape = data::checked(extents.collect(), call.span)?;
    builder.apply(Reshape { shape }, vec![tensor.clone()], call.span)
}

fn transpose(builder: &mut Builder, call: &Call) -> Checked<Value> {
    let tensor = &call.places[0];
    let rank = builder.shape(tensor)?.rank();
    let perm = match &call.places[1..] {
        [] => (0..rank).rev().collect(),
        written => axes(call, &spread(written)?, rank)?,
    };
    builder.apply(Transpose { perm }, vec![tensor.clone()], call.span)
}

fn concat(builder: &mut Builder, call: &Call) -> Checked<Value> {
    // `concat([a, b])` is `concat(a, b)`.
    let parts = match &call.places[..] {
        [Item { value: Value::Many(parts), .. }] => parts.clone(),
        places => places.to_vec(),
    };
    let parts = parts.into_iter().map(|part| builder.settled(part)).collect::<Checked<Vec<Item>>>()?;
    let rank = builder.shape(&parts[0])?.rank();
    let axis = call.axis(rank)?;
    builder.apply(Concat { axis }, parts, call.span)
}

fn conv2d(builder: &mut Builder, call: &Call) -> Checked<Value> {
    let conv = Conv2d { stride: call.pair(call.key("strides"), [1, 1])?, padding: call.padding()?, ..Conv2d::default() };
    builder.apply(conv, call.values(), call.span)
}

fn pool(builder: &mut Builder, call: &Call, largest: bool) -> Checked<Value> {
    let window = call.pair(call.places.get(1).or(call.key("size")), [2, 2])?;
    let windows = Windows { window, stride: call.pair(call.key("strides"), window)?, padding: call.padding()? };
    let images = vec![call.places[0].clone()];
    match largest {
        true => builder.apply(MaxPool2d { windows }, images, call.span),
        false => builder.apply(AvgPool2d { windows }, images, call.span),
    }
}
