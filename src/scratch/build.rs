//! From the tree to the graph: every expression becomes a number, known values, or a node.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::ops::Range;

use super::data::{self, Data};
use super::problem::{Checked, Hint, Place, Problem, nearest, snippet};
use super::syntax::{Expression, Id, Operator, Subscript, Tree, Written};
use super::value::{Item, Value, integer, known, list, wanted};
use super::{Program, Statement, functions};
use crate::error::{Error, ErrorCode};
use crate::graph::{Group, Initializer, NodeId};
use crate::ops::concat::Concat;
use crate::ops::matmul::MatMul;
use crate::ops::pointwise::Pointwise;
use crate::ops::reshape::Reshape;
use crate::ops::slice::Slice;
use crate::ops::transpose::Transpose;
use crate::ops::{Graph, Op};
use crate::tensor::Shape;

/// The name that sets the size of a step.
const LEARNING_RATE: &str = "learning_rate";
/// Its value where a program does not say.
const DEFAULT_RATE: f64 = 0.1;

/// A graph that grows statement by statement.
pub(super) struct Builder<'s> {
    pub source: &'s str,
    pub graph: Graph,
    names: HashMap<&'s str, NodeId>,
    taken: HashSet<String>,
    seed: u32,
    draws: u32,
    pub learning_rate: f64,
    values: Vec<Option<Value>>,
}

/// Builds a program's graph, forward, backward and update.
pub(super) fn build(tree: &Tree, seed: u32) -> Checked<Program> {
    let mut builder = Builder {
        source: tree.source,
        graph: Graph::default(),
        names: HashMap::new(),
        taken: HashSet::new(),
        seed,
        draws: 0,
        learning_rate: DEFAULT_RATE,
        values: Vec::with_capacity(tree.expressions.len()),
    };
    let mut statements = Vec::with_capacity(tree.statements.len());
    for (index, written) in tree.statements.iter().enumerate() {
        while builder.values.len() <= written.value {
            let id = builder.values.len();
            let value = builder.expression(tree, index, id)?;
            builder.values.push(Some(value));
        }
        statements.push(builder.statement(written)?);
    }
    let (loss, span) = builder.loss(&statements)?;
    builder.differentiate(loss, statements, &span)
}

impl<'s> Builder<'s> {
    /// The value of an expression whose parts are known.
    fn expression(&mut self, tree: &Tree<'s>, statement: usize, id: Id) -> Checked<Value> {
        let (expression, span) = &tree.expressions[id];
        let item = |builder: &mut Self, part: Id| Item {
            // Every expression has one parent, and parts come first.
            value: builder.values[part].take().unwrap_or(Value::Number(f64::NAN)),
            span: tree.expressions[part].1.clone(),
        };
        match expression {
            Expression::Number(number) => Ok(Value::Number(*number)),
            Expression::Text(text) => Ok(Value::Text((*text).to_owned())),
            Expression::Name(name) => self.lookup(tree, statement, name, span),
            Expression::List(parts) => {
                let items = parts.iter().map(|&part| item(self, part)).collect();
                list(items, span)
            }
            Expression::Negative(part) => {
                let operand = item(self, *part);
                self.apply(Pointwise::Neg, vec![operand], span)
            }
            Expression::Binary(operator, [left, right]) => {
                let (left, right) = (item(self, *left), item(self, *right));
                let sides = [self.settled(left)?, self.settled(right)?];
                self.binary(*operator, sides, span)
            }
            Expression::Call { name, arguments } => {
                let arguments = arguments.iter().map(|argument| (argument.key, item(self, argument.value))).collect();
                functions::call(self, name, arguments, span)
            }
            Expression::Slice(part, subscripts) => {
                let whole = item(self, *part);
                let whole = self.settled(whole)?;
                let mut position = |part: &Id| integer(&item(self, *part));
                let subscripts = subscripts.iter().map(|subscript| match subscript {
                    Subscript::At(at) => Ok((true, [Some(position(at)?), None, None])),
                    Subscript::Range(bounds) => {
                        let mut read = |k: usize| bounds[k].as_ref().map(&mut position).transpose();
                        Ok((false, [read(0)?, read(1)?, read(2)?]))
                    }
                });
                let subscripts = subscripts.collect::<Checked<Vec<_>>>()?;
                self.slice(whole, &subscripts, span)
            }
            Expression::Transposed(part) => {
                let operand = item(self, *part);
                let operand = self.settled(operand)?;
                let perm = (0..self.shape(&operand)?.rank()).rev().collect();
                self.apply(Transpose { perm }, vec![operand], span)
            }
        }
    }

