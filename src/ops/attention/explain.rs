//! Elements of attention and of its gradient as expressions.

use crate::ops::Expr;
use crate::ops::pointwise::Pointwise;
use crate::simd::{AttentionShape, HIDDEN};

/// Where a row lies: example, head, position.
fn position(s: &AttentionShape, row: usize, heads: usize, length: usize) -> (usize, usize, usize) {
    match s.heads_first {
        true => (row / length / heads, row / length % heads, row % length),
        false => (row / heads / length, row % heads, row / heads % length),
    }
}

/// Position `i` of a place as [`AttentionShape::query`] gives it.
fn row(place: (usize, usize), i: usize) -> usize {
    place.0 + i * place.1
}

/// Σ of an element of row `a` of one input times that of row `b` of another, over `cols`.
fn products(a: (usize, usize), b: (usize, usize), cols: usize) -> Vec<Expr> {
    let element = |of: (usize, usize), col| Expr::element(of.0, of.1 * cols + col);
    (0..cols).map(|col| Expr::Product(vec![element(a, col), element(b, col)])).collect()
}

/// scale q kᵀ, so much lower where the key is hidden, and higher by the same where all are.
fn score(s: &AttentionShape, mask: Option<usize>, n: usize, h: usize, i: usize, j: usize) -> Expr {
    let product = Expr::Sum(products((0, row(s.query(n, h), i)), (1, row(s.key(n, h), j)), s.dim));
    let scaled = Expr::Product(vec![Expr::Constant(f64::from(s.scale)), product]);
    let Some(input) = mask else { return scaled };
    let hidden = |j: usize| {
        let equal = Expr::Equal(Box::new([Expr::element(input, n * s.keys + j), Expr::Constant(0.0)]));
        Expr::Product(vec![Expr::Constant(f64::from(HIDDEN)), equal])
    };
    let top = Expr::Max((0..s.seen(i)).map(hidden).collect());
    Expr::call(Pointwise::Sub, [Expr::Sum(vec![scaled, hidden(j)]), top])
}

/// Element `out` of [`super::Attention`]. Of a query that sees a single key the weight is 1, whatever its score.
pub(super) fn forward(s: &AttentionShape, mask: Option<usize>, out: usize) -> Expr {
    let attended = s.query_rows() * s.value_dim;
    let at = if out < attended { out / s.value_dim } else { out - attended };
    let (n, h, i) = position(s, at, s.heads, s.queries);
    let seen = s.seen(i);
    let power = |j: usize| Expr::call(Pointwise::Exp, [score(s, mask, n, h, i, j)]);
    let value = |j: usize| Expr::element(2, row(s.key(n, h), j) * s.value_dim + out % s.value_dim);
    if out < attended && seen == 1 {
        return value(0);
    }
    let total = Expr::Sum((0..seen).map(power).collect());
    match out < attended {
        true => {
            let weighted = (0..seen).map(|j| Expr::Product(vec![power(j), value(j)])).collect();
            Expr::call(Pointwise::Div, [Expr::Sum(weighted), total])
        }
        false => Expr::call(Pointwise::Log, [total]),
    }
}

/// Element `out` of [`super::AttentionGrad`]; `with_lse` tells whether a gradient reaches the logarithms too.
pub(super) fn backward(s: &AttentionShape, mask: Option<usize>, with_lse: bool, out: usize) -> Expr {
    let attended = s.query_rows() * s.value_dim;
    let weight = |n: usize, h: usize, i: usize, j: usize| {
        let lse = Expr::element(3, attended + row(s.query(n, h), i));
        Expr::call(Pointwise::Exp, [Expr::call(Pointwise::Sub, [score(s, mask, n, h, i, j), lse])])
    };
    // The score's gradient: p (dy vᵀ − dy yᵀ + d lse).
    let slope = |n: usize, h: usize, i: usize, j: usize| {
        let query = row(s.query(n, h), i);
        let mut terms = products((4, query), (2, row(s.key(n, h), j)), s.value_dim);
        let level = Expr::Sum(products((4, query), (3, query), s.value_dim));
        terms.push(Expr::call(Pointwise::Neg, [level]));
        terms.extend(with_lse.then(|| Expr::element(4, attended + query)));
        Expr::Product(vec![weight(n, h, i, j), Expr::Sum(terms)])
    };
    let scaled = |terms: Vec<Expr>| Expr::Product(vec![Expr::Constant(f64::from(s.scale)), Expr::Sum(terms)]);
    let (in_q, in_k) = (s.query_rows() * s.dim, s.key_rows() * s.dim);
    if out < in_q {
        let (n, h, i) = position(s, out / s.dim, s.heads, s.queries);
        let key = |j: usize| Expr::element(1, row(s.key(n, h), j) * s.dim + out % s.dim);
        return scaled((0..s.seen(i)).map(|j| Expr::Product(vec![slope(n, h, i, j), key(j)])).collect());
    }
    let of_values = out >= in_q + in_k;
    let (at, cols) = if of_values { (out - in_q - in_k, s.value_dim) } else { (out - in_q, s.dim) };
    let (n, group, j) = position(s, at / cols, s.groups, s.keys);
    let share = s.heads / s.groups;
    let lookers = (group * share..(group + 1) * share).flat_map(|h| (0..s.queries).map(move |i| (h, i))).filter(|&(_, i)| j < s.seen(i));
    let term = |(h, i): (usize, usize)| {
        let at = row(s.query(n, h), i) * cols + at % cols;
        match of_values {
            true => Expr::Product(vec![weight(n, h, i, j), Expr::element(4, at)]),
            false => Expr::Product(vec![slope(n, h, i, j), Expr::element(0, at)]),
        }
    };
    let terms = lookers.map(term).collect();
    if of_values { Expr::Sum(terms) } else { scaled(terms) }
}
