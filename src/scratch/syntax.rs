//! From tokens to a tree. Its expressions lie in one list, each behind its parts, so that whoever walks it needs no recursion; what the parser
//! itself needs is bounded.

use std::ops::Range;

use winnow::Parser;
use winnow::combinator::{Infix, expression, fail};
use winnow::error::ParserError;
use winnow::stream::{Stateful, Stream as _, TokenSlice};

use super::lexer::{Kind, Token};
use super::problem::{Checked, Hint, Problem};
use super::{MOST_DEPTH, MOST_NODES};
use crate::error::ErrorCode;

/// Position of an expression in [`Tree::expressions`].
pub(super) type Id = usize;

/// A program as it was written.
#[derive(Debug)]
pub(super) struct Tree<'s> {
    pub source: &'s str,
    /// Each behind the expressions that it is made of.
    pub expressions: Vec<(Expression<'s>, Range<usize>)>,
    pub statements: Vec<Written<'s>>,
}

/// `name = value`, or a value alone.
#[derive(Debug)]
pub(super) struct Written<'s> {
    pub name: Option<&'s str>,
    pub value: Id,
    pub span: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Operator {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    MatMul,
}

#[derive(Debug)]
pub(super) enum Expression<'s> {
    Number(f64),
    Text(&'s str),
    Name(&'s str),
    List(Vec<Id>),
    Negative(Id),
    Binary(Operator, [Id; 2]),
    Call { name: &'s str, arguments: Vec<Argument<'s>> },
    Slice(Id, Vec<Subscript>),
    Transposed(Id),
}

/// A value in a call, by its place or by its key.
#[derive(Clone, Debug)]
pub(super) struct Argument<'s> {
    pub key: Option<&'s str>,
    pub value: Id,
}

/// What stands for one axis in `x[...]`.
#[derive(Clone, Debug)]
pub(super) enum Subscript {
    /// One position: the axis goes.
    At(Id),
    /// `start:end:step`.
    Range([Option<Id>; 3]),
}

#[derive(Debug)]
struct State<'s> {
    source: &'s str,
    expressions: Vec<(Expression<'s>, Range<usize>)>,
    operations: usize,
    depth: usize,
}

type Input<'t, 's> = Stateful<TokenSlice<'t, Token<'s>>, State<'s>>;
type Parsed<T> = Result<T, Stop>;

/// Why a parser gave up: it may be another construct, or it is a mistake.
#[derive(Debug)]
enum Stop {
    Elsewhere,
    Mistake(Box<Problem>),
}

impl ParserError<Input<'_, '_>> for Stop {
    type Inner = Self;

    fn from_input(_: &Input) -> Self {
        Stop::Elsewhere
    }