    fn lookup(&self, tree: &Tree<'s>, statement: usize, name: &'s str, span: &Range<usize>) -> Checked<Value> {
        match (name, self.names.get(name)) {
            (_, Some(&node)) => return Ok(Value::Node(node)),
            ("true", None) => return Ok(Value::Number(1.0)),
            ("false", None) => return Ok(Value::Number(0.0)),
            _ => {}
        }
        if let Some(later) = tree.statements[statement..].iter().find(|written| written.name == Some(name)) {
            let defined = Place::of(self.source, later.span.start).line;
            let problem = Problem::new(ErrorCode::UsedBeforeDefined, &[("name", &name), ("defined", &defined)], span);
            let own = later.span == tree.statements[statement].span;
            return Err(if own { problem } else { problem.hint(Hint::MoveUp, &[]) });
        }
        let problem = Problem::new(ErrorCode::UnknownName, &[("kind", &"name"), ("got", &name)], span);
        if functions::names().any(|known| known == name) {
            return Err(problem.hint(Hint::CallIt, &[]));
        }
        Err(match nearest(name, self.names.keys().copied()) {
            Some(suggestion) => problem.hint(Hint::DidYouMean, &[("suggestion", &suggestion)]),
            None => problem,
        })
    }

    fn binary(&mut self, operator: Operator, sides: [Item; 2], span: &Range<usize>) -> Checked<Value> {
        let function = match operator {
            Operator::Add => Pointwise::Add,
            Operator::Sub => Pointwise::Sub,
            Operator::Mul => Pointwise::Mul,
            Operator::Div => Pointwise::Div,
            Operator::Pow => Pointwise::Pow,
            Operator::MatMul => return self.matmul(sides, span),
        };
        self.apply(function, sides.into(), span)
    }

    /// `a @ b`: as NumPy's, a vector on the left is a row, one on the right a column, and that axis goes again.
    fn matmul(&mut self, [left, right]: [Item; 2], span: &Range<usize>) -> Checked<Value> {
        let (a, b) = (self.shape(&left)?, self.shape(&right)?);
        let row = if a.rank() == 1 { self.apply(Reshape { shape: [1, a[0]].into() }, vec![left.clone()], &left.span)? } else { left.value };
        let column =
            if b.rank() == 1 { self.apply(Reshape { shape: [b[0], 1].into() }, vec![right.clone()], &right.span)? } else { right.value };
        let sides = vec![Item { value: row, span: left.span }, Item { value: column, span: right.span }];
        let product = self.apply(MatMul { transpose_a: false, transpose_b: false }, sides, span)?;
        if a.rank() != 1 && b.rank() != 1 {
            return Ok(product);
        }
        let product = Item { value: product, span: span.clone() };
        let mut shape = self.shape(&product)?.to_vec();
        if b.rank() == 1 {
            shape.pop();
        }
        if a.rank() == 1 {
            shape.remove(shape.len() - 1 - usize::from(b.rank() != 1));
        }
        self.apply(Reshape { shape: shape.into() }, vec![product], span)
    }

