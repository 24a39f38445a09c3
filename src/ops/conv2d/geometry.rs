//! Which products of a convolution an element of each of its three tensors takes part in: what explanations are made of.

use crate::ops::Expr;
use crate::ops::window::window_of;
use crate::simd::ConvShape;
use crate::tensor::Shape;

fn image(s: &ConvShape) -> Shape {
    [s.batch, s.in_h, s.in_w, s.in_c].into()
}

fn filters(s: &ConvShape) -> Shape {
    [s.k_h, s.k_w, s.in_c / s.groups, s.out_c].into()
}

fn result(s: &ConvShape) -> Shape {
    [s.batch, s.out_h, s.out_w, s.out_c].into()
}

/// The pixel that tap (p, q) of window (i, j) reads; none in the padding.
fn pixel(s: &ConvShape, [i, j]: [usize; 2], [p, q]: [usize; 2]) -> Option<[usize; 2]> {
    let row = (i * s.stride[0] + p * s.dilation[0]).checked_sub(s.pad_top).filter(|&row| row < s.in_h)?;
    let col = (j * s.stride[1] + q * s.dilation[1]).checked_sub(s.pad_left).filter(|&col| col < s.in_w)?;
    Some([row, col])
}

fn grid(rows: usize, cols: usize) -> impl Iterator<Item = [usize; 2]> {
    (0..rows).flat_map(move |i| (0..cols).map(move |j| [i, j]))
}

fn product(left: usize, right: usize) -> Expr {
    Expr::Product(vec![Expr::element(0, left), Expr::element(1, right)])
}

/// y = Σ x w: inputs x, w.
pub(super) fn products_of_output(s: &ConvShape, out: usize) -> Expr {
    let (group_in, group_out) = (s.in_c / s.groups, s.out_c / s.groups);
    let index = result(s).unravel(out);
    let (n, o) = (index[0], index[3]);
    let mut terms = Vec::new();
    for [p, q] in grid(s.k_h, s.k_w) {
        let Some([row, col]) = pixel(s, [index[1], index[2]], [p, q]) else { continue };
        terms.extend((0..group_in).map(|c| {
            let channel = o / group_out * group_in + c;
            product(image(s).ravel(&[n, row, col, channel]), filters(s).ravel(&[p, q, c, o]))
        }));
    }
    Expr::Sum(terms)
}

/// dx = Σ dy w: inputs dy, w.
pub(super) fn products_of_input(s: &ConvShape, out: usize) -> Expr {
    let (group_in, group_out) = (s.in_c / s.groups, s.out_c / s.groups);
    let index = image(s).unravel(out);
    let (n, channel) = (index[0], index[3]);
    let first = channel / group_in * group_out;
    let mut terms = Vec::new();
    for [p, q] in grid(s.k_h, s.k_w) {
        let i = window_of(index[1], p, s.out_h, s.stride[0], s.dilation[0], s.pad_top);
        let j = window_of(index[2], q, s.out_w, s.stride[1], s.dilation[1], s.pad_left);
        let (Some(i), Some(j)) = (i, j) else { continue };
        let at = |o: usize| product(result(s).ravel(&[n, i, j, o]), filters(s).ravel(&[p, q, channel % group_in, o]));
        terms.extend((first..first + group_out).map(at));
    }
    Expr::Sum(terms)
}

/// dw = Σ x dy: inputs x, dy.
pub(super) fn products_of_kernel(s: &ConvShape, out: usize) -> Expr {
    let (group_in, group_out) = (s.in_c / s.groups, s.out_c / s.groups);
    let index = filters(s).unravel(out);
    let (c, o) = (index[2], index[3]);
    let channel = o / group_out * group_in + c;
    let mut terms = Vec::new();
    for n in 0..s.batch {
        for [i, j] in grid(s.out_h, s.out_w) {
            let Some([row, col]) = pixel(s, [i, j], [index[0], index[1]]) else { continue };
            terms.push(product(image(s).ravel(&[n, row, col, channel]), result(s).ravel(&[n, i, j, o])));
        }
    }
    Expr::Sum(terms)
}
