//! Arithmetic of slices, four lanes at a time. The same bits as element by element.

use super::vector::{LANES, V};

/// A function of one or two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// a + b.
    Add,
    /// a − b.
    Sub,
    /// a · b.
    Mul,
    /// a / b.
    Div,
    /// 1 where a > b, else 0.
    Greater,
    /// max(0, a); a NaN stays.
    Relu,
    /// √a.
    Sqrt,
}

/// out = f(a, b), or f(a), for which b is not read.
///
/// # Panics
/// Unless all are as long as `out`.
#[inline(never)]
pub fn lanes(function: Lanes, a: &[f32], b: &[f32], out: &mut [f32]) {
    match function {
        Lanes::Add => zip(a, b, out, V::add),
        Lanes::Sub => zip(a, b, out, V::sub),
        Lanes::Mul => zip(a, b, out, V::mul),
        Lanes::Div => zip(a, b, out, V::div),
        Lanes::Greater => zip(a, b, out, |a, b| a.gt(b).and(V::splat(1.0))),
        Lanes::Relu => zip(a, a, out, |a, _| a.relu()),
        Lanes::Sqrt => zip(a, a, out, |a, _| a.sqrt()),
    }
}

#[inline(always)]
fn zip(a: &[f32], b: &[f32], out: &mut [f32], f: impl Fn(V, V) -> V) {
    assert!(a.len() == out.len() && b.len() == out.len(), "{} and {} elements for {}", a.len(), b.len(), out.len());
    let ((a, a_rest), (b, b_rest), (out, out_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>(), out.as_chunks_mut::<LANES>());
    for ((a, b), out) in a.iter().zip(b).zip(out) {
        f(V::read(a), V::read(b)).write(out);
    }
    if !out_rest.is_empty() {
        f(V::read_part(a_rest, 1.0), V::read_part(b_rest, 1.0)).write_part(out_rest);
    }
}