    fn is_backtrack(&self) -> bool {
        matches!(self, Stop::Elsewhere)
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

/// Reads the tokens of a program.
pub(super) fn parse<'s>(source: &'s str, tokens: &[Token<'s>]) -> Checked<Tree<'s>> {
    let state = State { source, expressions: Vec::new(), operations: 0, depth: 0 };
    let mut input = Stateful { input: TokenSlice::new(tokens), state };
    let mut statements = Vec::new();
    loop {
        while take(&mut input, Kind::Break).is_some() {}
        if take(&mut input, Kind::End).is_some() {
            break;
        }
        let statement = statement(&mut input).map_err(|stop| match stop {
            Stop::Mistake(problem) => problem,
            Stop::Elsewhere => expected(&input, "a value"),
        })?;
        statements.push(statement);
    }
    if statements.is_empty() {
        return Err(Problem::new(ErrorCode::EmptyProgram, &[], &(0..0)).hint(Hint::TryThis, &[]));
    }
    Ok(Tree { source, expressions: input.state.expressions, statements })
}

fn peek<'s>(input: &Input<'_, 's>, ahead: usize) -> Kind<'s> {
    input.input.get(ahead).map_or(Kind::End, |token| token.kind)
}

fn here(input: &Input) -> Range<usize> {
    input.input.first().map_or(0..0, |token| token.span.clone())
}

/// The token of that kind, if it is next.
fn take(input: &mut Input, kind: Kind) -> Option<Range<usize>> {
    let span = here(input);
    (peek(input, 0) == kind).then(|| input.next_token()).flatten().map(|_| span)
}

fn symbol(input: &mut Input, symbol: char) -> Option<Range<usize>> {
    take(input, Kind::Symbol(symbol))
}

/// A mistake: something else is expected here.
fn expected(input: &Input, what: &str) -> Box<Problem> {
    let span = here(input);
    let found = match peek(input, 0) {
        Kind::End => "the end",
        Kind::Break => "the end of the line",
        Kind::Number(_) | Kind::Name(_) | Kind::Text(_) | Kind::Symbol(_) => &input.state.source[span.clone()],
    };
    let problem = Problem::new(ErrorCode::Unexpected, &[("expected", &what), ("found", &found)], &span);
    let before = input.input.previous_tokens().next().map(|token| token.kind);
    match (before, peek(input, 0)) {
        (Some(Kind::Symbol('*')), Kind::Symbol('*')) => problem.hint(Hint::Power, &[]),
        (_, Kind::Symbol('=')) => problem.hint(Hint::NoComparison, &[]),
        _ => problem,
    }
}

fn need(input: &mut Input, wanted: char, what: &str) -> Parsed<Range<usize>> {
    symbol(input, wanted).ok_or_else(|| Stop::Mistake(expected(input, what)))
}

fn push<'s>(input: &mut Input<'_, 's>, expression: Expression<'s>, span: Range<usize>) -> Parsed<Id> {
    // Numbers and names make no node of their own, and the number of characters bounds them.
    input.state.operations += usize::from(!matches!(expression, Expression::Number(_) | Expression::Name(_)));
    if input.state.operations > MOST_NODES {
        let args: [(&str, &dyn std::fmt::Display); 2] = [("what", &"operations"), ("most", &MOST_NODES)];
        return Err(Stop::Mistake(Problem::new(ErrorCode::TooLarge, &args, &span)));
    }
    input.state.expressions.push((expression, span));
    Ok(input.state.expressions.len() - 1)
}

fn span_of(input: &Input, id: Id) -> Range<usize> {
    input.state.expressions[id].1.clone()
}

/// Calls `parser` one level deeper, unless that is too deep.
fn deeper<'t, 's, T>(input: &mut Input<'t, 's>, parser: impl FnOnce(&mut Input<'t, 's>) -> Parsed<T>) -> Parsed<T> {
    if input.state.depth >= MOST_DEPTH {
        return Err(Stop::Mistake(Problem::new(ErrorCode::TooDeep, &[("most", &MOST_DEPTH)], &here(input))));
    }
    input.state.depth += 1;
    let parsed = parser(input);
    input.state.depth -= 1;
    parsed
}

fn statement<'s>(input: &mut Input<'_, 's>) -> Parsed<Written<'s>> {
    let start = here(input).start;
    let name = match (peek(input, 0), peek(input, 1)) {
        (Kind::Name(name), Kind::Symbol('=')) => {
            input.next_token();
            input.next_token();
            Some(name)
        }
        _ => None,
    };
    let value = sum(input)?;
    if !matches!(peek(input, 0), Kind::Break | Kind::End) {
        return Err(Stop::Mistake(expected(input, "an operator or the end of the line")));
    }
    Ok(Written { name, value, span: start..span_of(input, value).end })
}

/// Operands between `+ - * / @`.
fn sum(input: &mut Input<'_, '_>) -> Parsed<Id> {
    deeper(input, |input| expression(signed).infix(operator).parse_next(input))
}

fn operator<'t, 's>(input: &mut Input<'t, 's>) -> Parsed<Infix<Input<'t, 's>, Id, Stop>> {
    macro_rules! left {
        ($power:literal, $operator:ident) => {
            Infix::Left($power, |input, a, b| binary(input, Operator::$operator, [a, b]))
        };
    }
    let infix = match peek(input, 0) {
        Kind::Symbol('+') => left!(1, Add),
        Kind::Symbol('-') => left!(1, Sub),
        Kind::Symbol('*') => left!(2, Mul),
        Kind::Symbol('/') => left!(2, Div),
        Kind::Symbol('@') => left!(2, MatMul),
        _ => return fail.parse_next(input),
    };
    input.next_token();
    Ok(infix)
}

fn binary(input: &mut Input<'_, '_>, operator: Operator, sides: [Id; 2]) -> Parsed<Id> {
    let span = span_of(input, sides[0]).start..span_of(input, sides[1]).end;
    push(input, Expression::Binary(operator, sides), span)
}

/// `-x`, which binds less than a power: `-x^2` is `-(x^2)`.
fn signed(input: &mut Input<'_, '_>) -> Parsed<Id> {
    match symbol(input, '-') {
        Some(minus) => {
            let operand = deeper(input, signed)?;
            let span = minus.start..span_of(input, operand).end;
            match &mut input.state.expressions[operand] {
                (Expression::Number(number), place) => {
                    (*number, *place) = (-*number, span);
                    Ok(operand)
                }
                _ => push(input, Expression::Negative(operand), span),
            }
        }
        None => power(input),
    }
}

/// `base^exponent`; the exponent may have a sign and an exponent of its own.
fn power(input: &mut Input<'_, '_>) -> Parsed<Id> {
    let base = postfix(input)?;
    match symbol(input, '^') {
        Some(_) => {
            let exponent = deeper(input, signed)?;
            binary(input, Operator::Pow, [base, exponent])
        }
        None => Ok(base),
    }
}

/// A value with what stands behind it: slices and `.T`.
fn postfix(input: &mut Input<'_, '_>) -> Parsed<Id> {
    let mut value = primary(input)?;
    loop {
        let start = span_of(input, value).start;
        if symbol(input, '[').is_some() {
            let subscripts = list(input, ']', subscript)?;
            let end = need(input, ']', "]")?.end;
            value = push(input, Expression::Slice(value, subscripts), start..end)?;
        } else if symbol(input, '.').is_some() {
            let Some(end) = take(input, Kind::Name("T")) else { return Err(Stop::Mistake(expected(input, "T"))) };
            value = push(input, Expression::Transposed(value), start..end.end)?;
        } else {
            return Ok(value);
        }
    }
}

/// Items between commas up to a closing bracket, which stays.
fn list<'t, 's, T>(input: &mut Input<'t, 's>, close: char, item: fn(&mut Input<'t, 's>) -> Parsed<T>) -> Parsed<Vec<T>> {
    let mut items = Vec::new();
    while peek(input, 0) != Kind::Symbol(close) {
        items.push(item(input)?);
        if symbol(input, ',').is_none() {
            break;
        }
    }
    Ok(items)
}

fn subscript(input: &mut Input<'_, '_>) -> Parsed<Subscript> {
    let colon = Kind::Symbol(':');
    let bound = |input: &mut Input<'_, '_>| match peek(input, 0) {
        Kind::Symbol(':' | ',' | ']') => Ok(None),
        _ => sum(input).map(Some),
    };
    let start = bound(input)?;
    match (start, take(input, colon)) {
        (Some(position), None) => Ok(Subscript::At(position)),
        (None, None) => Err(Stop::Mistake(expected(input, "a position"))),
        (start, Some(_)) => {
            let end = bound(input)?;
            let step = match take(input, colon) {
                Some(_) => bound(input)?,
                None => None,
            };
            Ok(Subscript::Range([start, end, step]))
        }
    }
}

fn argument<'s>(input: &mut Input<'_, 's>) -> Parsed<Argument<'s>> {
    let key = match (peek(input, 0), peek(input, 1)) {
        (Kind::Name(key), Kind::Symbol('=')) => {
            input.next_token();
            input.next_token();
            Some(key)
        }
        _ => None,
    };
    Ok(Argument { key, value: sum(input)? })
}

fn primary(input: &mut Input<'_, '_>) -> Parsed<Id> {
    let span = here(input);
    match (peek(input, 0), peek(input, 1)) {
        (Kind::Number(number), _) => {
            input.next_token();
            push(input, Expression::Number(number), span)
        }
        (Kind::Text(text), _) => {
            input.next_token();
            push(input, Expression::Text(text), span)
        }
        (Kind::Name(name), Kind::Symbol('(')) => {
            input.next_token();
            input.next_token();
            let arguments = list(input, ')', argument)?;
            let end = need(input, ')', ") or ,")?.end;
            push(input, Expression::Call { name, arguments }, span.start..end)
        }
        (Kind::Name(name), _) => {
            input.next_token();
            push(input, Expression::Name(name), span)
        }
        (Kind::Symbol('['), _) => {
            input.next_token();
            let items = list(input, ']', sum)?;
            if items.is_empty() {
                return Err(Stop::Mistake(expected(input, "a value")));
            }
            let end = need(input, ']', "] or ,")?.end;
            push(input, Expression::List(items), span.start..end)
        }
        (Kind::Symbol('('), _) => parenthesised(input, span.start),
        (Kind::Symbol(_) | Kind::Break | Kind::End, _) => Err(Stop::Mistake(expected(input, "a value"))),
    }
}

/// `(a)` is a; `(a, b)` is the list of both, as in `reshape(x, (2, 3))`.
fn parenthesised(input: &mut Input<'_, '_>, start: usize) -> Parsed<Id> {
    input.next_token();
    let first = sum(input)?;
    let Some(end) = symbol(input, ')') else {
        need(input, ',', ") or ,")?;
        let mut items = vec![first];
        items.extend(list(input, ')', sum)?);
        let end = need(input, ')', ") or ,")?.end;
        return push(input, Expression::List(items), start..end);
    };
    // With its brackets, so that what an error shows can be copied.
    input.state.expressions[first].1 = start..end.end;
    Ok(first)
}
