//! What the functions do.

use std::fmt::Display;

use super::{Call, axes, data, integers, shape, spread};
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
use crate::ops::top_k::TopK;
use crate::ops::transpose::Transpose;
use crate::scratch::build::Builder;
use crate::scratch::data::Data;
use crate::scratch::problem::{Checked, Problem};
use crate::scratch::value::{Item, Value, integer, wanted};
use crate::tensor::Shape;

pub(super) fn fixed(builder: &mut Builder, call: &Call) -> Checked<Value> {
    match &call.places[0].value {
        Value::Number(number) => Ok(Value::Data(Data { fixed: true, ..Data::number(*number) })),
        Value::Data(data) => Ok(Value::Data(Data { fixed: true, ..data.clone() })),
        Value::Text(_) | Value::Many(_) | Value::Node(_) => Err(wanted("numbers", builder.source, &call.places[0].span)),
    }
}

pub(super) fn draw(builder: &mut Builder, call: &Call, number: fn(&mut crate::tensor::Rng) -> f64) -> Checked<Value> {
    let shape = shape(call)?;
    let mut rng = builder.draw();
    Ok(Value::Data(Data::from_fn(&shape, |_| number(&mut rng))))
}

pub(super) fn filled(call: &Call, value: f64) -> Checked<Value> {
    Ok(Value::Data(Data::from_fn(&shape(call)?, |_| value)))
}

pub(super) fn eye(_: &mut Builder, call: &Call) -> Checked<Value> {
    let side = *shape(call)?.first().ok_or_else(|| wanted("a number", call.source, call.span))?;
    let square = data::checked([side, side].into(), call.span)?;
    Ok(Value::Data(Data::from_fn(&square, |i| f64::from(u8::from(i / side == i % side)))))
}

pub(super) fn linspace(builder: &mut Builder, call: &Call) -> Checked<Value> {
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

pub(super) fn reduce(builder: &mut Builder, call: &Call, reduction: Reduction) -> Checked<Value> {
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

pub(super) fn cumsum(builder: &mut Builder, call: &Call) -> Checked<Value> {
    let axis = call.axis(builder.shape(&call.places[0])?.rank())?;
    builder.apply(CumSum { axis, reverse: call.flag("reverse")? }, call.values(), call.span)
}

pub(super) fn top_k(builder: &mut Builder, call: &Call) -> Checked<Value> {
    let k = usize::try_from(integer(&call.places[1])?).unwrap_or(0);
    builder.apply(TopK { k }, vec![call.places[0].clone()], call.span)
}

/// min x = −max(−x).
pub(super) fn least(builder: &mut Builder, call: &Call) -> Checked<Value> {
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
pub(super) fn cross_entropy(builder: &mut Builder, call: &Call) -> Checked<Value> {
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
pub(super) fn mse(builder: &mut Builder, call: &Call) -> Checked<Value> {
    let error = builder.apply(Pointwise::Sub, call.values(), call.span)?;
    let square = builder.apply(Pointwise::Pow, vec![call.item(error), call.item(Value::Number(2.0))], call.span)?;
    mean(builder, call, square)
}

pub(super) fn reshape(builder: &mut Builder, call: &Call) -> Checked<Value> {
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

pub(super) fn transpose(builder: &mut Builder, call: &Call) -> Checked<Value> {
    let tensor = &call.places[0];
    let rank = builder.shape(tensor)?.rank();
    let perm = match &call.places[1..] {
        [] => (0..rank).rev().collect(),
        written => axes(call, &spread(written)?, rank)?,
    };
    builder.apply(Transpose { perm }, vec![tensor.clone()], call.span)
}

pub(super) fn concat(builder: &mut Builder, call: &Call) -> Checked<Value> {
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

pub(super) fn conv2d(builder: &mut Builder, call: &Call) -> Checked<Value> {
    let conv = Conv2d { stride: call.pair(call.key("strides"), [1, 1])?, padding: call.padding()?, ..Conv2d::default() };
    builder.apply(conv, call.values(), call.span)
}

pub(super) fn pool(builder: &mut Builder, call: &Call, largest: bool) -> Checked<Value> {
    let window = call.pair(call.places.get(1).or(call.key("size")), [2, 2])?;
    let windows = Windows { window, stride: call.pair(call.key("strides"), window)?, padding: call.padding()? };
    let images = vec![call.places[0].clone()];
    match largest {
        true => builder.apply(MaxPool2d { windows }, images, call.span),
        false => builder.apply(AvgPool2d { windows }, images, call.span),
    }
}
