//! An element as an expression over elements of the inputs: what the stepper draws, term by term, without knowing the op.

use super::pointwise::Pointwise;
use super::real::CpuCx;

/// Position of the first largest.
pub fn first_max(values: impl Iterator<Item = f64>) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (position, value) in values.enumerate() {
        if position == 0 || value > best.1 {
            best = (position, value);
        }
    }
    best.0
}

/// An expression tree over elements.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Element `index` (row-major) of input `input`.
    Element {
        /// Which input.
        input: usize,
        /// Row-major position in it.
        index: usize,
    },
    /// A number of the op's own.
    Constant(f64),
    /// The random number of a stream at an index, in [0, 1), at the present seed and step.
    Random {
        /// The stream.
        stream: u32,
        /// The index.
        index: usize,
    },
    /// Terms that are added.
    Sum(Vec<Expr>),
    /// Factors that are multiplied.
    Product(Vec<Expr>),
    /// The largest.
    Max(Vec<Expr>),
    /// Position of the first largest.
    ArgMax(Vec<Expr>),
    /// 1 if candidate `candidate` is the first largest among all, else 0.
    FirstMax {
        /// Position among the candidates.
        candidate: usize,
        /// All of them.
        among: Vec<Expr>,
    },
    /// 1 if the two are equal, else 0.
    Equal(Box<[Expr; 2]>),
    /// A pointwise function.
    Call(Pointwise, Vec<Expr>),
}

impl Expr {
    /// Element `index` of input `input`.
    pub fn element(input: usize, index: usize) -> Self {
        Expr::Element { input, index }
    }

    /// 1 if candidate `candidate` is the first largest among all, else 0. One that is alone wins whatever it is, and so is not named.
    pub fn first_max(candidate: usize, among: Vec<Expr>) -> Self {
        match among.len() {
            1 if candidate == 0 => Expr::Constant(1.0),
            _ => Expr::FirstMax { candidate, among },
        }
    }

    /// A pointwise function of some expressions.
    pub fn call(function: Pointwise, arguments: impl Into<Vec<Expr>>) -> Self {
        Expr::Call(function, arguments.into())
    }

    /// Its value, in double precision and apart from the op's own code; `element(input, index)` gives the inputs' elements.
    pub fn value(&self, cx: &CpuCx, element: &dyn Fn(usize, usize) -> f64) -> f64 {
        let value = |expr: &Expr| expr.value(cx, element);
        match self {
            Expr::Element { input, index } => element(*input, *index),
            Expr::Constant(number) => *number,
            Expr::Random { stream, index } => f64::from(cx.random(*stream, *index)),
            Expr::Sum(terms) => terms.iter().map(value).sum(),
            Expr::Product(factors) => factors.iter().map(value).product(),
            Expr::Max(candidates) => candidates.iter().map(value).fold(f64::NEG_INFINITY, f64::max),
            Expr::ArgMax(candidates) => first_max(candidates.iter().map(value)) as f64,
            Expr::FirstMax { candidate, among } => f64::from(u8::from(first_max(among.iter().map(value)) == *candidate)),
            Expr::Equal(sides) => f64::from(u8::from(value(&sides[0]) == value(&sides[1]))),
            Expr::Call(function, arguments) => {
                let argument = |i: usize| [arguments.get(i).map_or(0.0, value)];
                let mut out = [0.0];
                function.apply([&argument(0), &argument(1), &argument(2)], &mut out);
                out[0]
            }
        }
    }

    /// Every element that it names, as (input, index), in the order of its terms.
    pub fn elements(&self, found: &mut Vec<(usize, usize)>) {
        match self {
            Expr::Element { input, index } => found.push((*input, *index)),
            Expr::Constant(_) | Expr::Random { .. } => {}
            Expr::Sum(parts) | Expr::Product(parts) | Expr::Max(parts) | Expr::ArgMax(parts) | Expr::Call(_, parts) => {
                parts.iter().for_each(|part| part.elements(found));
            }
            Expr::FirstMax { among, .. } => among.iter().for_each(|part| part.elements(found)),
            Expr::Equal(sides) => sides.iter().for_each(|side| side.elements(found)),
        }
    }
}