    /// The result of an operation: known values where all inputs are and the operation keeps them known, else a node.
    pub fn apply(&mut self, op: impl Into<Op>, inputs: Vec<Item>, span: &Range<usize>) -> Checked<Value> {
        let op = op.into();
        if data::stays_known(&op)
            && let Some(known) = inputs.iter().map(known).collect::<Option<Vec<Data>>>()
        {
            let result = Data::computed(op, &known).map_err(|error| self.misfit(error, &inputs, span))?;
            return Ok(match inputs.iter().all(|input| matches!(input.value, Value::Number(_))) {
                true => Value::Number(result.values[0]),
                false => Value::Data(result),
            });
        }
        let nodes = inputs.iter().map(|input| self.node(input)).collect::<Checked<Vec<NodeId>>>()?;
        let pushed = self.graph.push(op, &nodes).map_err(|error| self.misfit(error, &inputs, span))?;
        data::checked(self.graph.shape(pushed).clone(), span)?;
        Ok(Value::Node(pushed))
    }

    /// An error of an operation at its place, with the operands that do not fit.
    pub fn misfit(&self, error: Error, inputs: &[Item], span: &Range<usize>) -> Box<Problem> {
        let problem = Problem::from(error, span);
        if problem.code() != ErrorCode::ShapeMismatch {
            return problem;
        }
        let hint = match problem.op() {
            "matmul" => Hint::MatMul,
            "reshape" => Hint::Cells,
            "concat" => Hint::Ragged,
            _ => Hint::Broadcast,
        };
        let source = |k: usize| inputs.get(k).map_or(String::new(), |input| snippet(self.source, &input.span));
        match inputs.len() {
            2 => problem.hint(hint, &[("left_source", &source(0)), ("right_source", &source(1))]),
            _ if hint == Hint::Broadcast => problem,
            _ => problem.hint(hint, &[]),
        }
    }

    /// The node of a value. Numbers become constants; known values that have no name become leaves that a step does not change.
    pub fn node(&mut self, item: &Item) -> Checked<NodeId> {
        match &item.value {
            Value::Node(node) => Ok(*node),
            Value::Number(number) => Ok(self.graph.constant(*number as f32)),
            Value::Data(data) => Ok(self.leaf("values", data, Group::Statistics)),
            Value::Many(parts) => {
                let mut stacked = Vec::with_capacity(parts.len());
                for part in parts {
                    let inner = self.node(part)?;
                    let shape: Shape = std::iter::once(1).chain(self.graph.shape(inner).iter().copied()).collect();
                    let part = Item { value: Value::Node(inner), span: part.span.clone() };
                    let value = self.apply(Reshape { shape }, vec![part], &item.span)?;
                    stacked.push(Item { value, span: item.span.clone() });
                }
                match self.apply(Concat { axis: 0 }, stacked, &item.span)? {
                    Value::Node(node) => Ok(node),
                    value @ (Value::Number(_) | Value::Text(_) | Value::Data(_) | Value::Many(_)) => {
                        self.node(&Item { value, span: item.span.clone() })
                    }
                }
            }
            Value::Text(_) => Err(wanted("a tensor", self.source, &item.span)),
        }
    }

    /// A list with computed parts as the node that stacks them, so that it is stacked once; anything else as it is.
    pub fn settled(&mut self, item: Item) -> Checked<Item> {
        match item.value {
            Value::Many(_) => Ok(Item { value: Value::Node(self.node(&item)?), span: item.span }),
            Value::Number(_) | Value::Text(_) | Value::Data(_) | Value::Node(_) => Ok(item),
        }
    }

    /// The shape of a value.
    pub fn shape(&mut self, item: &Item) -> Checked<Shape> {
        match &item.value {
            Value::Number(_) => Ok(Shape::scalar()),
            Value::Data(data) => Ok(data.shape.clone()),
            Value::Node(node) => Ok(self.graph.shape(*node).clone()),
            Value::Many(_) | Value::Text(_) => {
                let node = self.node(item)?;
                Ok(self.graph.shape(node).clone())
            }
        }
    }

    /// A leaf with those first values; its name is made unique.
    pub fn leaf(&mut self, name: &str, data: &Data, group: Group) -> NodeId {
        let name = self.unique(name);
        self.graph.declare(&name, data.shape.clone(), group, Initializer::Values { values: data.values.clone() })
    }

    fn unique(&mut self, name: &str) -> String {
        let candidates = std::iter::once(name.to_owned()).chain((1..).map(|n| format!("{name}_{n}")));
        let free = |candidate: &String| !self.taken.contains(candidate) && self.graph.find(candidate).is_none();
        let free = candidates.into_iter().find(free).unwrap_or_default();
        self.taken.insert(free.clone());
        free
    }

    /// The random numbers of the next random tensor: a stream of their own.
    pub fn draw(&mut self) -> crate::tensor::Rng {
        self.draws += 1;
        crate::tensor::Rng::new(self.seed, self.draws)
    }

    /// `x[...]`; each subscript: whether it is one position, and its bounds.
    fn slice(&mut self, whole: Item, subscripts: &[(bool, [Option<i64>; 3])], span: &Range<usize>) -> Checked<Value> {
        let shape = self.shape(&whole)?;
        if subscripts.len() > shape.rank() {
            let args: [(&str, &dyn Display); 3] = [("op", &"slice"), ("expected", &format!("{} axes", subscripts.len())), ("got", &shape)];
            return Err(Problem::new(ErrorCode::BadShape, &args, span));
        }
        let (mut starts, mut ends, mut steps) = (vec![0; shape.rank()], shape.to_vec(), vec![1; shape.rank()]);
        for (axis, &(single, [start, end, step])) in subscripts.iter().enumerate() {
            let extent = shape[axis] as i64;
            let from_end = |position: i64| if position < 0 { position + extent } else { position };
            let start = from_end(start.unwrap_or(0));
            let end = if single { start + 1 } else { from_end(end.unwrap_or(extent)).min(extent) };
            let step = step.unwrap_or(1);
            if start < 0 || start >= end || end > extent || step < 1 {
                let got = snippet(self.source, span);
                let problem = Problem::new(ErrorCode::OutOfRange, &[("got", &got), ("axis", &axis), ("shape", &shape)], span);
                return Err(problem.hint(Hint::Extent, &[("extent", &extent)]));
            }
            (starts[axis], ends[axis], steps[axis]) = (start as usize, end as usize, step as usize);
        }
        let part = self.apply(Slice { starts, ends, steps }, vec![whole], span)?;
        if !subscripts.iter().any(|(single, _)| *single) {
            return Ok(part);
        }
        let part = Item { value: part, span: span.clone() };
        let gone = |axis: usize| subscripts.get(axis).is_some_and(|(single, _)| *single);
        let kept = self.shape(&part)?.iter().enumerate().filter(|&(axis, _)| !gone(axis)).map(|(_, &extent)| extent).collect();
        self.apply(Reshape { shape: kept }, vec![part], span)
    }

    fn statement(&mut self, written: &Written<'s>) -> Checked<Statement> {
        let value = self.values[written.value].take().unwrap_or(Value::Number(f64::NAN));
        let item = Item { value, span: written.span.clone() };
        let name = written.name.unwrap_or_default();
        let (node, variable) = match (&item.value, name) {
            (Value::Number(rate), LEARNING_RATE) => {
                self.learning_rate = *rate;
                (self.graph.scalar(LEARNING_RATE, *rate as f32), false)
            }
            (_, LEARNING_RATE) => return Err(wanted("a number", self.source, &written.span)),
            (Value::Number(_) | Value::Data(_), _) => {
                let data = known(&item).unwrap_or_else(|| Data::number(f64::NAN));
                let group = if data.fixed { Group::Statistics } else { Group::Parameters };
                (self.leaf(if name.is_empty() { "value" } else { name }, &data, group), !data.fixed)
            }
            (Value::Node(_) | Value::Many(_) | Value::Text(_), _) => {
                let node = self.node(&item)?;
                // A node that an earlier statement named, as in `y = x`, keeps that name.
                if !self.named(node) && !name.is_empty() {
                    let unique = self.unique(name);
                    self.graph.rename(node, &unique);
                }
                (node, false)
            }
        };
        if !name.is_empty() {
            self.names.insert(name, node);
        }
        let line = Place::of(self.source, written.span.start).line;
        Ok(Statement { name: name.to_owned(), node, variable, span: written.span.clone(), line })
    }

    fn named(&self, node: NodeId) -> bool {
        self.names.values().any(|&known| known == node)
    }
}
